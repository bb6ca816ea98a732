"""Failed sign-ins, and who waits because of them.

Only failures are kept, as rows, for a quarter of an hour. They are counted by what the one who fails cannot choose for others:

- for a person from one address, for one address, and for a person from everywhere. The last is the largest, so that nobody at
  one address keeps a person out;
- a browser in which this person has signed in before is counted alone (`browser`): failures of others, at her name or from her
  office, do not keep her out there.

An attempt that a limit refuses leaves no row. Redis has no part in it.
"""

from __future__ import annotations

import datetime as dt

from django.db import connection, transaction
from django.db.models import Count, Q
from django.utils.crypto import salted_hmac

from revops.client_address import sender_of
from revops.identity.models import SignInFailure
from revops.people.models import address_of_person

WINDOW = dt.timedelta(minutes=15)
PER_BROWSER_MAX = 8
PER_PERSON_AND_ADDRESS_MAX = 8
PER_ADDRESS_MAX = 60
PER_PERSON_MAX = 60
FORGOTTEN_AT_ONCE = 100


def person_key(typed: str) -> str:
    """What a name is kept as: it may be a password in the wrong field."""
    return salted_hmac("revops.identity.failures", address_of_person(typed)).hexdigest()


def begin_attempt(typed: str, *, address: str, browser: str, now: dt.datetime) -> SignInFailure | None:
    """Count an attempt as failed until it succeeds; None when a limit refuses it. `browser` is the id of one in which this person
    has signed in before, or empty. Attempts at once are counted one after the other, so that no more than a limit begin."""
    row = SignInFailure(person=person_key(typed), address=sender_of(address), browser=browser, at=now)
    if _over(row):
        return None
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('revops.identity.failures'))")
        if _over(row):
            return None
        row.save(force_insert=True)
        _forget_old(now)
    return row


def forget_failures(row: SignInFailure) -> None:
    """The attempt succeeded: it is none, and neither is what the same person mistyped there before."""
    SignInFailure.objects.filter(person=row.person, address=row.address, browser=row.browser).delete()


def _over(row: SignInFailure) -> bool:
    recent = SignInFailure.objects.filter(at__gt=row.at - WINDOW, browser=row.browser)
    if row.browser:
        return recent.filter(person=row.person).count() >= PER_BROWSER_MAX
    person, address = Q(person=row.person), Q(address=row.address)
    found = recent.filter(person | address).aggregate(
        both=Count("pk", filter=person & address), address=Count("pk", filter=address), person=Count("pk", filter=person)
    )
    return bool(
        found["both"] >= PER_PERSON_AND_ADDRESS_MAX or found["address"] >= PER_ADDRESS_MAX or found["person"] >= PER_PERSON_MAX
    )


def _forget_old(now: dt.datetime) -> None:
    old = SignInFailure.objects.filter(at__lte=now - WINDOW).order_by("at").values_list("pk", flat=True)
    SignInFailure.objects.filter(pk__in=list(old[:FORGOTTEN_AT_ONCE])).delete()
