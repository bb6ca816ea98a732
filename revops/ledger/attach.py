"""Whose is this record? Attaches records to accounts, in whatever order records, customers and accounts arrive.

Only references decide, and what a person has said about a customer. A record names its customer itself or inherits it from a
parent (a payment from its invoice), as its type declares; a customer is tied to an account by `accounts.link`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from django.db import connection

from revops.accounts.link import (
    CustomerFacts,
    CustomerKey,
    accounts_for,
    customers_linked_to,
    linked,
    note_legal_entity,
)
from revops.ledger.batch import BatchRecord
from revops.ledger.models import SourceRecord, SourceSystem, SystemRole
from revops.ledger.object_type import KNOWN_AS
from revops.ledger.turns import CHAIN_MAX, customers_of
from revops.ledger.types import TYPES
from revops.people.actors import System
from revops.reference import Ref

ACTOR = System("apply")

# --- records follow their customer -----------------------------------------------------------------------------------------


def name_customers(system: str, moved: Sequence[BatchRecord]) -> None:
    """Set the customer and the account of records about to be stored, as far as what we know already tells them.

    A payment names its invoice, not its customer: it takes the customer of its parent, in this batch or stored before.
    """
    orphans = [(row, parents) for row in moved if not row.customer_ref and (parents := _parents(row))]
    known: dict[Ref, str] = {}
    if orphans:
        parent_types = TYPES.parent_types()
        known = customers_of(system, {parent for _, parents in orphans for parent in parents})
        known |= {_ref(row): row.customer_ref for row in moved if row.object_type in parent_types and row.customer_ref}
    while named := [(row, parents) for row, parents in orphans if any(parent in known for parent in parents)]:
        for row, parents in named:  # each may be the parent of another orphan
            row.customer_ref = next(known[parent] for parent in parents if parent in known)
            known[_ref(row)] = row.customer_ref
        orphans = [(row, parents) for row, parents in orphans if not row.customer_ref]
    others = [row for row in moved if row.object_type != "customer" and row.customer_ref and TYPES[row.object_type].of_account]
    accounts = linked((system, row.customer_ref) for row in others)
    for row in others:
        row.account_id = accounts.get((system, row.customer_ref))


def _ref(row: BatchRecord) -> Ref:
    return Ref(row.system_id, row.object_type, row.external_id)


def _parents(row: BatchRecord) -> list[Ref]:
    targets = row.targets
    return [parent for role in TYPES[row.object_type].parents for parent in targets.get(role, ())]


def attach_accounts(moved: Sequence[BatchRecord], unnamed: Collection[CustomerKey] = ()) -> set[int]:
    """Make and follow the links that the moved records bring, and let the records that had been waiting for them follow.
    `unnamed` are customers that one of them named until now. Returns the accounts touched.

    Runs inside the caller's transaction, after the moved records and their references are stored.
    """
    _note_legal_entities(moved)
    customers = [row for row in moved if row.object_type == "customer"]
    touched = _link_customers(customers, unnamed) if customers else set()
    parent_types = TYPES.parent_types()
    parents = [row.pk for row in moved if row.object_type in parent_types and row.customer_ref]
    while parents and _any_waits(moved[0].system_id):
        parents = _adopt_waiting(parents)
    return touched


_ANY_WAITS = """
    SELECT EXISTS (SELECT FROM ledger_sourcerecord r WHERE r.system_id = %s AND r.customer_ref = '' AND r.account_id IS NULL
                      AND r.object_type = ANY(%s))
"""
_ADOPT = """
    UPDATE ledger_sourcerecord r SET customer_ref = p.customer_ref, account_id = p.account_id
      FROM ledger_sourcerecord p
      JOIN ledger_link l ON l.target_system = p.system_id AND l.target_type = p.object_type AND l.target_id = p.external_id
                        AND l.by = ''
     WHERE p.id = ANY(%s) AND r.id = l.record_id AND r.system_id = p.system_id AND r.customer_ref = '' AND r.account_id IS NULL
       AND (r.object_type, l.role) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
    RETURNING r.id
"""


def _any_waits(system: str) -> bool:
    """Whether anything of this system waits for its parent; hardly ever, and asked with every batch."""
    types = [declared.code for declared in TYPES.values() if declared.parents]
    with connection.cursor() as cursor:
        cursor.execute(_ANY_WAITS, [system, types])
        found: bool = cursor.fetchone()[0]
    return found


def _adopt_waiting(parents: Sequence[int]) -> list[int]:
    """What came before its parent and names no customer itself now takes the parent's. Returns the records that did."""
    pairs = [(declared.code, role) for declared in TYPES.values() for role in declared.parents]
    with connection.cursor() as cursor:
        cursor.execute(_ADOPT, [list(parents), [pair[0] for pair in pairs], [pair[1] for pair in pairs]])
        return [row[0] for row in cursor.fetchall()]


# --- customers follow the customers that they refer to ------------------------------------------------------------------------


def _link_customers(customers: Sequence[BatchRecord], unnamed: Collection[CustomerKey]) -> set[int]:
    """Link these customers, and whoever refers to one of them or is or was named by one. Returns the accounts that gained or lost
    records."""
    roles: Mapping[str, str] = dict(SourceSystem.objects.values_list("slug", "role"))
    here = {(row.system_id, row.external_id) for row in customers}
    before = linked(here)
    found = dict(accounts_for(_all_facts(customers, roles), acting_user=ACTOR))
    changed = {key for key in here if found[key] != before.get(key)}
    merged = {found[row.system_id, row.external_id] for row in customers if row.deleted and row.targets.get("merged_into")}
    moved = customers_linked_to(account for account in merged if account is not None)
    touched = _follow_links(here | moved)
    for row in customers:
        row.account_id = found[row.system_id, row.external_id]
    named = {(target.system, target.id) for row in customers for target in row.targets.get(KNOWN_AS, ())}
    return touched | refer_again(changed | moved, roles, also=named.union(unnamed))


def refer_again(
    changed: Iterable[CustomerKey], roles: Mapping[str, str] | None = None, *, also: Collection[CustomerKey] = ()
) -> set[int]:
    """Look again at every customer that refers to one of these customers, whose account changed, or that one of them names, and
    so on from there; and at the customers `also`. Returns the accounts that gained or lost records."""
    parts = dict(SourceSystem.objects.values_list("slug", "role")) if roles is None else roles
    touched: set[int] = set()
    waiting = set(changed)
    for _ in range(CHAIN_MAX):
        rows = _following(waiting, also)
        also = ()
        if not rows:
            break
        keys = {(row.system_id, row.external_id) for row in rows}
        before = linked(keys)
        found = accounts_for(_all_facts(rows, parts), acting_user=ACTOR)
        merged = {found[row.system_id, row.external_id] for row in rows if row.deleted and row.targets.get("merged_into")}
        touched |= _follow_links(customers_linked_to(account for account in merged if account is not None))
        waiting = {key for key in keys if found[key] != before.get(key)}
        touched |= _follow_links(waiting)
    return touched


_FOLLOWING = """
    WITH v AS (SELECT * FROM unnest(%s::text[], %s::text[]) AS v(system, id))
    SELECT l.record_id FROM v JOIN ledger_link l ON l.target_system = v.system AND l.target_id = v.id
     WHERE l.target_type = 'customer' AND l.by = '' AND l.role IN ('same_as', 'parent', 'merged_into')
     UNION
    SELECT r.id FROM v
      JOIN ledger_sourcerecord n ON n.system_id = v.system AND n.object_type = 'customer' AND n.external_id = v.id
      JOIN ledger_link l ON l.record_id = n.id AND l.role = 'known_as' AND l.target_type = 'customer' AND l.by = ''
      JOIN ledger_sourcerecord r ON r.system_id = l.target_system AND r.object_type = 'customer' AND r.external_id = l.target_id
     UNION
    SELECT r.id FROM unnest(%s::text[], %s::text[]) AS a(system, id)
      JOIN ledger_sourcerecord r ON r.system_id = a.system AND r.object_type = 'customer' AND r.external_id = a.id
"""


def _following(customers: Collection[CustomerKey], also: Collection[CustomerKey]) -> list[SourceRecord]:
    """The customers that refer to one of these or are named by one, and the customers `also`, as far as they have come."""
    if not customers and not also:
        return []
    columns = [[key[place] for key in sorted(keys)] for keys in (set(customers), set(also)) for place in (0, 1)]
    with connection.cursor() as cursor:
        cursor.execute(_FOLLOWING, columns)
        ids = [row[0] for row in cursor.fetchall()]
    return list(SourceRecord.objects.filter(pk__in=ids, object_type="customer").order_by("pk"))


def _follow_links(customers: Iterable[CustomerKey]) -> set[int]:
    """Every record of these customers belongs to the account that the customer is linked to, or to none. Returns accounts that
    gained or lost some."""
    pairs = sorted(set(customers))
    if not pairs:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ledger_sourcerecord r SET account_id = m.new FROM ("
            "SELECT o.id, o.account_id AS old, l.account_id AS new FROM unnest(%s::text[], %s::text[]) AS v(system, customer_id) "
            "LEFT JOIN accounts_accountlink l "
            "ON l.system = v.system AND l.customer_id = v.customer_id AND l.basis <> 'refused' "
            "JOIN ledger_sourcerecord o ON o.system_id = v.system AND o.customer_ref = v.customer_id "
            "WHERE o.account_id IS DISTINCT FROM l.account_id ORDER BY o.id FOR UPDATE OF o) m "
            "WHERE r.id = m.id RETURNING m.old, m.new",
            [[pair[0] for pair in pairs], [pair[1] for pair in pairs]],
        )
        return {account for row in cursor.fetchall() for account in row if account is not None}


_NAMERS = """
    SELECT v.system, v.id, n.system_id, n.external_id, n.deleted FROM unnest(%s::text[], %s::text[]) AS v(system, id)
      JOIN ledger_link l ON l.target_system = v.system AND l.target_id = v.id AND l.target_type = 'customer' AND l.by = ''
                        AND l.role = 'known_as'
      JOIN ledger_sourcerecord n ON n.id = l.record_id AND n.object_type = 'customer' AND n.system_id <> v.system
     ORDER BY n.system_id, n.external_id
"""


def _namers(customers: Collection[CustomerKey]) -> dict[CustomerKey, tuple[CustomerKey, ...]]:
    """Customer -> those of other systems that name it: the live ones, or where none lives the deleted ones."""
    if not customers:
        return {}
    live: dict[CustomerKey, list[CustomerKey]] = {}
    gone: dict[CustomerKey, list[CustomerKey]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_NAMERS, [[key[0] for key in customers], [key[1] for key in customers]])
        for system, identity, namer_system, namer_id, deleted in cursor.fetchall():
            (gone if deleted else live).setdefault((system, identity), []).append((namer_system, namer_id))
    return {key: tuple(namers) for key, namers in (gone | live).items()}


def _all_facts(rows: Sequence[SourceRecord | BatchRecord], roles: Mapping[str, str]) -> list[CustomerFacts]:
    """What the systems say of these customers. Who names one counts where it refers to nobody and makes no account."""
    said = [_customer_facts(row, roles) for row in rows]
    namers = _namers([each.key for each in said if not each.same_as and not each.makes_account])
    return [replace(each, named_by=namers[each.key]) if each.key in namers else each for each in said]


def _customer_facts(row: SourceRecord | BatchRecord, roles: Mapping[str, str]) -> CustomerFacts:
    own = (row.system_id, row.external_id)
    stated = row.fields
    targets = row.targets.get("same_as", ())
    parent = next(iter(row.targets.get("parent", ())), None)
    survivor = next(iter(row.targets.get("merged_into", ())), None) if row.deleted else None
    return CustomerFacts(
        system=row.system_id,
        customer_id=row.external_id,
        name=str(stated.get("name") or ""),
        currency=str(stated.get("currency") or ""),
        legal_entity_code=str(stated.get("legal_entity") or ""),
        same_as=tuple((target.system, target.id) for target in targets if (target.system, target.id) != own),
        makes_account=roles[row.system_id] == SystemRole.CRM,
        deleted=row.deleted,
        merged_into=(survivor.system, survivor.id) if survivor is not None else None,
        parent=(parent.system, parent.id) if parent is not None and (parent.system, parent.id) != own else None,
    )


def _note_legal_entities(moved: Sequence[BatchRecord]) -> None:
    """A company is as the system says that keeps its books; where several say that they do, the first by its slug."""
    codes = {str(row.fields["code"]) for row in moved if row.object_type == "legal_entity" and row.fields.get("code")}
    for code in sorted(codes):
        stated = list(
            SourceRecord.objects.filter(object_type="legal_entity", fields__code=code, deleted=False).order_by("system_id", "id")
        )
        if not stated:
            continue
        keeper = next((row for row in stated if row.fields.get("keeps_books") is not False), None)
        said = (keeper or stated[0]).fields
        naming = SourceRecord.objects.filter(object_type="customer", fields__legal_entity=code, system__role=SystemRole.CRM)
        note_legal_entity(
            code,
            name=str(said.get("name") or ""),
            base_currency=str(said.get("currency") or ""),
            books_system=keeper.system_id if keeper is not None else "",
            waiting=list(naming.values_list("system_id", "external_id")),
            acting_user=ACTOR,
        )
