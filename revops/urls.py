"""Every address. Vendors knock at `intake/`, programs at `api/`, people at the rest. The probes are
answered before any of them, by `revops.health`."""

from __future__ import annotations

from importlib.util import find_spec

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = []
# TEMPORARY until every package has arrived.
for _prefix, _module in (
    ("intake/", "sync.urls"),
    ("api/", "sync.api"),
    ("api/", "revops.api.urls"),
    ("", "revops.web.urls"),
    ("", "sync.pages"),
):
    if find_spec(_module) is not None:
        urlpatterns.append(path(_prefix, include(_module)))

handler400 = "revops.web.errors.bad_request"
handler403 = "revops.web.errors.forbidden"
handler404 = "revops.web.errors.not_found"
handler500 = "revops.web.errors.server_error"
