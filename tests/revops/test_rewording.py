"""No code reads a sentence: every text is written anew in other words, and nothing but words changes.

Two ways: what was kept in the old words is shown and judged again in the new ones, and the whole story happens in the new words
from the start.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import string
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from django.db import transaction
from django.db.models import Model
from django.test import Client

from revops.accounts.models import Account
from revops.approvals.actions import approve, reject, submit_plan
from revops.approvals.models import Checkpoint
from revops.audit.models import ActionRecord
from revops.cases.actions import assign_case, comment_on_case, snooze_case
from revops.cases.models import ExceptionCase, Expectation
from revops.detection.postings import POSTING_KINDS
from revops.detection.registry import RULES
from revops.ledger.due import mark_due
from revops.ledger.facts import Fact
from revops.postings.models import ChangePlan, Posting
from revops.reference import Ref, refs
from revops.sentences import TEXTS, Sentence
from tests.revops import world
from tests.revops.api.caller import Caller

pytestmark = pytest.mark.django_db

SAID: tuple[type[Model], ...] = (ExceptionCase, Expectation, ActionRecord, ChangePlan, Posting, Checkpoint)
"""The tables that hold sentences."""


def in_other_words(text: str) -> str:
    """The words from last to first in letters of the other case, the placeholders as they are: nothing can be recognised."""
    parts = list(string.Formatter().parse(text))
    whole = "".join(literal.swapcase() + (f" {{{name}}} " if name else "") for literal, name, _, _ in parts)
    return " ".join(["≈", *reversed(whole.split())])


@pytest.fixture
def _texts() -> Iterator[None]:
    kept = dict(TEXTS)
    yield
    TEXTS.clear()
    TEXTS.update(kept)


def reword() -> None:
    TEXTS.update({code: in_other_words(text) for code, text in TEXTS.items()})


def memo_of(posting: Posting, amount: str) -> Fact:
    """The ERP's own record of a posting, for some amount."""
    said = refs(change=Ref.posting(posting.key), customer=Ref("netsuite", "customer", world.CUSTOMER))
    return Fact(
        "credit_memo", "900", f"{world.now():%Y%m%d%H%M%S%f}", world.now(), {"number": "CM-900", "total": world.usd(amount)}, said
    )


def look_again() -> None:
    """Every account is looked at by every rule."""
    mark_due(set(Account.objects.values_list("pk", flat=True)), now=world.now())
    world.detect()


def story() -> ExceptionCase:
    """Findings of several rules and one that is not yet due; plans that become void, are rejected and are released; the vendor's
    record of the last one does not fit, which is an alarm. Returns the case that it is about."""
    world.systems()
    ana, pat = world.person("ana", "finance_analyst"), world.person("pat", "approver")
    _, case = world.mismatch(world.usd("1120.00"), world.usd("1000.00"))
    world.say(
        "salesforce", world.fact("contract", "c1", {"customer": f"salesforce:{world.CRM_ID}"}, number="C-1", status="draft")
    )
    later = world.fact(
        "invoice", "in_701", {"customer": "stripe:cus_1"}, number="A-2", status="open", total=world.usd("70.00"),
        finalized_at=world.now() - dt.timedelta(hours=3),
    )  # fmt: skip
    amendment = world.fact("proration", "ii_1", {"customer": "stripe:cus_1"}, amount=world.usd("900.00"), is_proration=True)
    world.say("stripe", later, amendment)
    renewal = world.fact(
        "renewal", world.RENEWAL, {"customer": "gainsight:1P02"}, name="Renewal 2027", stage="in_progress", held=False,
        is_closed=False, target_amount=world.usd("90000.00"),
    )  # fmt: skip
    world.say("gainsight", renewal)
    world.detect()
    comment_on_case(case, text="Looks like a missed discount, 120.00 USD", acting_user=ana, now=world.now())
    assign_case(case, owner=ana, row_version=None, acting_user=ana)
    other = ExceptionCase.objects.exclude(pk=case.pk).earliest("pk")
    snooze_case(
        other, until=world.now() + dt.timedelta(days=1), reason="On holiday", row_version=None, acting_user=ana, now=world.now()
    )
    rejected = submit_plan(world.credit_plan(ana, case), acting_user=ana)
    reject(rejected, reason="Ask the customer first", step_up=world.proof(pat), acting_user=pat)
    moved = submit_plan(world.credit_plan(ana, case), acting_user=ana)
    world.say("netsuite", world.entered(world.usd("1130.00")))
    assert approve(moved, digest=moved.digest, meaning="Checked", step_up=world.proof(pat), acting_user=pat).state == "void"
    world.detect()
    sent = submit_plan(world.credit_plan(ana, case, "130.00"), acting_user=ana)
    assert approve(sent, digest=sent.digest, meaning="Checked", step_up=world.proof(pat), acting_user=pat).state == "released"
    world.credit_plan(ana, case, "1.00")
    world.say("netsuite", memo_of(sent.postings.get(), "77.00"))
    look_again()
    case.refresh_from_db()
    return case


def kept() -> dict[str, list[dict[str, Any]]]:
    """Every row that holds a sentence, whole; not the words for searches, and not when an attempt is due."""
    return {
        model.__name__: [
            {name: value for name, value in row.items() if name not in ("search_text", "body")}
            for row in model._default_manager.order_by("pk").values()
        ]
        for model in SAID
    }


# --- what was kept in the old words -----------------------------------------------------------------------------------------


class Skeleton(HTMLParser):
    """A page without its words: how often each tag stands there with which attributes."""

    LEFT_OUT = frozenset({"title", "aria-label", "alt", "placeholder", "nonce", "hx-headers", "datetime"})
    """Words for people, and what every answer has its own of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: re.sub(r"since=[^&]*", "", value or "") for name, value in attrs if name not in self.LEFT_OUT}
        if given.get("name") in ("csrfmiddlewaretoken", "once"):
            del given["value"]
        self.tags[f"{tag} {sorted(given.items())}"] += 1


class Readers:
    """An analyst, an approver and an auditor: together they read every page."""

    def __init__(self) -> None:
        analyst, approver, auditor = (
            world.person(f"reading-{role}", role) for role in ("finance_analyst", "approver", "auditor")
        )
        self.reads = {analyst: self.pages_of_analysts, approver: self.pages_of_approvers, auditor: self.pages_of_auditors}
        self.calls = {Caller(analyst): ("cases/", "change-plans/", "postings/"), Caller(auditor): ("audit/",)}

    def pages_of_analysts(self) -> list[str]:
        pages = ["/queue/", "/queue/?status=not_due", "/plans/"]
        pages += [f"/accounts/{account.code}/" for account in Account.objects.order_by("pk")]
        for case in ExceptionCase.objects.order_by("pk"):
            pages += [f"/cases/{case.code}/", f"/cases/{case.code}/?fields=all", f"/cases/{case.code}/preview/"]
            rule = RULES.get(case.rule)
            fixes = rule.playbook.fixes if rule else ()
            pages += [f"/plans/new/?case={case.code}&kind={kind}" for kind in fixes if kind == "credit_memo"]
        return [*pages, *(f"/plans/{plan.code}/" for plan in ChangePlan.objects.order_by("pk"))]

    def pages_of_approvers(self) -> list[str]:
        return [f"/approvals/{plan.code}/" for plan in ChangePlan.objects.exclude(state="draft").order_by("pk")]

    def pages_of_auditors(self) -> list[str]:
        return ["/audit/"]

    def pages(self) -> dict[str, str]:
        """Every page by its address."""
        found: dict[str, str] = {}
        for reader, pages in self.reads.items():
            client = Client()
            client.force_login(reader)
            answers = {page: client.get(page) for page in pages()}
            assert {page: answer.status_code for page, answer in answers.items() if answer.status_code != 200} == {}
            found |= {page: answer.content.decode() for page, answer in answers.items()}
        return found

    def answers(self) -> dict[str, Any]:
        """What the API answers, by path."""
        return {path: json.loads(caller.get(path).content) for caller, paths in self.calls.items() for path in paths}


def without_texts(answer: Any) -> Any:
    if isinstance(answer, list):
        return [without_texts(item) for item in answer]
    if isinstance(answer, dict):
        return {name: without_texts(value) for name, value in answer.items() if name != "text"}
    return answer


@pytest.mark.usefixtures("_texts")
def test_what_was_said_in_the_old_words_is_the_same_in_the_new_ones() -> None:
    case, readers = story(), Readers()
    rows, pages, answers = kept(), readers.pages(), readers.answers()
    assert ActionRecord.objects.filter(verb="posting.alarm").count() == 1
    reword()
    look_again()
    world.say("netsuite", memo_of(Posting.objects.get(needs_person=True), "77.00"))
    look_again()
    assert kept() == rows, "no case is refreshed, no alarm is given twice, nothing is kept anew"
    new_answers, new_pages = readers.answers(), readers.pages()
    assert without_texts(new_answers) == without_texts(answers)
    assert {path for path in answers if new_answers[path] == answers[path]} == set(), "every answer has other words"
    for page, html in new_pages.items():
        assert Skeleton(html).tags == Skeleton(pages[page]).tags, page
    assert {page for page, html in new_pages.items() if "≈" not in html} <= {"/queue/", "/plans/"}, "lists have no sentences"
    assert "above billing" in pages[f"/cases/{case.code}/"]
    assert "above billing" not in new_pages[f"/cases/{case.code}/"]


# --- the whole story in the new words ---------------------------------------------------------------------------------------


def codes(value: object) -> object:
    return (value.code, sorted(value.params)) if isinstance(value, Sentence) else value


def outcome() -> dict[str, list[Any]]:
    """What became of the story, without numbers of rows, times, and the fingerprints of what was sent: its keys are drawn."""
    columns: dict[type[Model], tuple[str, ...]] = {
        ExceptionCase: ("fingerprint", "rule", "status", "team", "severity", "amount_minor", "sentence", "routing_reason",
                        "close_reason", "systems"),
        Expectation: ("fingerprint", "rule", "sentence", "amount_minor"),
        ActionRecord: ("verb", "actor_label", "summary"),
        ChangePlan: ("kind", "state", "outcome", "amount_minor"),
        Posting: ("sequence", "state", "needs_person", "summary", "reverse"),
        Checkpoint: ("code", "role", "sequence", "why"),
    }  # fmt: skip
    found = {
        model.__name__: [
            tuple(codes(value) for value in row) for row in model._default_manager.order_by("pk").values_list(*names)
        ]
        for model, names in columns.items()
    }
    return found | {"ExceptionCase": [row[1:] if row[1] in POSTING_KINDS else row for row in found["ExceptionCase"]]}


@pytest.mark.usefixtures("_texts")
def test_a_story_told_in_other_words_ends_the_same() -> None:
    ends = []
    for _ in range(2):
        with transaction.atomic():
            story()
            ends.append(outcome())
            transaction.set_rollback(True)
        reword()
    assert {code for code, text in TEXTS.items() if "≈" not in text} == set()
    first, second = ends
    assert [model for model, rows in first.items() if not rows] == []
    assert first == second
