"""The web server and its Stripe connection, as for the intake."""

from __future__ import annotations

from tests.sync.conftest import _nothing_kept, stripe, web  # noqa: F401
