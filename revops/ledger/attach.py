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


def attach_accounts(system: str, moved: Sequence[SourceRecord]) -> set[int]:
    """Set `account` on the moved records and on all records that had been waiting for them. Returns the accounts touched.

    Only references decide. Runs inside the caller's transaction.
    """
    _note_legal_entities(moved)
    _inherit_customers(system, moved)
    customers = [row for row in moved if row.object_type == "customer"]
    touched = _link_customers(system, customers) if customers else set()
    others = [row for row in moved if row.object_type != "customer" and row.customer_ref]
    accounts = linked((system, row.customer_ref) for row in others)
    changed = [row for row in others if row.account_id != accounts.get((system, row.customer_ref))]
    touched |= {row.account_id for row in changed if row.account_id is not None}  # those that they leave
    for row in changed:
        row.account_id = accounts.get((system, row.customer_ref))
    _store_accounts(changed)
    return touched


def _store_accounts(rows: Sequence[SourceRecord]) -> None:
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ledger_sourcerecord r SET account_id = v.account_id "
            "FROM unnest(%s::bigint[], %s::bigint[]) AS v(id, account_id) WHERE r.id = v.id",
            [[row.pk for row in rows], [row.account_id for row in rows]],
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


def _inherit_customers(system: str, moved: Sequence[SourceRecord]) -> None:
    """A payment names its invoice, not its customer: take the customer of the parent, whichever of the two comes first."""
    orphans = [row for row in moved if not row.customer_ref and any(row.refs.get(role) for role in PARENTS)]
    parents = _customers_of(system, {str(row.refs[role]) for row in orphans for role in PARENTS if row.refs.get(role)})
    for row in orphans:
        for role in PARENTS:
            parent = parents.get((role, str(row.refs.get(role, ""))))
            if parent:
                row.customer_ref = parent
                SourceRecord.objects.filter(pk=row.pk).update(customer_ref=parent)
                break
    for role in PARENTS:
        named = {row.external_id: row.customer_ref for row in moved if row.object_type == role and row.customer_ref}
        if not named:
            continue
        accounts = linked((system, customer) for customer in named.values())
        waiting = SourceRecord.objects.filter(
            system=system, customer_ref="", account__isnull=True, **{f"refs__{role}__in": list(named)}
        )
        for row in waiting:
            customer = named[str(row.refs[role])]
            SourceRecord.objects.filter(pk=row.pk).update(customer_ref=customer, account=accounts.get((system, customer)))


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
