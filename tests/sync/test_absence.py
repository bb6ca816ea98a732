"""What may lie among the dead letters is not called missing."""

from __future__ import annotations

import pytest

from revops.cases.models import LIVE_STATUSES, ExceptionCase
from sync.models import Delivery, DeliveryState
from tests.factories import dead_letter
from tests.revops import world

pytestmark = pytest.mark.django_db


def missing() -> list[str]:
    rules = ExceptionCase.objects.filter(status__in=LIVE_STATUSES).values_list("rule", flat=True)
    return [rule for rule in rules if rule == "invoice_not_posted"]


@pytest.mark.parametrize(("body", "found"), [(b'{"externalid": "in_700", "total": "?"}', 0), (b'{"externalid": "in_701"}', 1)])
def test_an_invoice_whose_letter_could_not_be_used_is_not_missing(body: bytes, found: int) -> None:
    world.systems()
    world.customers()
    dead_letter("netsuite", "k1", body)
    world.say("stripe", world.billed(world.usd("1000.00")))
    world.detect()
    assert len(missing()) == found


def test_it_is_missing_once_the_letter_is_gone() -> None:
    world.systems()
    account = world.customers()
    letter = dead_letter("netsuite", "k1", b'{"externalid": "in_700"}')
    world.say("stripe", world.billed(world.usd("1000.00")))
    world.detect()
    assert missing() == []
    Delivery.objects.filter(pk=letter.pk).update(state=DeliveryState.IGNORED)
    world.say("stripe", world.billed(world.usd("1000.00"), memo="touched"))
    world.detect()
    assert len(missing()) == 1
    assert account.pk
