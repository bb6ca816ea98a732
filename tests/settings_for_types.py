"""The settings as mypy's Django plugin reads them: placeholders for what a start requires, and nothing else of its own."""

from __future__ import annotations

import base64
import os

os.environ.setdefault("DJANGO_SECRET_KEY", "for reading types only, long enough to be taken for a key")
os.environ.setdefault("REVOPS_ENCRYPTION_KEY", base64.b64encode(bytes(range(32))).decode())
os.environ.setdefault("DATABASE_URL", "postgresql://localhost/none")
os.environ.setdefault("REDIS_URL", "redis://127.0.0.1:1/0")

from revops.settings import *  # noqa: F403
