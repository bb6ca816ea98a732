"""A second billing system with the same ids: a credit in the ERP is measured by its own biller's invoice."""

from __future__ import annotations

import pytest

from revops.ledger.models import SourceSystem
from revops.money import Money
from tests.revops import world

pytestmark = pytest.mark.django_db


def test_a_plan_of_a_credit_rests_on_its_own_billers_invoice() -> None:
    """A second biller has an invoice of the same id and another amount: the credit is measured against neither but its own."""
    world.systems()
    SourceSystem.objects.create(slug="billing-de", label="Billing DE", role="billing", vendor="test")
    account, case = world.mismatch(world.usd("1120.00"), world.usd("1000.00"))
    world.say("billing-de", world.fact("customer", "cus_1", world.same_as(world.CRM_ID), name="Halden"))
    other = {"customer": "billing-de:cus_1"}
    world.say("billing-de", world.fact("invoice", world.BILLED, other, status="open", total=world.usd("5.00")))
    plan = world.credit_plan(world.person("mia", "finance_analyst"), case)
    assert {(row["system"], row["object_type"]) for row in plan.facts} == {
        ("netsuite", "invoice"), ("stripe", "invoice"), ("netsuite", "accounting_period"),
    }  # fmt: skip
    assert Money.from_minor(plan.amount_minor, plan.currency) == world.usd("120.00")
    assert account.pk == case.account_id
