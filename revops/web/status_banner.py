"""The line above every page while work stands still: whoever looks at figures must know that they do not move."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from revops.access.rules import may
from revops.people.models import User
from revops.telemetry.work_state import FOR_PERSON, read_work_state, troubles_in


@dataclass(frozen=True, slots=True)
class StatusBanner:
    """What stands still, for one reader. `codes` name it for the next question; the sentences are for those who see
    deliveries, the others are told that what they see may be behind."""

    codes: str = ""
    sentences: tuple[str, ...] = ()
    told_why: bool = False


def banner_for(user: User) -> StatusBanner:
    """One cheap statement."""
    troubles = [trouble for trouble in troubles_in(read_work_state()) if trouble.code != FOR_PERSON]
    sentences = tuple(trouble.sentence for trouble in troubles)
    return StatusBanner(",".join(trouble.code for trouble in troubles), sentences, may(user, "see_deliveries"))


@login_not_required
@require_safe
def status_banner(request: HttpRequest) -> HttpResponse:
    """The line again, or 204 when nothing else is the matter than what is shown: a reader aloud repeats nothing. Also 204 for
    somebody who was signed out meanwhile, so that no sign-in form is drawn into the line."""
    if not isinstance(request.user, User):
        return HttpResponse(status=204)
    found = banner_for(request.user)
    if found.codes == request.GET.get("shown", ""):
        return HttpResponse(status=204)
    return render(request, "web/_status_banner.html", {"banner": found})
