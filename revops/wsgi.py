"""The WSGI application. Granian serves it; threads keep their own database connection."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "revops.settings")
application = get_wsgi_application()

from revops.checks import refuse_to_start  # noqa: E402 - after Django is set up

refuse_to_start()
