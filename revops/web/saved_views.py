"""Saved views of the queue."""

from __future__ import annotations

from urllib.parse import parse_qs

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST

from revops.access.rules import require
from revops.cases import actions
from revops.cases.models import SavedView
from revops.errors import Conflict, Rejected, http_status
from revops.web.addresses import href
from revops.web.forms import ViewForm
from revops.web.queue import queue_context
from revops.web.requests import back, one, signed_in


@require_POST
def save(request: HttpRequest) -> HttpResponse:
    """Keep the present filter under a name."""
    user = signed_in(request)
    require(user, "save_view")
    form = ViewForm(request.POST)
    try:
        said = form.must()
        view = actions.save_view(name=said["name"], query=said["query"], shared=said["shared"], acting_user=user)
    except (Conflict, Rejected) as error:
        form.keep_problem(error)
        context = queue_context(user, parse_qs(form.given("query") or ""), timezone.now()) | {
            "view_form": form,
            "problem": error.message,
        }
        return render(request, "cases/queue.html", context, status=http_status(error))
    return back(request, href("queue", query=view.query), f"The view {view.name} is saved")


@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove one of one's own views."""
    user = signed_in(request)
    require(user, "save_view")
    view = one(SavedView.objects.filter(owner=user), pk)
    actions.delete_view(view, acting_user=user)
    return back(request, href("queue"), f"The view {view.name} is deleted")
