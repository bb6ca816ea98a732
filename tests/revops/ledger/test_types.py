"""An object type is one declaration: a new file makes records, pages, API and search of that type, and touches nothing else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.test import Client

from revops.errors import Rejected
from revops.ledger.facts import Fact
from revops.ledger.models import SourceRecord
from revops.ledger.object_type import Field, ObjectType, Owner, Role
from revops.ledger.ownership import ownership_of
from revops.ledger.reading import account_ledger
from revops.ledger.statement import statement_lines
from revops.ledger.types import TYPES, Registry
from revops.policies.in_force import policies_in_force
from revops.reference import Ref
from tests.revops import world
from tests.revops.api.caller import Caller, body

DECLARATION = """
from revops.ledger.object_type import Field, ObjectType, Owner, Role, StatementSide

TYPE = ObjectType(
    code="debit_note",
    label="Debit note",
    fields={
        "number": Field("text", local=True),
        "status": Field("text"),
        "surcharge": Field("money", "Surcharge for late payment"),
        "issued_on": Field("date", "Issued on"),
        "period": Field("text", points_to="accounting_period"),
    },
    roles={"customer": Role(("customer",)), "invoice": Role(("invoice",), "Charged on")},
    parents=("invoice",),
    owners=(Owner("billing", "Billing charges late payments."), ),
    statement=StatementSide("debit", "surcharge", "issued_on", frozenset({"void"})),
    headline=("surcharge",),
)
"""


@pytest.fixture
def debit_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectType]:
    """The declaration as one file in a folder of its own, discovered as the product discovers its own."""
    folder = tmp_path / "further_types"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "debit_note.py").write_text(DECLARATION)
    monkeypatch.syspath_prepend(str(tmp_path))
    TYPES.discover("further_types")
    yield TYPES["debit_note"]
    TYPES.withdraw("debit_note")
    for name in ("further_types", "further_types.debit_note"):
        sys.modules.pop(name, None)


def stored() -> SourceRecord:
    """A debit note that names no customer: it inherits its invoice's, which comes after it."""
    world.systems()
    account = world.customers()
    world.say("netsuite", world.entity(), world.period())
    world.say("netsuite", world.fact(
        "debit_note", "DN-1", {"invoice": f"netsuite:{world.INVOICE}"}, number="DN-0001", status="open",
        surcharge=world.usd("40.00"), issued_on=world.today(), period=f"{world.today():%Y%m}",
    ))  # fmt: skip
    assert SourceRecord.objects.get(object_type="debit_note").account is None
    world.say("netsuite", world.entered(world.usd("1000.00")))
    row = SourceRecord.objects.get(object_type="debit_note")
    assert row.account == account
    return row


@pytest.mark.django_db
def test_a_new_type_is_recorded_shown_served_and_found(debit_note: ObjectType) -> None:
    row = stored()
    assert row.account is not None
    seat, fia = Client(), world.person("fia", "finance_analyst")
    seat.force_login(fia)

    page = seat.get(f"/records/{row.pk}/").content.decode()
    for words in ("Debit note", "DN-0001", "Surcharge for late payment", "40.00", "Charged on", f"INV-{world.INVOICE}"):
        assert words in page, words
    assert f"{world.today():%b %Y}" in page, "the period by its name"

    account = seat.get(f"/accounts/{row.account.code}/").content.decode()
    assert "DN-0001" in account
    assert "Debit note" in account

    api = Caller(fia)
    found = body(api.get("records/?object_type=debit_note"))["results"]
    assert [(line["external_id"], line["refs"]["invoice"][0]["id"]) for line in found] == [("DN-1", world.INVOICE)]
    served = body(api.get(f"accounts/{row.account.pk}/ledger/"))
    assert [line["external_id"] for line in served["records"] if line["object_type"] == "debit_note"] == ["DN-1"]
    assert [line["document"] for line in served["statement"] if line["kind"] == "debit_note"] == ["DN-0001"]

    assert seat.get("/find/?q=DN-1").headers["Location"] == f"/records/{row.pk}/", "by its id"
    searched = seat.get("/find/?q=DN-0001").content.decode()
    assert f"/records/{row.pk}/" in searched, "by its number"
    assert "Debit note" in searched

    ledger = account_ledger(row.account)
    (charge,) = ledger.pointing_at(Ref("netsuite", "invoice", world.INVOICE), "invoice", debit_note.code)
    assert charge.label == "DN-0001"
    assert "DN-0001" in {line.document for line in statement_lines(ledger)}
    line = ownership_of(policies_in_force(), "debit_note", "surcharge", "*")
    assert (line.owner, line.why) == ("billing", "Billing charges late payments.")


@pytest.mark.django_db
def test_a_fact_of_the_new_type_must_fit_its_declaration(debit_note: ObjectType) -> None:
    at = world.now()
    for fields, to in (({"surcharge": "40.00"}, {}), ({"colour": "red"}, {}), ({}, {"invoice": (Ref("x", "payment", "1"),)})):
        with pytest.raises(Rejected) as refused:
            Fact("debit_note", "1", "1", at, fields, to)
        assert refused.value.code == "fact_shape"
    Fact("debit_note", "1", "1", at, {"surcharge": world.usd("40.00")}, {"invoice": (Ref("x", "invoice", "1"),)})


def test_a_type_that_nobody_declared_is_refused() -> None:
    with pytest.raises(Rejected, match="Unknown object type 'debit_note'"):
        Fact("debit_note", "1", "1", world.now(), {})


def test_adding_a_type_needs_no_migration() -> None:
    column = apps.get_model("ledger", "SourceRecord")._meta.get_field("object_type")
    assert column.choices is None


def declared(code: str = "kit", **over: object) -> ObjectType:
    plain: dict[str, object] = {"label": "Kit", "fields": {"name": Field("text")}, "owners": (Owner("crm", "So be it."),)}
    values = plain | over
    return ObjectType(code, **values)  # type: ignore[arg-type]


def test_the_registry_refuses_what_is_taken_or_does_not_hang_together() -> None:
    registry = Registry()
    registry.register(declared())
    with pytest.raises(ValueError, match="taken"):
        registry.register(declared())
    with pytest.raises(ValueError, match="30 characters"):
        registry.register(declared("k" * 31))
    for wrong in (
        {"owners": (Owner("crm", "Only names.", "name"),)},
        {"owners": (Owner("crm", "x"), Owner("erp", "x", "price"))},
        {"headline": ("price",)},
        {"parents": ("invoice",)},
    ):
        with pytest.raises(ValueError, match="kit"):
            declared(**wrong)


def test_every_role_points_to_a_type_that_exists() -> None:
    for code, object_type in TYPES.items():
        for name, role in object_type.roles.items():
            assert isinstance(role, Role)
            assert set(role.targets) <= {*TYPES, "posting"}, (code, name)
        for name, field in object_type.fields.items():
            assert field.points_to in {"", *TYPES}, (code, name)
