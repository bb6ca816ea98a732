"""The one write path of accounts and links.

A CRM customer makes (or refreshes) its account. Another system's customer is linked when it carries the CRM account's id;
otherwise it stays unlinked, as a queue item for a person. Nothing is linked by resemblance.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction

from revops.accounts.models import Account, AccountLink
from revops.audit.log import record as audit
from revops.errors import Conflict, Rejected
from revops.people.actors import System
from revops.people.models import LegalEntity, User


@dataclass(frozen=True, slots=True)
class CustomerStatement:
    """What a system says of one of its customers. `crm_account` is empty when it does not refer to the CRM.
    `is_master` is true for the CRM's own account, whose `customer_id` is the CRM account id."""

    system: str
    customer_id: str
    name: str
    crm_account: str
    currency: str
    legal_entity_code: str
    is_master: bool


def accounts_for(customers: Iterable[CustomerStatement], *, acting_user: User | System) -> dict[tuple[str, str], int]:
    """Make accounts and links for what the systems say; returns (system, customer id) -> account id for all that are linked.

    Runs inside the caller's transaction. Links confirmed by a person are never moved by a reference. Order does not matter:
    a customer that refers to an account not yet known stays unlinked until the account comes.
    """
    statements = {(c.system, c.customer_id): c for c in customers}
    if not statements:
        return {}
    _refresh_accounts([c for c in statements.values() if c.is_master], acting_user=acting_user)
    wanted = {c.crm_account for c in statements.values() if c.crm_account}
    by_crm = dict(Account.objects.filter(crm_account__in=wanted).values_list("crm_account", "id"))
    known = {
        (link.system, link.customer_id): link
        for link in AccountLink.objects.filter(customer_id__in={key[1] for key in statements})
    }
    for key, customer in sorted(statements.items()):
        account_id = by_crm.get(customer.crm_account)
        link = known.get(key)
        if account_id is None or (link is not None and link.basis != AccountLink.Basis.REFERENCE):
            continue
        if link is None:
            link = AccountLink.objects.create(
                account_id=account_id,
                system=customer.system,
                customer_id=customer.customer_id,
                basis=AccountLink.Basis.REFERENCE,
            )
            known[key] = link
        elif link.account_id != account_id:
            before = link.account_id
            link.account_id = account_id
            link.save()
            audit(
                "account.relink",
                link,
                acting_user=acting_user,
                account_id=account_id,
                summary=f"{customer.system} {customer.customer_id} now refers to another account",
                before={"account": before},
                after={"account": account_id},
            )
    return {key: link.account_id for key, link in known.items() if key in statements and link.basis != AccountLink.Basis.REFUSED}


def _refresh_accounts(masters: list[CustomerStatement], *, acting_user: User | System) -> None:
    if not masters:
        return
    entities = dict(LegalEntity.objects.values_list("code", "id"))
    existing = {a.crm_account: a for a in Account.objects.filter(crm_account__in=[m.crm_account for m in masters])}
    for master in sorted(masters, key=lambda m: m.customer_id):
        entity_id = entities.get(master.legal_entity_code)
        account = existing.get(master.crm_account)
        if account is None:
            account = Account.objects.create(
                name=master.name or master.crm_account,
                crm_account=master.crm_account,
                legal_entity_id=entity_id,
                currency=master.currency,
            )
            audit(
                "account.create",
                account,
                acting_user=acting_user,
                account_id=account.pk,
                summary=f"Account {account.name} from {master.system}",
            )
            continue
        new = {
            "name": master.name or account.name,
            "currency": master.currency or account.currency,
            "legal_entity_id": entity_id or account.legal_entity_id,
        }
        before = {name: getattr(account, name) for name, value in new.items() if getattr(account, name) != value}
        if before:
            for name in before:
                setattr(account, name, new[name])
            account.save()
            audit(
                "account.refresh",
                account,
                acting_user=acting_user,
                account_id=account.pk,
                summary=f"{master.system} changed {', '.join(sorted(before))}",
                before=before,
                after={name: new[name] for name in before},
            )


def note_legal_entity(
    code: str, *, name: str, base_currency: str, crm_accounts: list[str], acting_user: User | System
) -> LegalEntity:
    """Make or refresh a legal entity (`base_currency` is ISO 4217), and give it the accounts that had waited for it.

    `crm_accounts` are the CRM ids of the accounts that name it. Runs inside the caller's transaction.
    """
    entity, _ = LegalEntity.objects.update_or_create(code=code, defaults={"name": name, "base_currency": base_currency})
    for account in Account.objects.filter(legal_entity__isnull=True, crm_account__in=crm_accounts).order_by("pk"):
        account.legal_entity = entity
        account.save()
        audit(
            "account.refresh",
            account,
            acting_user=acting_user,
            account_id=account.pk,
            summary=f"{entity} keeps its books",
            before={"legal_entity_id": None},
            after={"legal_entity_id": entity.pk},
        )
    return entity


def linked(customers: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """(system, customer id) -> account id for those that are linked."""
    wanted = set(customers)
    rows = AccountLink.objects.filter(customer_id__in={customer for _, customer in wanted}).exclude(
        basis=AccountLink.Basis.REFUSED
    )
    found = {(row.system, row.customer_id): row.account_id for row in rows}
    return {key: account for key, account in found.items() if key in wanted}


@transaction.atomic
def link_customer(*, system: str, customer_id: str, account: Account, reason: str, acting_user: User) -> AccountLink:
    """A person says: this customer record is that account. Raises `Rejected` without a reason, `Conflict` when linked elsewhere.

    Pages and the API call `ledger.relink`, which moves the records too.
    """
    if not reason.strip():
        raise Rejected("reason_missing", "Say how you know that this is the same customer.", field="reason")
    link = AccountLink.objects.select_for_update().filter(system=system, customer_id=customer_id).first()
    if link is not None and link.account_id != account.pk and link.basis != AccountLink.Basis.REFUSED:
        raise Conflict("already_linked", f"This customer is linked to {link.account.name}. Unlink it there first.")
    link = link or AccountLink(system=system, customer_id=customer_id)
    link.account = account
    link.basis = AccountLink.Basis.CONFIRMED
    link.confirmed_by = acting_user
    link.reason = reason.strip()
    link.save()
    audit(
        "account.link",
        link,
        acting_user=acting_user,
        account_id=account.pk,
        reason=reason,
        summary=f"{system} {customer_id} is {account.name}",
        after={"account": account.pk, "basis": "confirmed"},
    )
    return link


@transaction.atomic
def unlink_customer(*, system: str, customer_id: str, reason: str, acting_user: User) -> None:
    """A person says: this is not that account. Raises `Rejected` without a reason or when there is no such link."""
    if not reason.strip():
        raise Rejected("reason_missing", "Say why this is not the same customer.", field="reason")
    link = AccountLink.objects.select_for_update().filter(system=system, customer_id=customer_id).first()
    if link is None or link.basis == AccountLink.Basis.REFUSED:
        raise Rejected("not_linked", "This customer record is not linked to any account.")
    audit(
        "account.unlink",
        link,
        acting_user=acting_user,
        account_id=link.account_id,
        reason=reason,
        summary=f"{system} {customer_id} is not {link.account.name}",
        before={"account": link.account_id, "basis": link.basis},
    )
    link.basis = AccountLink.Basis.REFUSED
    link.confirmed_by = acting_user
    link.reason = reason.strip()
    link.save()
