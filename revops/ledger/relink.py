"""A person links or unlinks a customer record; its records follow at once, with the customers that refer to it, and every account
that gained or lost some is looked at again."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from revops.accounts import link as links
from revops.accounts.models import Account, AccountLink
from revops.ledger.attach import refer_again
from revops.ledger.due import mark_due
from revops.ledger.models import SourceRecord
from revops.ledger.turns import take_turn_of_customer
from revops.people.models import User


@transaction.atomic
def link_customer(
    *, system: str, customer_id: str, account: Account, reason: str, acting_user: User, now: dt.datetime
) -> AccountLink:
    """Tie the customer record to the account. Raises `Rejected` or `Conflict` as `accounts.link.link_customer` does."""
    take_turn_of_customer(system, customer_id)
    link = links.link_customer(system=system, customer_id=customer_id, account=account, reason=reason, acting_user=acting_user)
    SourceRecord.objects.filter(system=system, customer_ref=customer_id).update(account=account)
    mark_due({account.pk} | refer_again([(system, customer_id)]), now=now)
    return link


@transaction.atomic
def unlink_customer(*, system: str, customer_id: str, reason: str, acting_user: User, now: dt.datetime) -> None:
    """Untie it; its records belong to nobody until a person links them. Raises `Rejected`."""
    take_turn_of_customer(system, customer_id)
    before = set(
        SourceRecord.objects.filter(system=system, customer_ref=customer_id, account__isnull=False).values_list(
            "account_id", flat=True
        )
    )
    links.unlink_customer(system=system, customer_id=customer_id, reason=reason, acting_user=acting_user)
    SourceRecord.objects.filter(system=system, customer_ref=customer_id).update(account=None)
    mark_due(before | refer_again([(system, customer_id)]), now=now)
