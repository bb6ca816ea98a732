"""Two workers apply at the same moment: what belongs together finds each other, whoever commits first."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from revops.ledger.facts import Fact
from revops.ledger.models import SourceRecord, SourceSystem
from revops.ledger.record import Statement, record
from tests.revops import world
from tests.revops.world import CRM_ID, fact, usd
from tests.sync.processes import until

pytestmark = pytest.mark.django_db(transaction=True)

MASTER = ("salesforce", [fact("customer", CRM_ID, name="Halden", currency="USD")])
CUSTOMER = ("stripe", [fact("customer", "cus_1", {"same_as": f"salesforce:{CRM_ID}"}, name="Halden")])
INVOICE = ("stripe", [fact("invoice", "in_1", {"customer": "stripe:cus_1"}, status="open", total=usd("10.00"))])
PAYMENT = ("stripe", [fact("payment", "pi_1", {"invoice": "stripe:in_1"}, status="paid", amount=usd("10.00"))])

Said = tuple[str, list[Fact]]


def waiting_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
        return bool(cursor.fetchone()[0])


@pytest.mark.parametrize(
    ("before", "first", "second"),
    [([], CUSTOMER, MASTER), ([], MASTER, CUSTOMER), ([MASTER], CUSTOMER, INVOICE), ([MASTER], INVOICE, CUSTOMER),
     ([MASTER, CUSTOMER], PAYMENT, INVOICE), ([MASTER, CUSTOMER], INVOICE, PAYMENT)],
)  # fmt: skip
def test_i11_two_at_once_are_linked_as_one_after_the_other(before: list[Said], first: Said, second: Said) -> None:
    for slug, role in (("salesforce", "crm"), ("stripe", "billing")):
        SourceSystem.objects.create(slug=slug, label=slug.title(), role=role, vendor=slug)
    for said in before:
        world.say(said[0], *said[1])
    written, may_commit = threading.Event(), threading.Event()

    def tell(said: Said, *, hold: bool) -> None:
        with transaction.atomic():
            record(said[0], [Statement(each) for each in said[1]], now=world.now())
            if hold:
                written.set()
                may_commit.wait(20)
        connection.close()

    one = threading.Thread(target=tell, args=(first,), kwargs={"hold": True})
    two = threading.Thread(target=tell, args=(second,), kwargs={"hold": False})
    one.start()
    assert written.wait(20)
    two.start()
    until(lambda: waiting_for_a_lock() or not two.is_alive())
    may_commit.set()
    one.join(20)
    two.join(20)
    assert not list(SourceRecord.objects.filter(account=None).values_list("system_id", "object_type", "external_id"))
