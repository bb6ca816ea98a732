"""Saved views of the queue."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from revops.access.rules import require
from revops.cases import actions
from revops.cases.models import SavedView
from revops.web.addresses import href
from revops.web.requests import back, one, signed_in


@require_POST
def save(request: HttpRequest) -> HttpResponse:
    """Keep the present filter under a name."""
    user = signed_in(request)
    require(user, "see_queue")
    view = actions.save_view(
        name=request.POST.get("name", ""),
        query=request.POST.get("query", "")[:4000],
        shared=request.POST.get("shared") == "1",
        acting_user=user,
    )
    return back(request, href("queue", query=view.query), f"The view {view.name} is saved")


@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove one of one's own views."""
    user = signed_in(request)
    view = one(SavedView.objects.filter(owner=user), pk)
    actions.delete_view(view, acting_user=user)
    return back(request, href("queue"), f"The view {view.name} is deleted")
