"""Every address. Vendors knock at `intake/`, programs at `api/`, people at the rest. The probes are
answered before any of them, by `revops.health`."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from revops.wiring import load_texts

load_texts()

urlpatterns: list[URLPattern | URLResolver] = [
    path("intake/", include("sync.intake.urls")),
    path("api/", include("sync.surface.api")),
    path("api/", include("revops.api.urls")),
    path("", include("revops.web.urls")),
    path("", include("sync.surface.pages")),
]

handler400 = "revops.web.errors.bad_request"
handler403 = "revops.web.errors.forbidden"
handler404 = "revops.web.errors.not_found"
handler500 = "revops.web.errors.server_error"
