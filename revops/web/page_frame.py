"""What the frame around every page needs; lazy, so that fragments pay for nothing. A context processor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from django.http import HttpRequest

import revops
from revops.people.models import Role, User
from revops.web.addresses import href
from revops.web.formatting import count_text
from revops.web.navigation import sections_for
from revops.web.status_banner import StatusBanner, banner_for

THEMES = ("light", "dark")
DENSITIES = ("compact", "comfortable")


@dataclass(frozen=True, slots=True)
class Tab:
    """One entry of the top bar as drawn."""

    code: str
    label: str
    href: str
    count: str


class PageFrame:
    """Theme, density, shortcuts (cookies, so that the first byte is already right) and the sections of the top bar."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        theme = request.COOKIES.get("revops-theme", "")
        density = request.COOKIES.get("revops-density", "")
        self.theme = theme if theme in THEMES else "system"
        self.density = density if density in DENSITIES else "comfortable"
        self.keys_off = request.COOKIES.get("revops-keys") == "off"
        self.version = getattr(revops, "__version__", "0.1.0")
        self.path = request.get_full_path() if request.method == "GET" else "/"

    @property
    def user(self) -> User | None:
        user = getattr(self._request, "user", None)
        return user if isinstance(user, User) else None

    @cached_property
    def tabs(self) -> list[Tab]:
        if self.user is None:
            return []
        return [
            Tab(s.code, s.label, href(s.url_name), _shown(s.count(self.user)) if s.count else "") for s in sections_for(self.user)
        ]

    @cached_property
    def banner(self) -> StatusBanner:
        return banner_for(self.user) if self.user else StatusBanner()

    @cached_property
    def roles(self) -> str:
        return ", ".join(str(Role(code).label) for code in sorted(self.user.role_codes())) if self.user else ""


def _shown(count: int) -> str:
    return count_text(count) if count else ""


def page_frame(request: HttpRequest) -> dict[str, object]:
    """`frame` in every template."""
    return {"frame": PageFrame(request)}
