"""Whose is this record? Attaches records to accounts, in whatever order records, customers and accounts arrive."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import connection

from revops.accounts.link import CustomerStatement, accounts_for, linked, note_legal_entity
from revops.ledger.models import SourceRecord, SourceSystem, SystemRole
from revops.people.actors import System

ACTOR = System("apply")
PARENTS = ("invoice", "subscription")
"""Roles through which a record that names no customer itself (a payment of an invoice) inherits one."""


def name_customers(system: str, moved: Sequence[SourceRecord]) -> None:
    """Set the customer and the account of records about to be stored, as far as what we know already tells them.

    A payment names its invoice, not its customer: it takes the customer of its parent, in this batch or stored before.
    """
    known = {(row.object_type, row.external_id): row.customer_ref for row in moved if row.object_type in PARENTS}
    orphans = [row for row in moved if not row.customer_ref and any(row.refs.get(role) for role in PARENTS)]
    if orphans:
        wanted = {str(row.refs[role]) for row in orphans for role in PARENTS if row.refs.get(role)}
        known = _customers_of(system, wanted) | {key: customer for key, customer in known.items() if customer}
    for row in sorted(orphans, key=lambda row: row.object_type not in PARENTS):  # parents first: they may have parents too
        found = (known.get((role, str(row.refs.get(role, "")))) for role in PARENTS)
        row.customer_ref = next(filter(None, found), "")
        known[row.object_type, row.external_id] = row.customer_ref
    others = [row for row in moved if row.object_type != "customer" and row.customer_ref]
    accounts = linked((system, row.customer_ref) for row in others)
    for row in others:
        row.account_id = accounts.get((system, row.customer_ref))


def attach_accounts(system: str, moved: Sequence[SourceRecord]) -> set[int]:
    """Make and follow the links that the moved records bring, and let the records that had been waiting for them follow.
    Returns the accounts touched.

    Only references decide. Runs inside the caller's transaction, after the moved records are stored.
    """
    _note_legal_entities(moved)
    customers = [row for row in moved if row.object_type == "customer"]
    touched = _link_customers(system, customers) if customers else set()
    for role in PARENTS:
        parents = [row.pk for row in moved if row.object_type == role and row.customer_ref]
        if parents:
            _adopt_waiting(role, parents)
    return touched


def _adopt_waiting(role: str, parents: Sequence[int]) -> None:
    """What came before its parent and names no customer itself now takes the parent's."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ledger_sourcerecord r SET customer_ref = p.customer_ref, account_id = p.account_id "
            "FROM ledger_sourcerecord p WHERE p.id = ANY(%s) AND r.system_id = p.system_id "
            "AND r.customer_ref = '' AND r.account_id IS NULL AND r.refs->>%s = p.external_id",
            [list(parents), role],
        )


def _follow_links(customers: Iterable[tuple[str, str]]) -> set[int]:
    """Every record of these customers belongs to the account that the customer is linked to. Returns accounts that gained
    or lost some."""
    pairs = sorted(set(customers))
    if not pairs:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ledger_sourcerecord r SET account_id = m.new FROM ("
            "SELECT o.id, o.account_id AS old, l.account_id AS new "
            "FROM accounts_accountlink l JOIN unnest(%s::text[], %s::text[]) AS v(system, customer_id) "
            "ON l.system = v.system AND l.customer_id = v.customer_id "
            "JOIN ledger_sourcerecord o ON o.system_id = l.system AND o.customer_ref = l.customer_id "
            "WHERE l.basis <> 'refused' AND o.account_id IS DISTINCT FROM l.account_id ORDER BY o.id FOR UPDATE OF o) m "
            "WHERE r.id = m.id RETURNING m.old, m.new",
            [[pair[0] for pair in pairs], [pair[1] for pair in pairs]],
        )
        return {account for row in cursor.fetchall() for account in row if account is not None}


def _link_customers(system: str, customers: Sequence[SourceRecord]) -> set[int]:
    source = SourceSystem.objects.get(pk=system)
    found = accounts_for([_statement(row, source) for row in customers], acting_user=ACTOR)
    if source.role == SystemRole.CRM:
        crm_ids = [row.external_id for row in customers]
        waiting = list(
            SourceRecord.objects.filter(object_type="customer", account__isnull=True, refs__crm_account__in=crm_ids)
            .exclude(system=system)
            .select_related("system")
            .order_by("pk")
        )
        found |= accounts_for([_statement(row, row.system) for row in waiting], acting_user=ACTOR)
    touched = _follow_links(found)
    for row in customers:
        row.account_id = found.get((system, row.external_id), row.account_id)
    return touched


def _statement(row: SourceRecord, source: SourceSystem) -> CustomerStatement:
    is_master = source.role == SystemRole.CRM
    return CustomerStatement(
        system=row.system_id,
        customer_id=row.external_id,
        name=str(row.fields.get("name") or ""),
        crm_account=row.external_id if is_master else str(row.refs.get("crm_account", "")),
        currency=str(row.fields.get("currency") or ""),
        legal_entity_code=str(row.fields.get("legal_entity") or ""),
        is_master=is_master,
    )


def _customers_of(system: str, parent_ids: Iterable[str]) -> dict[tuple[str, str], str]:
    rows = SourceRecord.objects.filter(system=system, object_type__in=PARENTS, external_id__in=set(parent_ids)).exclude(
        customer_ref=""
    )
    return {(row.object_type, row.external_id): row.customer_ref for row in rows}


def _note_legal_entities(moved: Sequence[SourceRecord]) -> None:
    for row in moved:
        if row.object_type != "legal_entity" or not row.fields.get("code"):
            continue
        code = str(row.fields["code"])
        crm_ids = SourceRecord.objects.filter(
            object_type="customer", system__role=SystemRole.CRM, fields__legal_entity=code
        ).values_list("external_id", flat=True)
        note_legal_entity(
            code,
            name=str(row.fields.get("name") or ""),
            base_currency=str(row.fields.get("currency") or ""),
            crm_accounts=list(crm_ids),
            acting_user=ACTOR,
        )
