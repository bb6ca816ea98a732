"""Every address. Vendors knock at `intake/`, programs at `api/`, people at the rest."""

from __future__ import annotations

from importlib.util import find_spec

from django.urls import URLPattern, URLResolver, include, path

from revops import health

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
]
# TEMPORARY until every package has arrived.
for _prefix, _module in (("intake/", "sync.urls"), ("api/", "revops.api.urls"), ("", "revops.web.urls")):
    if find_spec(_module) is not None:
        urlpatterns.append(path(_prefix, include(_module)))
