"""A setting is proposed from what came in: an id is found wherever it stands, and what only looks like one is not proposed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from sync.connectors.salesforce import ids
from sync.mapping.bodies import Seen, record_of, texts
from sync.mapping.declared import MAPPED
from sync.mapping.forms import Form, cores
from sync.mapping.index import Held, Index
from sync.mapping.propose import Proposal, proposals, sought, touched

ROLES = {"sf": "crm", "st": "billing", "st2": "billing", "ns": "erp", "gs": "customer_success"}
SHORT = "0015f00002kLmQz"
FULL = ids.full(SHORT, "id")
VENDORS = {"ns": "netsuite", "st": "stripe", "st2": "stripe", "sf": "salesforce", "gs": "gainsight"}


def crm_id(number: int) -> str:
    return ids.full(f"0015f00002k{number:04d}", "id")


def held() -> Index:
    """A CRM with 40 customers and contracts, billing with as many customers, invoices, credit memos and subscriptions, and the
    ERP's customers, which have small numbers as ids."""
    index = Index({"sf": ids.full})
    index.add([Held("sf", "customer", FULL)])
    for number in range(40):
        index.add([
            Held("sf", "customer", crm_id(number)),
            Held("sf", "contract", f"800{number}", number=f"{number:08d}"),
            Held("st", "customer", f"cus_{number}A"),
            Held("st", "invoice", f"in_{number}A", number=f"FB-{number}"),
            Held("st", "credit_memo", f"cn_{number}A"),
            Held("st", "subscription", f"sub_{number}A"),
            Held("ns", "customer", str(100 + number)),
            Held("ns", "legal_entity", "1", code="US"),
        ])  # fmt: skip
    return index


def seen(system: str, object_type: str, *records: Mapping[str, object], start: int = 1) -> list[Seen]:
    return [Seen(system, object_type, str(start + number), record) for number, record in enumerate(records)]


def found(objects: Sequence[Seen], index: Index | None = None, free_values_min: int = 20) -> list[Proposal]:
    return proposals(objects, index or held(), MAPPED[VENDORS[objects[0].system]], ROLES, free_values_min)


def figures(proposal: Proposal) -> tuple[str, str, str, int, int, int, int]:
    return (
        proposal.setting, proposal.value, proposal.form,
        proposal.hits, proposal.filled, proposal.total, proposal.ambiguous,
    )  # fmt: skip


INVOICES = range(30)
FOUND: dict[str, tuple[list[Seen], tuple[str, str, str, int, int, int, int]]] = {
    "an id by itself": (
        seen("ns", "invoice", *({"externalid": f"in_{n}A"} for n in INVOICES)),
        ("billing_id_field", "externalid", "{id}", 30, 30, 30, 0),
    ),
    "blanks around it": (
        seen("ns", "invoice", *({"externalid": f" in_{n}A  "} for n in INVOICES)),
        ("billing_id_field", "externalid", "{id}", 30, 30, 30, 0),
    ),
    "a prefix in a field of the account's own, beside a batch key": (
        seen("ns", "invoice", *({"custbody_bill_key": f"ST|in_{n}A", "externalid": f"B20261104-{n}"} for n in INVOICES)),
        ("billing_id_field", "custbody_bill_key", "ST|{id}", 30, 30, 30, 0),
    ),
    "one prefix for every type of document": (
        [
            *seen("ns", "invoice", *({"custbody_k": f"ST|in_{n}A"} for n in range(9))),
            *seen("ns", "credit_memo", *({"custbody_k": f"ST|cn_{n}A"} for n in range(5)), start=50),
            *seen("ns", "sales_order", *({"custbody_k": f"ST|sub_{n}A"} for n in range(5)), {"custbody_k": "ST|in_1A"}, start=70),
        ],
        ("billing_id_field", "custbody_k", "ST|{id}", 19, 20, 20, 0),
    ),
    "words before it in the memo": (
        seen("ns", "invoice", *({"memo": f"Stripe: in_{n}A"} for n in INVOICES)),
        ("billing_id_field", "memo", "Stripe: {id}", 30, 30, 30, 0),
    ),
    "something after it": (
        seen("ns", "invoice", *({"custbody_x": f"in_{n}A/live"} for n in INVOICES)),
        ("billing_id_field", "custbody_x", "{id}/live", 30, 30, 30, 0),
    ),
    "empty in some": (
        seen("ns", "customer", {"custentity_x": FULL}, {"custentity_x": ""}, {"custentity_x": None}, {}),
        ("crm_id_field", "custentity_x", "{id}", 1, 1, 4, 0),
    ),
    "a CRM's id in 15 characters": (
        seen("gs", "customer", {"SfdcAccountId": SHORT}),
        ("crm_id_field", "SfdcAccountId", "{id}", 1, 1, 1, 0),
    ),
    "a CRM's id in 18 characters": (
        seen("gs", "customer", {"SfdcAccountId": FULL}),
        ("crm_id_field", "SfdcAccountId", "{id}", 1, 1, 1, 0),
    ),
    "a key of the metadata": (
        seen("st", "customer", *({"metadata": {"sf": crm_id(n), "plan": "gold"}} for n in range(3))),
        ("crm_id_key", "sf", "{id}", 3, 3, 3, 0),
    ),
    "a contract's number, on subscriptions and on invoices": (
        [
            *seen("st", "subscription", *({"metadata": {"contract": f"{n:08d}"}} for n in range(15))),
            *seen("st", "invoice", *(
                {"metadata": {}, "parent": {"subscription_details": {"metadata": {"contract": f"{n:08d}"}}}} for n in range(9)
            ), start=50),
        ],
        ("contract_number_key", "contract", "{id}", 24, 24, 24, 0),
    ),
    "a contract's number with a prefix": (
        seen("ns", "invoice", *({"custbody_ctr": f"C-{n:08d}"} for n in INVOICES)),
        ("contract_number_field", "custbody_ctr", "C-{id}", 30, 30, 30, 0),
    ),
    "the ERP's customer, in the CRM": (
        seen("sf", "customer", *({"ERP__c": str(100 + n)} for n in INVOICES)),
        ("erp_customer_field", "ERP__c", "{id}", 30, 30, 30, 0),
    ),
    "our code of a legal entity": (
        seen("st", "customer", *({"metadata": {"entity": "US"}} for _ in range(3))),
        ("legal_entity_key", "entity", "{id}", 3, 3, 3, 0),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", FOUND)
def test_what_names_another_systems_object_is_proposed(what: str) -> None:
    objects, wanted = FOUND[what]
    proposal = next(each for each in found(objects) if each.setting == wanted[0])
    assert figures(proposal) == wanted
    assert proposal.good()


def test_examples_show_the_value_and_what_it_names() -> None:
    proposal = found(seen("ns", "invoice", *({"custbody_k": f"ST|in_{n}A"} for n in range(5))))[0]
    assert proposal.examples == (
        ("ST|in_0A", Held("st", "invoice", "in_0A", number="FB-0")),
        ("ST|in_1A", Held("st", "invoice", "in_1A", number="FB-1")),
        ("ST|in_2A", Held("st", "invoice", "in_2A", number="FB-2")),
    )
    assert (proposal.connection, proposal.system) == ("ns", "st")


# --- what is not proposed ---------------------------------------------------------------------------------------------


def purchase_orders(numbers: Sequence[int], hits: int) -> list[Seen]:
    """A customer's own order number, of which some happen to be the number of a contract."""
    return seen("ns", "invoice", *({"otherrefnum": f"{n:08d}" if n < hits else f"PO {n}"} for n in numbers))


NOTHING: dict[str, list[Seen]] = {
    "a purchase order number that names nothing": purchase_orders(range(30), 0),
    "one that is a contract's number nine times in ten": purchase_orders(range(30), 27),
    "one that always is, of too few": purchase_orders(range(19), 19),
    "a memo with an invoice in it now and then": seen("ns", "invoice", *(
        {"memo": f"Stripe: in_{n}A" if n % 2 else "thanks"} for n in INVOICES
    )),
    "small numbers that are somebody's ids": seen("sf", "customer", *({"NumberOfEmployees": 100 + n} for n in range(19))),
    "an id of another type of object": seen("ns", "invoice", *({"custbody_x": f"cus_{n}A"} for n in INVOICES)),
    "ids in the wrong case": seen("ns", "invoice", *({"custbody_x": f"IN_{n}a"} for n in INVOICES)),
    "a CRM's id of 15 characters in the wrong case": seen("gs", "customer", {"SfdcAccountId": SHORT.lower()}),
    "a CRM's id with a wrong end": seen("gs", "customer", {"SfdcAccountId": SHORT + "AAA"}),
    "a field that no setting can name": seen("ns", "invoice", *({"duedate": f"in_{n}A"} for n in INVOICES)),
    "objects that are gone": [
        Seen("gs", "customer", "1", {"SfdcAccountId": FULL}, deleted=True)
    ],
}  # fmt: skip


@pytest.mark.parametrize("what", NOTHING)
def test_what_only_looks_like_it_is_not(what: str) -> None:
    assert [each for each in found(NOTHING[what]) if each.setting != "legal_entity_key"] == []


def test_a_purchase_order_number_is_proposed_where_it_always_is_a_contracts_number() -> None:
    assert figures(found(purchase_orders(range(20), 20))[0]) == ("contract_number_field", "otherrefnum", "{id}", 20, 20, 20, 0)


def test_fewer_values_will_do_where_that_is_said_and_all_of_them_are() -> None:
    few = purchase_orders(range(3), 3)
    assert [each.value for each in found(few, free_values_min=1)] == ["otherrefnum"]
    assert found(purchase_orders(range(3), 2), free_values_min=1) == []


# --- ambiguous --------------------------------------------------------------------------------------------------------


def test_a_value_that_two_systems_have_is_ambiguous() -> None:
    index = held()
    index.add([Held("st2", "invoice", "in_1A")])
    proposal = found(seen("ns", "invoice", *({"externalid": f"in_{n}A"} for n in INVOICES)), index)[0]
    assert (proposal.hits, proposal.ambiguous, proposal.system) == (29, 1, "st")
    assert not proposal.good()


def test_a_number_that_two_contracts_bear_is_ambiguous() -> None:
    index = held()
    index.add([Held("sf", "contract", "800-again", number="00000001")])
    proposal = found(seen("st", "subscription", *({"metadata": {"c": f"{n:08d}"}} for n in INVOICES)), index)[0]
    assert (proposal.hits, proposal.ambiguous) == (29, 1)


def test_two_invoices_with_one_billing_id_are_ambiguous_and_two_customers_of_one_account_are_not() -> None:
    twice = seen("ns", "invoice", *({"externalid": f"in_{n}A"} for n in [*INVOICES, 3]))
    assert (found(twice)[0].hits, found(twice)[0].ambiguous) == (31, 2)
    assert not found(twice)[0].good()
    shared = found(seen("st", "customer", *({"metadata": {"sf": FULL}} for _ in range(2))))[0]
    assert (shared.hits, shared.ambiguous, shared.good()) == (2, 0, True)


def test_two_fields_that_name_different_objects_are_both_ambiguous() -> None:
    rivals = found(seen("st", "customer", *({"metadata": {"own": crm_id(n), "parent": FULL}} for n in range(3))))
    assert [(each.value, each.ambiguous, each.good()) for each in rivals] == [("own", 3, False), ("parent", 3, False)]
    agreed = found(seen("st", "customer", *({"metadata": {"a": crm_id(n), "b": crm_id(n)}} for n in range(3))))
    assert [(each.value, each.good()) for each in agreed] == [("a", True), ("b", True)]


def test_nineteen_in_twenty_will_do_and_less_will_not() -> None:
    def invoices(wrong: int) -> list[Seen]:
        return seen("ns", "invoice", *({"externalid": f"in_{n}A" if n >= wrong else f"x-{n}"} for n in range(40)))

    assert found(invoices(2))[0].good()
    assert (found(invoices(3))[0].share, found(invoices(3))[0].good()) == (92, False)


# --- parts ------------------------------------------------------------------------------------------------------------


def test_the_index_need_only_be_asked_for_what_may_be_an_id() -> None:
    objects = seen("ns", "invoice", {"externalid": "ST|in_1A", "memo": "for x"})
    asked = sought(objects, MAPPED["netsuite"])
    assert "in_1A" in asked["billing", "invoice", ""]
    index = Index()
    index.add([Held("st", "invoice", "in_1A")])
    assert touched(objects, index, MAPPED["netsuite"], ROLES) == {("billing_id_field", "externalid")}
    assert "for x" not in sought(objects, MAPPED["netsuite"], {("billing_id_field", "externalid")})["billing", "invoice", ""]


@pytest.mark.parametrize(
    ("text", "form", "core"),
    [
        ("in_1", Form(), "in_1"), ("ST|in_1", Form("ST|"), "in_1"), ("Stripe: in_1", Form("Stripe: "), "in_1"),
        ("sfdc:0015f00002kLmQz", Form("sfdc:"), SHORT), ("C-00001873", Form("C-"), "00001873"), ("C2210", Form("C"), "2210"),
        ("(in_1)", Form("(", ")"), "in_1"), ("in_1/live", Form("", "/live"), "in_1"),
    ],
)  # fmt: skip
def test_a_form_is_found_in_a_value_and_takes_the_id_out_of_it(text: str, form: Form, core: str) -> None:
    assert (form, core) in list(cores(text))
    assert form.core(text) == core
    assert Form("XX|").core(text) == ""


def test_the_fields_are_those_of_the_vendors_own_record() -> None:
    assert record_of("netsuite", {"transaction": {"id": "1"}, "applications": []}) == {"id": "1"}
    assert record_of("stripe", {"object": "event", "data": {"object": {"id": "in_1"}}}) == {"id": "in_1"}
    assert record_of("salesforce", {"Id": "1"}) == {"Id": "1"}
    record = {"a": " x ", "b": {"c": 5, "d": {"e": "y"}}, "f": [{"g": "z"}], "h": True, "i": None, "j": "", "k": "x" * 201}
    assert list(texts(record)) == [("a", "x"), ("b.c", "5"), ("b.d.e", "y")]


def test_an_object_of_a_connection_that_was_not_asked_for_is_not_found() -> None:
    assert held().find("in_1A", "invoice", "", frozenset({"st"})) == {Held("st", "invoice", "in_1A", number="FB-1")}
    assert held().find("in_1A", "invoice", "", frozenset({"st2"})) == frozenset()
