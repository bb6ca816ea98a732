"""Limits on signing in: what stops one who guesses stops nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.db import connections
from django.test import Client

from tests.factories import PASSWORD, person
from tests.revops.web.newcomers import Newcomer

ROOT = Path(__file__).resolve().parents[3]
OFFICE, HOME, ATTACKER = "203.0.113.5", "198.51.100.7", "192.0.2.66"
EMAIL = "anneke@example.com"


def attempt(address: str, name: str = EMAIL, password: str = "wrong", at: Client | None = None) -> int:
    """The status of one attempt from that address, at a new browser or at this one."""
    said = {"username": name, "password": password}
    return int((at or Client()).post("/sign-in/", said, REMOTE_ADDR=address).status_code)


def rows() -> int:
    from revops.identity.models import SignInFailure

    return SignInFailure.objects.count()


@pytest.fixture
def anneke(db: None) -> Newcomer:
    """An approver at the browser in which she has signed in before, in an office behind one address."""
    person("anneke", "approver")
    browser = Newcomer(REMOTE_ADDR=OFFICE)
    browser.sign_in(EMAIL, PASSWORD)
    return browser


@pytest.mark.parametrize("password", ["", "wrong"])
def test_many_failures_from_an_office_keep_out_neither_who_is_known_there_nor_who_is_elsewhere(
    anneke: Newcomer, password: str
) -> None:
    from revops.audit.models import ActionRecord
    from tests.revops.web.test_own_account import a_plan

    plan, digest = a_plan()
    found = Counter(attempt(OFFICE, f"a{number}@example.com", password) for number in range(65))
    assert found == ({422: 60, 429: 5} if password else {422: 65})
    assert rows() == (60 if password else 0), "what is refused already, and what is no attempt, leaves no row"
    told = ActionRecord.objects.filter(verb="sign_in.stop").count()
    assert told == (1 if password else 0), "one line of the log, whatever names are tried"
    signed = anneke.post(f"/approvals/{plan}/approve/", {"digest": digest, "meaning": "Checked", "proof": PASSWORD})
    assert signed.status_code == 302
    anneke.post("/sign-out/")
    assert attempt(OFFICE, password=PASSWORD) == (429 if password else 302)
    assert attempt(OFFICE, password=PASSWORD, at=anneke) == 302
    assert attempt(HOME, password=PASSWORD) == 302


def test_guesses_at_one_person_keep_her_out_nowhere_else(anneke: Newcomer) -> None:
    assert Counter(attempt(ATTACKER) for _ in range(12)) == {422: 8, 429: 4}
    assert attempt(ATTACKER, password=PASSWORD) == 429
    assert attempt(HOME, password=PASSWORD) == 302
    assert attempt(ATTACKER, password=PASSWORD, at=anneke) == 302


def test_guesses_at_one_person_from_many_addresses_end_and_she_gets_in_where_she_is_known(anneke: Newcomer) -> None:
    found = Counter(attempt(f"192.0.2.{number}") for number in range(70))
    assert found == {422: 60, 429: 10}
    assert attempt(HOME, password=PASSWORD) == 429
    assert attempt(HOME, password=PASSWORD, at=anneke) == 302
    assert attempt(HOME, "other@example.com") == 422


def test_a_known_browser_is_known_for_its_people_and_has_a_limit_of_its_own(anneke: Newcomer) -> None:
    person("bert", "approver")
    assert Counter(attempt(OFFICE, "bert@example.com", at=anneke) for _ in range(9)) == {422: 8, 429: 1}
    assert attempt(OFFICE, "bert@example.com") == 429, "he is not known there, so they count for his address"
    assert Counter(attempt(OFFICE, at=anneke) for _ in range(9)) == {422: 8, 429: 1}
    assert attempt(OFFICE, password=PASSWORD, at=anneke) == 429
    assert attempt(HOME, password=PASSWORD) == 302
    forged = Client()
    forged.cookies["revops-browser"] = anneke.cookies["revops-browser"].value[:-1]
    assert Counter(attempt(ATTACKER, at=forged) for _ in range(9)) == {422: 8, 429: 1}


def test_a_success_clears_what_was_mistyped_and_nothing_else(anneke: Newcomer) -> None:
    for _ in range(5):
        attempt(HOME)
        attempt(HOME, "other@example.com")
    assert attempt(HOME, password=PASSWORD) == 302
    assert rows() == 5
    assert Counter(attempt(HOME) for _ in range(9)) == {422: 8, 429: 1}


def test_the_limits_hold_while_redis_is_away(anneke: Newcomer, settings: Any) -> None:
    """Redis full is Redis away: it takes no count."""
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": "redis://127.0.0.1:1/0"}}
    assert Counter(attempt(ATTACKER) for _ in range(9)) == {422: 8, 429: 1}
    assert attempt(ATTACKER, password=PASSWORD) == 429


@pytest.mark.django_db(transaction=True)
def test_attempts_at_once_are_counted_exactly() -> None:
    def one(_: int) -> int:
        try:
            return attempt(ATTACKER)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(16) as pool:
        found = Counter(pool.map(one, range(32)))
    assert found == {422: 8, 429: 24}


def test_after_a_quarter_of_an_hour_it_is_over_and_nothing_is_kept(anneke: Newcomer) -> None:
    with time_machine.travel("2026-11-23T10:00:00Z", tick=False) as clock:
        assert Counter(attempt(ATTACKER) for _ in range(9)) == {422: 8, 429: 1}
        clock.shift(14 * 60)
        assert attempt(ATTACKER) == 429
        clock.shift(61)
        assert attempt(ATTACKER) == 422
        assert rows() == 1


def test_guesses_at_the_old_password_are_counted_as_wrong_proofs(anneke: Newcomer) -> None:
    said = {"old": "wrong", "password": "a quite new phrase"}
    problems = [anneke.post("/me/password/", said).content for _ in range(9)]
    assert [b"This is not your password" in problem for problem in problems] == [True] * 8 + [False]
    assert b"too many attempts" in anneke.post("/me/password/", said | {"old": PASSWORD}).content
    assert attempt(HOME, password=PASSWORD) == 302, "signing in is apart"


# --- whose address it is -------------------------------------------------------------------------------------------------

PROXIES = ["10.0.0.0/8", "fd00::/8"]


@pytest.mark.parametrize(
    ("proxies", "peer", "forwarded", "proven"),
    [
        ([], OFFICE, HOME, OFFICE),
        ([], "10.0.0.5", HOME, "10.0.0.5"),
        (PROXIES, OFFICE, HOME, OFFICE),
        (PROXIES, "10.0.0.5", HOME, HOME),
        (PROXIES, "10.0.0.5", f"127.0.0.1, {HOME}", HOME),
        (PROXIES, "10.0.0.5", f"127.0.0.1, {HOME},10.9.9.9 , 10.0.0.7", HOME),
        (PROXIES, "10.0.0.5", "10.1.1.1", "10.1.1.1"),
        (PROXIES, "10.0.0.5", "", "10.0.0.5"),
        (PROXIES, "10.0.0.5", f"{HOME}, unknown", "10.0.0.5"),
        (PROXIES, "10.0.0.5", f"{HOME}:4711", HOME),
        (PROXIES, "fd00::1", "[2001:db8::9]:443", "2001:db8::9"),
        (PROXIES, "::ffff:10.0.0.5", f"::ffff:{HOME}", HOME),
    ],
)
def test_a_forwarded_address_is_believed_from_a_trusted_proxy_alone(
    db: None, settings: Any, proxies: list[str], peer: str, forwarded: str, proven: str
) -> None:
    settings.REVOPS_TRUSTED_PROXIES = [ip_network(each) for each in proxies]
    person("anneke", "approver")
    browser = Newcomer(REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded)
    assert browser.sign_in(EMAIL, PASSWORD).status_code == 302
    assert f" from {proven} " in " ".join(browser.get("/me/").content.decode().split())


def test_a_made_up_forwarded_address_buys_no_attempts(anneke: Newcomer) -> None:
    found = Counter(
        Client().post("/sign-in/", {"username": EMAIL, "password": "x"}, REMOTE_ADDR=ATTACKER, HTTP_X_FORWARDED_FOR=f"10.1.1.{n}")
        .status_code
        for n in range(9)
    )  # fmt: skip
    assert found == {422: 8, 429: 1}


def test_the_addresses_of_one_ipv6_network_are_one_sender(anneke: Newcomer) -> None:
    assert Counter(attempt(f"2001:db8:0:1::{number}") for number in range(9)) == {422: 8, 429: 1}
    assert attempt("2001:db8:0:2::1") == 422


@pytest.mark.outside
@pytest.mark.parametrize("wrong", ["10.0.0.5/8", "proxy.example.com", "0.0.0.0/0"])
def test_a_trusted_proxy_that_is_none_stops_the_start_with_what_to_write(wrong: str) -> None:
    environment: dict[str, Any] = {**os.environ, "REVOPS_TRUSTED_PROXIES": wrong}
    command = [sys.executable, "-c", "import revops.settings"]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode != 0
    assert f"REVOPS_TRUSTED_PROXIES holds {wrong}".replace("'", "") in ran.stderr.replace("'", "")
