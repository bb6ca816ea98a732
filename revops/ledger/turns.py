"""Transactions that decide about the same object go one after another, all others side by side.

Two transactions do not see each other's rows, and whoever comes second decides for both: a record follows the customer that it
names, or the parent of which it inherits one; a customer follows the customers that it refers to, or that name it; an account
belongs to the legal entity that its customer names. So a transaction locks the keys of the objects that its records follow,
together with others that follow them, and the keys of its own objects that others follow, alone. The keys need not exist yet.

1. Parents first, then customers, then legal entities, and within each in the order of their keys: no two transactions wait for
   each other in a circle. All of it happens before any row is locked.
2. What follows one of our objects by way of another is looked up before the locks are taken, and once more when we have them:
   nobody can begin to follow us from then on. If more has come meanwhile, the locks are given back and taken anew.

Locks end with the transaction. Two keys with one checksum share a lock, which costs waiting and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from zlib import crc32

from django.db import connection, transaction
from django.db.models import Q

from revops.ledger.facts import Fact
from revops.ledger.models import Link, SourceRecord
from revops.ledger.object_type import KNOWN_AS
from revops.ledger.types import TYPES
from revops.reference import Ref

PARENTS, CUSTOMERS, COMPANIES = 5_001, 5_002, 5_003
"""The classes of the advisory locks, in the order in which they are taken; numbers that nothing else uses."""

CHAIN_MAX = 20
"""The longest chain of objects that follow each other which one change moves."""

Keys = Mapping[str, bool]
"""What to lock: true when alone, false when together with others that follow it."""


FOLLOWED = ("same_as", "parent", "merged_into")
"""The roles in which a customer points to one whose account it takes."""


class _MoreFollow(Exception):
    """Something began to follow our objects while we waited."""


def take_turn(system: str, facts: Sequence[Fact]) -> None:
    """Wait until nobody else decides about what these facts of `system` follow, or about what follows their objects."""
    parent_types = TYPES.parent_types()
    parents: set[Ref] = set()
    customers: set[str] = set()
    named: set[str] = set()
    known_as: set[Ref] = set()
    for fact in facts:
        if fact.object_type == "customer":
            customers.add(fact.external_id)
            known_as.update(fact.refs.get(KNOWN_AS, ()))
        elif not fact.refs.get("customer"):
            parents.update(parent for role in TYPES[fact.object_type].parents for parent in fact.refs.get(role, ()))
        for role in ("customer", *FOLLOWED):
            named.update(map(_name, fact.refs.get(role, ())))

    middle = {code for code in parent_types if TYPES[code].parents}
    handed_on = {target for code in middle for role in TYPES[code].parents for target in TYPES[code].roles[role].targets}
    if not parents and not customers and not any(fact.object_type in handed_on for fact in facts):
        own = {f"{system} {fact.object_type} {fact.external_id}": True for fact in facts if fact.object_type in parent_types}
        _lock((PARENTS, own), (CUSTOMERS, dict.fromkeys(named, False)), (COMPANIES, _companies(facts)))
        return
    followed = {Ref(system, fact.object_type, fact.external_id) for fact in facts if fact.object_type in parent_types}
    while True:
        try:
            with transaction.atomic():
                ours = followed | _waiting_under(followed, middle)
                _lock((PARENTS, dict.fromkeys(map(_name, parents), False) | dict.fromkeys(map(_name, ours), True)))
                if _waiting_under(followed, middle) - ours:
                    raise _MoreFollow
                inherited = {f"{system} customer {customer}" for customer in customers_of(system, parents).values()}
                _take_customers(system, customers, named | inherited, known_as)
                _lock((COMPANIES, _companies(facts)))
                return
        except _MoreFollow:
            continue


def take_turn_of_customer(system: str, customer_id: str) -> None:
    """Wait until nobody else decides about this customer, or about what follows it."""
    while True:
        try:
            with transaction.atomic():
                _take_customers(system, {customer_id}, set(), set())
                return
        except _MoreFollow:
            continue


def _take_customers(system: str, changed: set[str], named: set[str], known_as: set[Ref]) -> None:
    """`changed` are customers of `system`, `known_as` those of other systems that they name from now on: they follow too."""
    own = {Ref(system, "customer", customer) for customer in changed} | known_as
    ours = own | _referring_to(own)
    _lock((CUSTOMERS, dict.fromkeys(named, False) | dict.fromkeys(map(_name, ours), True)))
    if _referring_to(own) - ours:
        raise _MoreFollow


def _companies(facts: Sequence[Fact]) -> Keys:
    named = {fact.fields.get("legal_entity") for fact in facts if fact.object_type == "customer"}
    stated = {fact.fields.get("code") for fact in facts if fact.object_type == "legal_entity"}
    return {str(code): code in stated for code in named | stated if code}


def _name(ref: Ref) -> str:
    return f"{ref.system} {ref.object_type} {ref.id}"


def _lock(*levels: tuple[int, Keys]) -> None:
    """Take these locks, level by level, within each in the order of the checksums."""
    classes: list[int] = []
    numbers: list[int] = []
    alone: list[int] = []
    for level, keys in levels:
        checksums: dict[int, bool] = {}
        for name, exclusive in keys.items():
            number = crc32(name.encode()) - 2**31
            checksums[number] = checksums.get(number, False) or exclusive
        classes += [level] * len(checksums)
        numbers += sorted(checksums)
        alone += [int(checksums[number]) for number in sorted(checksums)]
    if not numbers:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(CASE k.alone WHEN 1 THEN pg_advisory_xact_lock(k.class, k.number)::text "
            "ELSE pg_advisory_xact_lock_shared(k.class, k.number)::text END) "
            "FROM unnest(%s::int[], %s::int[], %s::int[]) AS k(class, number, alone)",
            [_array(classes), _array(numbers), _array(alone)],
        )


def _array(numbers: Sequence[int]) -> str:
    """PostgreSQL's text of an array of whole numbers."""
    return "{" + ",".join(map(str, numbers)) + "}"


# --- what follows what ------------------------------------------------------------------------------------------------


def customers_of(system: str, parents: Iterable[Ref]) -> dict[Ref, str]:
    """The customer of each of these objects of `system` that has one; of what is not stored, or in another system, none."""
    wanted = {parent for parent in parents if parent.system == system}
    if not wanted:
        return {}
    rows = (
        SourceRecord.objects.filter(system=system)
        .filter(object_type__in={parent.object_type for parent in wanted}, external_id__in={parent.id for parent in wanted})
        .exclude(customer_ref="")
        .values_list("object_type", "external_id", "customer_ref")
    )
    found = {Ref(system, object_type, external_id): customer for object_type, external_id, customer in rows}
    return {ref: customer for ref, customer in found.items() if ref in wanted}


def _waiting_under(parents: set[Ref], middle: set[str]) -> set[Ref]:
    """The records without a customer that would take theirs from these and hand it on, and so on from there."""
    return _chain({parent for parent in parents if any(_takes_from(code, parent.object_type) for code in middle)}, middle)


def _takes_from(code: str, parent_type: str) -> bool:
    return any(parent_type in TYPES[code].roles[role].targets for role in TYPES[code].parents)


def _referring_to(customers: set[Ref]) -> set[Ref]:
    """The customers that refer to these or are named by them, and so on from there."""
    return _chain(customers, {"customer"}, _named_by)


def _named_by(customers: set[Ref]) -> set[Ref]:
    """The customers of other systems that these name as theirs."""
    links = Link.objects.filter(
        role=KNOWN_AS, by="", record__object_type="customer",
        record__system__in={ref.system for ref in customers}, record__external_id__in={ref.id for ref in customers},
    )  # fmt: skip
    rows = links.values_list("record__system", "record__external_id", "target_system", "target_id")
    return {Ref(to, "customer", identity) for system, id, to, identity in rows if Ref(system, "customer", id) in customers}


def _chain(above: set[Ref], types: set[str], also: Callable[[set[Ref]], set[Ref]] = lambda _above: set()) -> set[Ref]:
    """The records of these types that point to the objects `above`, and those that `also` says follow them, and so on from there;
    of records that inherit a customer only those that wait for one."""
    found: set[Ref] = set()
    for _ in range(CHAIN_MAX):
        if not above:
            break
        links = Link.objects.filter(
            by="", target_system__in={ref.system for ref in above}, target_id__in={ref.id for ref in above},
            record__object_type__in=types,
        ).filter(Q(role__in=FOLLOWED) | Q(record__customer_ref=""))  # fmt: skip
        rows = links.select_related("record").only(
            "target_system", "target_type", "target_id", "record__system", "record__object_type", "record__external_id"
        )
        pointing = {
            Ref(link.record.system_id, link.record.object_type, link.record.external_id)
            for link in rows
            if Ref(link.target_system, link.target_type, link.target_id) in above
        }
        above = (pointing | also(above)) - found
        found |= above
    return found
