"""What people do to a case: each action beside its refusals, and the log beside both."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from revops.audit.models import ActionRecord
from revops.cases import actions
from revops.cases.models import CaseNote, CaseStatus, CaseWatch, ExceptionCase, SavedView
from revops.errors import Conflict, Missing, Rejected
from tests.factories import a_case, person

pytestmark = pytest.mark.django_db


def closed_case() -> ExceptionCase:
    return a_case(status=CaseStatus.CLOSED, closed_at=timezone.now())


def verbs(case: ExceptionCase) -> list[str]:
    return list(ActionRecord.objects.filter(case_id=case.pk).order_by("id").values_list("verb", flat=True))


def test_assigning_moves_the_version_and_is_logged_with_before_and_after() -> None:
    case, farid, carla = a_case(), person("farid", "finance_analyst"), person("carla", "cs_analyst")
    row = actions.assign_case(case, owner=carla, row_version=1, acting_user=farid, remark="rota")
    assert (row.owner, row.row_version) == (carla, 2)
    entry = ActionRecord.objects.get(case_id=case.pk)
    assert (entry.verb, entry.actor, entry.reason) == ("case.assign", farid, "rota")
    assert (entry.before, entry.after) == ({"owner": None}, {"owner": "carla@example.com"})
    actions.assign_case(row, owner=carla, row_version=2, acting_user=farid)
    assert verbs(case) == ["case.assign"]
    actions.assign_case(row, owner=None, row_version=2, acting_user=farid)
    case.refresh_from_db()
    assert case.owner is None


def test_a_stale_version_changes_nothing() -> None:
    case, farid = a_case(), person("farid")
    actions.assign_case(case, owner=farid, row_version=1, acting_user=farid)
    with pytest.raises(Conflict):
        actions.assign_case(case, owner=None, row_version=1, acting_user=farid)
    with pytest.raises(Conflict):
        actions.snooze_case(
            case, until=timezone.now() + dt.timedelta(hours=1), reason="x", row_version=1, acting_user=farid, now=timezone.now()
        )
    assert verbs(case) == ["case.assign"]


def test_closed_cases_and_people_who_left_are_refused() -> None:
    farid, gone = person("farid"), person("gone", is_active=False)
    with pytest.raises(Rejected, match="closed"):
        actions.assign_case(closed_case(), owner=farid, row_version=1, acting_user=farid)
    with pytest.raises(Rejected, match="no longer works here"):
        actions.assign_case(a_case(), owner=gone, row_version=1, acting_user=farid)


def test_notes_mention_people_who_then_watch() -> None:
    case, farid = a_case(), person("farid")
    carla, kenji = person("carla"), person("kenji.otsuka")
    note = actions.comment_on_case(
        case, text="  @carla and @Kenji.Otsuka@example.com, see mail@carla.com. @nobody", acting_user=farid, now=timezone.now()
    )
    assert set(note.mentions.all()) == {carla, kenji}
    assert set(CaseWatch.objects.filter(case=case).values_list("user", flat=True)) == {farid.pk, carla.pk, kenji.pk}


def test_a_name_that_fits_two_people_calls_nobody() -> None:
    case, farid = a_case(), person("farid")
    person("carla")
    twin = person("carla2")
    twin.username = "carla@elsewhere.example"
    twin.save()
    note = actions.comment_on_case(case, text="@carla look", acting_user=farid, now=timezone.now())
    assert not note.mentions.exists()


def test_the_same_note_twice_at_once_is_one_note() -> None:
    case, farid, now = a_case(), person("farid"), timezone.now()
    first = actions.comment_on_case(case, text="seen", acting_user=farid, now=now)
    assert actions.comment_on_case(case, text="seen ", acting_user=farid, now=now) == first
    later = now + dt.timedelta(minutes=5)
    assert actions.comment_on_case(case, text="seen", acting_user=farid, now=later) != first
    assert CaseNote.objects.count() == 2


@pytest.mark.parametrize("text", ["", "   ", "\x00", "x" * 10_001])
def test_empty_and_endless_notes_are_refused(text: str) -> None:
    with pytest.raises(Rejected):
        actions.comment_on_case(a_case(), text=text, acting_user=person("farid"), now=timezone.now())


def test_snoozing_needs_a_reason_and_a_time_to_come() -> None:
    case, farid, now = a_case(), person("farid"), timezone.now()
    for until, reason in ((now, "x"), (now + dt.timedelta(days=91), "x"), (now + dt.timedelta(hours=1), " ")):
        with pytest.raises(Rejected):
            actions.snooze_case(case, until=until, reason=reason, row_version=1, acting_user=farid, now=now)
    until = now + dt.timedelta(hours=4)
    row = actions.snooze_case(case, until=until, reason="waits for the bank", row_version=1, acting_user=farid, now=now)
    assert (row.status, row.snoozed_until) == (CaseStatus.SNOOZED, until)
    with pytest.raises(Rejected):
        actions.snooze_case(closed_case(), until=until, reason="x", row_version=1, acting_user=farid, now=now)


def test_waking_needs_a_sleeper() -> None:
    case, farid, now = a_case(), person("farid"), timezone.now()
    with pytest.raises(Rejected):
        actions.wake_case(case, row_version=1, acting_user=farid)
    actions.snooze_case(case, until=now + dt.timedelta(hours=4), reason="x", row_version=1, acting_user=farid, now=now)
    row = actions.wake_case(case, row_version=2, acting_user=farid)
    assert (row.status, row.snoozed_until) == (CaseStatus.OPEN, None)
    assert verbs(case) == ["case.snooze", "case.wake"]


def test_watching_twice_is_watching_once() -> None:
    case, farid = a_case(), person("farid")
    actions.watch_case(case, acting_user=farid)
    actions.watch_case(case, acting_user=farid)
    actions.unwatch_case(case, acting_user=farid)
    actions.unwatch_case(case, acting_user=farid)
    assert verbs(case) == ["case.watch", "case.unwatch"]


def test_views_are_kept_replaced_and_deleted_by_their_owner_alone() -> None:
    farid, carla = person("farid"), person("carla")
    actions.save_view(name="Mine", query="severity=high&before=1&open=EX-1", shared=False, acting_user=farid)
    view = actions.save_view(name=" Mine ", query="severity=critical", shared=True, acting_user=farid)
    assert SavedView.objects.count() == 1
    assert (view.query, view.shared) == ("severity=critical", True)
    with pytest.raises(Missing):
        actions.delete_view(view, acting_user=carla)
    actions.delete_view(view, acting_user=farid)
    assert not SavedView.objects.exists()


@pytest.mark.parametrize(("name", "query"), [("", "a=1"), ("x" * 61, "a=1"), ("ok", "q=" + "x" * 1200)])
def test_views_have_bounds(name: str, query: str) -> None:
    with pytest.raises(Rejected):
        actions.save_view(name=name, query=query, shared=False, acting_user=person("farid"))


def test_there_is_a_most_number_of_views(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "SAVED_VIEWS_MAX", 2)
    farid = person("farid")
    for name in ("a", "b"):
        actions.save_view(name=name, query="", shared=False, acting_user=farid)
    with pytest.raises(Rejected, match="2 views"):
        actions.save_view(name="c", query="", shared=False, acting_user=farid)
    actions.save_view(name="a", query="q=1", shared=False, acting_user=farid)
