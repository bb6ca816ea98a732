"""People and what each may do: read only."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from revops.access.rules import GRANTS, require, visible_to
from revops.people.models import Role, User
from revops.web.requests import signed_in

VERB_LABELS = {
    "see_queue": "See the queue",
    "work_case": "Work cases",
    "link_account": "Link customer records",
    "compose_plan": "Compose changes",
    "decide_plan": "Approve changes",
    "replay_delivery": "Replay deliveries",
    "see_audit": "Read the audit log",
    "manage_connections": "Configure connections",
    "manage_people": "Manage people",
}


@require_safe
def people_page(request: HttpRequest) -> HttpResponse:
    """Everybody with their roles, and the table of what each role may do."""
    user = signed_in(request)
    require(user, "see_people")
    people = visible_to(user, User).prefetch_related("role_grants", "role_grants__granted_by").order_by("-is_active", "username")
    matrix = [(label, [role in GRANTS[verb] for role in Role]) for verb, label in VERB_LABELS.items()]
    context = {
        "page": "people",
        "section": "people",
        "people": list(people[:500]),
        "roles": [role.label for role in Role],
        "matrix": matrix,
    }
    return render(request, "people/list.html", context)
