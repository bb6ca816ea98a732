"""Two workers apply at the same moment: what belongs together finds each other, whoever commits first."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection, transaction

from revops.accounts.models import Account
from revops.ledger.facts import Fact
from revops.ledger.freshness import note_changes
from revops.ledger.models import SourceRecord, SourceSystem
from revops.ledger.record import DeliveredFact, record
from revops.ledger.relink import unlink_customer
from revops.people.models import LegalEntity
from tests.accounts import as_superuser
from tests.revops import world
from tests.revops.world import CRM_ID, fact, usd
from tests.sync.processes import until

pytestmark = pytest.mark.django_db(transaction=True)

MASTER = ("salesforce", [fact("customer", CRM_ID, name="Halden", currency="USD")])
CUSTOMER = ("stripe", [fact("customer", "cus_1", {"same_as": f"salesforce:{CRM_ID}"}, name="Halden")])
INVOICE = ("stripe", [fact("invoice", "in_1", {"customer": "stripe:cus_1"}, status="open", total=usd("10.00"))])
PAYMENT = ("stripe", [fact("payment", "pi_1", {"invoice": "stripe:in_1"}, status="paid", amount=usd("10.00"))])
SUBSCRIPTION = ("stripe", [fact("subscription", "sub_1", {"customer": "stripe:cus_1"}, status="active")])
BILL = ("stripe", [fact("invoice", "in_1", {"subscription": "stripe:sub_1"}, status="open", total=usd("10.00"))])
OTHER_PAYMENT = ("stripe", [fact("payment", "pi_2", {"invoice": "stripe:in_2"}, status="paid", amount=usd("20.00"))])
OTHER_INVOICE = ("stripe", [fact("invoice", "in_2", {"customer": "stripe:cus_2"}, status="open", total=usd("20.00"))])
OTHER_CUSTOMER = ("stripe", [fact("customer", "cus_2", name="Nordwind")])
COMPANY = ("netsuite", [fact("legal_entity", "2", name="Meridian GmbH", currency="EUR", code="DE")])
COMPANYS_CUSTOMER = ("salesforce", [fact("customer", CRM_ID, name="Halden", currency="EUR", legal_entity="DE")])

Said = tuple[str, list[Fact]]


@pytest.fixture(autouse=True)
def _systems() -> None:
    for slug, role in (("salesforce", "crm"), ("stripe", "billing"), ("netsuite", "erp")):
        SourceSystem.objects.create(slug=slug, label=slug.title(), role=role, vendor=slug)


def waiting_for_a_lock() -> bool:
    with as_superuser(), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
        return bool(cursor.fetchone()[0])


@contextmanager
def told(said: Said) -> Iterator[threading.Thread]:
    """Somebody records this, and has not committed when the block begins. Commits when it ends."""
    written, may_commit = threading.Event(), threading.Event()

    def work() -> None:
        with transaction.atomic():
            record(said[0], [DeliveredFact(each) for each in said[1]], now=world.now())
            written.set()
            may_commit.wait(20)
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert written.wait(20)
        yield thread
    finally:
        may_commit.set()
        thread.join(20)


def tell(said: Said) -> None:
    try:
        world.say(said[0], *said[1])
    finally:
        connection.close()


def both(first: Said, second: Said) -> None:
    """The second begins before the first commits."""
    two = threading.Thread(target=tell, args=(second,))
    with told(first):
        two.start()
        until(lambda: waiting_for_a_lock() or not two.is_alive())
    two.join(20)


@pytest.mark.parametrize(
    ("before", "first", "second"),
    [([], CUSTOMER, MASTER), ([], MASTER, CUSTOMER), ([MASTER], CUSTOMER, INVOICE), ([MASTER], INVOICE, CUSTOMER),
     ([MASTER, CUSTOMER], PAYMENT, INVOICE), ([MASTER, CUSTOMER], INVOICE, PAYMENT),
     ([MASTER, INVOICE], PAYMENT, CUSTOMER), ([MASTER, INVOICE], CUSTOMER, PAYMENT),
     ([CUSTOMER, INVOICE], MASTER, PAYMENT), ([CUSTOMER, INVOICE], PAYMENT, MASTER),
     ([MASTER, CUSTOMER, BILL], PAYMENT, SUBSCRIPTION), ([MASTER, CUSTOMER, BILL], SUBSCRIPTION, PAYMENT),
     ([MASTER, CUSTOMER, PAYMENT], BILL, SUBSCRIPTION), ([MASTER, CUSTOMER, PAYMENT], SUBSCRIPTION, BILL)],
)  # fmt: skip
def test_i11_two_at_once_are_linked_as_one_after_the_other(before: list[Said], first: Said, second: Said) -> None:
    for said in before:
        tell(said)
    both(first, second)
    assert not list(SourceRecord.objects.filter(account=None).values_list("system_id", "object_type", "external_id"))


@pytest.mark.parametrize(("first", "second"), [(COMPANY, COMPANYS_CUSTOMER), (COMPANYS_CUSTOMER, COMPANY)])
def test_an_account_finds_its_legal_entity_whoever_commits_first(first: Said, second: Said) -> None:
    both(first, second)
    assert Account.objects.get().legal_entity == LegalEntity.objects.get(code="DE")


@pytest.mark.parametrize(
    ("one", "another"),
    [(PAYMENT, OTHER_PAYMENT), (PAYMENT, OTHER_INVOICE), (INVOICE, OTHER_INVOICE), (INVOICE, OTHER_PAYMENT),
     (CUSTOMER, OTHER_CUSTOMER), (CUSTOMER, OTHER_PAYMENT), (MASTER, OTHER_INVOICE), (COMPANY, OTHER_CUSTOMER)],
)  # fmt: skip
def test_what_has_nothing_to_do_with_each_other_is_recorded_side_by_side(one: Said, another: Said) -> None:
    """The one is not committed before the other is. The systems are not read for the first time: of each type something came."""
    for system, facts in (one, another):
        note_changes(system, {each.object_type for each in facts}, at=world.now())
    two = threading.Thread(target=tell, args=(another,))
    with told(one):
        two.start()
        two.join(20)
        assert not two.is_alive()
    assert SourceRecord.objects.count() == 2


def test_i11_two_that_make_the_same_record_at_once_make_it_once() -> None:
    """Nothing is known of it when the second begins: it finds the record that the first has made, and adds to it."""
    newer = ("stripe", [fact("payment", "pi_1", {"invoice": "stripe:in_1"}, status="paid", amount=usd("11.00"))])
    both(PAYMENT, newer)
    payment = SourceRecord.objects.get()
    assert payment.fields["amount"] == {"amount": "11.00", "currency": "USD"}
    assert list(payment.entries.order_by("version").values_list("arrival", flat=True)) == ["first", "newer"]


def test_a_person_who_unlinks_a_customer_waits_for_the_payment_under_way() -> None:
    """The payment names no customer: it takes that of its invoice."""
    for said in (MASTER, CUSTOMER, INVOICE):
        tell(said)
    person = world.person("fiona", "finance_analyst")

    def unlink() -> None:
        unlink_customer(system="stripe", customer_id="cus_1", reason="Another Halden.", acting_user=person, now=world.now())
        connection.close()

    two = threading.Thread(target=unlink)
    with told(PAYMENT):
        two.start()
        until(lambda: waiting_for_a_lock() or not two.is_alive())
    two.join(20)
    assert set(SourceRecord.objects.filter(system="stripe").values_list("account_id", flat=True)) == {None}
