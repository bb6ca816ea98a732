"""The ASGI application, for hosts that offer nothing else. WSGI is measurably faster for this product's work."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "revops.settings")
application = get_asgi_application()
