"""The one write path of accounts and links.

A CRM's customer makes its account. A customer that refers to another customer follows it: it is linked to whatever that one is
linked to, in whatever order they come. A customer that refers to nobody follows those that name it, as long as all of them that
are linked are linked to one account; else it follows the customer of its own system that it is a part of. All others stay
unlinked, as a queue item for a person. Nothing is linked by resemblance, and no reference moves what a person has said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import QuerySet

from revops.accounts.models import Account, AccountLink
from revops.audit.log import record as audit
from revops.audit.models import ActionRecord
from revops.errors import Conflict, Rejected
from revops.history import write_history
from revops.people.actors import System
from revops.people.models import LegalEntity, User
from revops.reference import Ref
from revops.sentences import Word, template

REFERS_TO_NONE = template("account.refers_to_none", "{system} {customer} refers to no known customer any more")
NAMED_BY_NONE = template("account.named_by_none", "{system} {customer} is named by no account alone any more")
NAMED_BY_SEVERAL = template(
    "account.named_by_several", "{system} {customer} is named by customers of several accounts and linked to none of them"
)
NAMED_ELSEWHERE = template("account.named_elsewhere", "{system} {customer} is now named by another account")
REFERS_ELSEWHERE = template("account.refers_elsewhere", "{system} {customer} now refers to another account")
MADE = template("account.made", "Account {account} from {system}")
REFRESHED = template("account.refreshed", "{system} changed {fields}")
BOOKS_KEPT = template("account.books_kept", "{entity} keeps its books")
MERGED = template("account.merged", "{loser} was merged into {survivor} in the CRM")
LINKED = template("account.linked", "{system} {customer} is {account}")
UNLINKED = template("account.unlinked", "{system} {customer} is not {account}")

CustomerKey = tuple[str, str]
"""(system, customer id there)."""
Basis = AccountLink.Basis
SUBJECT_LENGTH_MAX = 120
"""The longest subject of an audit entry."""


@dataclass(frozen=True, slots=True)
class CustomerFacts:
    """What a system says of one of its customers. `same_as` are the customers of other systems that it refers to; `makes_account`
    is true for a customer of a CRM, which has an account of its own unless it refers to another customer. `merged_into` is the
    customer of the same system that took its place when it was merged away. `named_by` are the customers of other systems that
    say it is theirs; they count where it refers to nobody itself and makes no account. `parent` is the customer of the same
    system that it is a part of, which counts where none of these does."""

    system: str
    customer_id: str
    name: str = ""
    currency: str = ""
    legal_entity_code: str = ""
    same_as: tuple[CustomerKey, ...] = ()
    makes_account: bool = False
    deleted: bool = False
    merged_into: CustomerKey | None = None
    named_by: tuple[CustomerKey, ...] = ()
    parent: CustomerKey | None = None

    @property
    def key(self) -> CustomerKey:
        return (self.system, self.customer_id)

    @property
    def ref(self) -> Ref:
        """The customer as a sentence names it."""
        return Ref(self.system, "customer", self.customer_id)


def accounts_for(customers: Iterable[CustomerFacts], *, acting_user: User | System) -> dict[CustomerKey, int | None]:
    """Make accounts and links for what the systems say; returns for each customer its account id, None when it is linked to none.

    Runs inside the caller's transaction. A customer that refers to several customers follows the first that is linked. A deleted
    customer keeps the link it has.
    """
    stated = {customer.key: customer for customer in customers}
    if not stated:
        return {}
    targets = {target for customer in stated.values() for target in customer.same_as}
    targets |= {namer for customer in stated.values() for namer in customer.named_by}
    targets |= {customer.parent for customer in stated.values() if customer.parent is not None}
    survivors = {customer.merged_into for customer in stated.values() if customer.merged_into is not None}
    links = _links(stated.keys() | targets | survivors)
    makers = any(customer.makes_account for customer in stated.values())
    entities = dict(LegalEntity.objects.values_list("code", "id")) if makers else {}
    new: list[AccountLink] = []
    # Those that make accounts come first, then those that were merged into one, then those that refer to one, then those that
    # others name, then the parts of others.
    for key, customer in sorted(stated.items(), key=_turn):
        link = links.get(key)
        if customer.merged_into is not None and (link is None or link.basis in (Basis.MADE, Basis.REFERENCE)):
            survivor = links.get(customer.merged_into)
            if survivor is None or not _holds(survivor):
                # The survivor takes the links once it has come; until then the loser has an account, as if it had come alive.
                if link is None and customer.makes_account:
                    _own_account(links, customer, entities.get(customer.legal_entity_code), acting_user=acting_user)
                continue
            if link is None:
                links[key] = AccountLink(account_id=survivor.account_id, system=key[0], customer_id=key[1], basis=Basis.REFERENCE)
                new.append(links[key])
            else:
                _merge(link, links, customer, survivor.account, acting_user=acting_user)
            continue
        if link is not None and (link.basis not in (Basis.MADE, Basis.REFERENCE) or customer.deleted):
            continue
        refers_to = customer.same_as or (() if customer.makes_account or customer.named_by else _only(customer.parent))
        if refers_to:
            found = next((links[target] for target in refers_to if target in links and _holds(links[target])), None)
            if link is None and found is not None:
                links[key] = AccountLink(account_id=found.account_id, system=key[0], customer_id=key[1], basis=Basis.REFERENCE)
                new.append(links[key])
            elif link is not None:
                _follow(link, links, customer, found.account_id if found is not None else None, acting_user=acting_user)
        elif customer.makes_account:
            _own_account(links, customer, entities.get(customer.legal_entity_code), acting_user=acting_user)
        elif customer.named_by:
            accounts = sorted({links[key].account_id for key in customer.named_by if key in links and _holds(links[key])})
            if len(accounts) > 1:
                _say_contested(customer, accounts, acting_user=acting_user)
            if link is None and len(accounts) == 1:
                links[key] = AccountLink(account_id=accounts[0], system=key[0], customer_id=key[1], basis=Basis.REFERENCE)
                new.append(links[key])
            elif link is not None:
                _follow(link, links, customer, accounts[0] if len(accounts) == 1 else None, acting_user=acting_user)
        elif link is not None:
            _follow(link, links, customer, None, acting_user=acting_user)
    if new:
        AccountLink.objects.bulk_create(new)
        write_history(AccountLink, [link.pk for link in new], kind="+")
    return {key: links[key].account_id if key in links and _holds(links[key]) else None for key in stated}


def _only(customer: CustomerKey | None) -> tuple[CustomerKey, ...]:
    return () if customer is None else (customer,)


def _turn(item: tuple[CustomerKey, CustomerFacts]) -> tuple[bool, bool, bool, bool, CustomerKey]:
    key, customer = item
    return bool(customer.parent), bool(customer.named_by), bool(customer.same_as), bool(customer.merged_into), key


def _links(keys: Iterable[CustomerKey]) -> dict[CustomerKey, AccountLink]:
    wanted = set(keys)
    rows = AccountLink.objects.select_related("account").filter(
        system__in={key[0] for key in wanted}, customer_id__in={key[1] for key in wanted}
    )
    return {key: row for row in rows if (key := (row.system, row.customer_id)) in wanted}


def _holds(link: AccountLink) -> bool:
    return link.basis != Basis.REFUSED


def _follow(
    link: AccountLink,
    links: dict[CustomerKey, AccountLink],
    customer: CustomerFacts,
    account_id: int | None,
    *,
    acting_user: User | System,
) -> None:
    """A link that we have follows the customer to the account that it refers to, or goes while that is unknown."""
    before = link.account_id
    if account_id is None:
        audit(
            "account.unlink",
            link,
            acting_user=acting_user,
            account_id=before,
            summary=(NAMED_BY_NONE if customer.named_by else REFERS_TO_NONE)(system=customer.system, customer=customer.ref),
            before={"account": before, "basis": link.basis},
        )
        link.delete()
        del links[customer.key]
        return
    if (before, link.basis) == (account_id, Basis.REFERENCE):
        return
    link.account_id, link.basis = account_id, Basis.REFERENCE
    link.save()
    if before != account_id:
        audit(
            "account.relink",
            link,
            acting_user=acting_user,
            account_id=account_id,
            summary=(NAMED_ELSEWHERE if customer.named_by else REFERS_ELSEWHERE)(system=customer.system, customer=customer.ref),
            before={"account": before},
            after={"account": account_id},
        )


def _say_contested(customer: CustomerFacts, accounts: Sequence[int], *, acting_user: User | System) -> None:
    """Each account's log says, once as long as nothing changes, that the customer which it names is named by others too."""
    subject = f"customer:{customer.system} {customer.customer_id}"[:SUBJECT_LENGTH_MAX]
    after = {"accounts": list(accounts)}
    last = ActionRecord.objects.filter(verb="account.contest", subject=subject).order_by("-id").first()
    if last is not None and last.after == after:
        return
    for account_id in accounts:
        audit(
            "account.contest",
            subject,
            acting_user=acting_user,
            account_id=account_id,
            summary=NAMED_BY_SEVERAL(system=customer.system, customer=customer.ref),
            after=after,
        )


def _merge(
    link: AccountLink,
    links: dict[CustomerKey, AccountLink],
    customer: CustomerFacts,
    survivor: Account,
    *,
    acting_user: User | System,
) -> None:
    """The CRM merged this customer into another one: it follows there with every link of the account that it had made, and that
    account points to the survivor. What refers to the customer follows by itself (see `ledger.attach`)."""
    loser = link.account
    _follow(link, links, customer, survivor.pk, acting_user=acting_user)
    if loser.pk == survivor.pk or AccountLink.objects.filter(account=loser, basis=Basis.MADE).exists():
        return
    for other in AccountLink.objects.filter(account=loser, basis=Basis.CONFIRMED).order_by("pk"):
        other.account = survivor
        other.save()
    loser.merged_into = survivor
    loser.save()
    audit(
        "account.merge",
        loser,
        acting_user=acting_user,
        account_id=loser.pk,
        summary=MERGED(loser=loser.name, survivor=survivor.name),
        before={"merged_into": None},
        after={"merged_into": survivor.pk},
    )


def _own_account(
    links: dict[CustomerKey, AccountLink], customer: CustomerFacts, entity_id: int | None, *, acting_user: User | System
) -> None:
    """A CRM's customer that refers to no other: make its account, or refresh the one that it made."""
    link = links.get(customer.key)
    if link is not None and link.basis == Basis.MADE:
        _refresh(link.account, customer, entity_id, acting_user=acting_user)
        return
    account = Account.objects.create(
        name=customer.name or customer.customer_id, legal_entity_id=entity_id, currency=customer.currency
    )
    audit(
        "account.create",
        account,
        acting_user=acting_user,
        account_id=account.pk,
        summary=MADE(account=account.name, system=customer.system),
    )
    if link is None:
        link = AccountLink(system=customer.system, customer_id=customer.customer_id)
    link.account, link.basis = account, Basis.MADE
    link.save()
    links[customer.key] = link


def _refresh(account: Account, customer: CustomerFacts, entity_id: int | None, *, acting_user: User | System) -> None:
    new: Mapping[str, object] = {
        "name": customer.name or account.name,
        "currency": customer.currency or account.currency,
        "legal_entity_id": entity_id or account.legal_entity_id,
    }
    before = {name: getattr(account, name) for name, value in new.items() if getattr(account, name) != value}
    if not before:
        return
    for name in before:
        setattr(account, name, new[name])
    account.save()
    audit(
        "account.refresh",
        account,
        acting_user=acting_user,
        account_id=account.pk,
        summary=REFRESHED(system=customer.system, fields=tuple(Word(name) for name in sorted(before))),
        before=before,
        after={name: new[name] for name in before},
    )


def note_legal_entity(
    code: str,
    *,
    name: str,
    base_currency: str,
    books_system: str,
    waiting: Sequence[CustomerKey],
    acting_user: User | System,
) -> LegalEntity:
    """Make or refresh a legal entity (`base_currency` is ISO 4217), and give it the accounts that had waited for it.

    `waiting` are the customers that name it: the accounts they made get it where they have none. Runs inside the caller's
    transaction.
    """
    entity, _ = LegalEntity.objects.update_or_create(
        code=code, defaults={"name": name, "base_currency": base_currency, "books_system": books_system}
    )
    made = [link.account_id for link in _links(waiting).values() if link.basis == Basis.MADE] if waiting else []
    for account in Account.objects.filter(legal_entity__isnull=True, pk__in=made).order_by("pk"):
        account.legal_entity = entity
        account.save()
        audit(
            "account.refresh",
            account,
            acting_user=acting_user,
            account_id=account.pk,
            summary=BOOKS_KEPT(entity=str(entity)),
            before={"legal_entity_id": None},
            after={"legal_entity_id": entity.pk},
        )
    return entity


_LINKED = """
    SELECT l.system, l.customer_id, l.account_id
      FROM unnest(%s::text[], %s::text[]) AS v(system, customer_id)
      JOIN accounts_accountlink l ON l.system = v.system AND l.customer_id = v.customer_id AND l.basis <> 'refused'
"""


def linked(customers: Iterable[CustomerKey]) -> dict[CustomerKey, int]:
    """(system, customer id) -> account id for those that are linked."""
    wanted = sorted(set(customers))
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_LINKED, [[key[0] for key in wanted], [key[1] for key in wanted]])
        return {(system, customer): account for system, customer, account in cursor.fetchall()}


def customers_linked_to(accounts: Iterable[int]) -> set[CustomerKey]:
    """The customers that are linked to one of these accounts."""
    ids = set(accounts)
    rows = AccountLink.objects.filter(account__in=ids).exclude(basis=Basis.REFUSED) if ids else AccountLink.objects.none()
    return set(rows.values_list("system", "customer_id"))


def accounts_of_customer(customer_id: str) -> QuerySet[AccountLink, int]:
    """The ids of the accounts that a customer with this id is linked to, in whatever system; for searches."""
    held = AccountLink.objects.filter(customer_id=customer_id).exclude(basis=Basis.REFUSED)
    return held.values_list("account_id", flat=True)


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
        summary=LINKED(system=system, customer=Ref(system, "customer", customer_id), account=account.name),
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
        summary=UNLINKED(system=system, customer=Ref(system, "customer", customer_id), account=link.account.name),
        before={"account": link.account_id, "basis": link.basis},
    )
    link.basis = AccountLink.Basis.REFUSED
    link.confirmed_by = acting_user
    link.reason = reason.strip()
    link.save()
