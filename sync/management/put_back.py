"""What both commands do once the database is back: stop posting, sign that the log begins anew from here, say what is next."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from revops.audit.chain import seal
from revops.audit.heads import export_head
from revops.people.actors import System
from sync.connections import mark_restored, unsettled
from sync.models import Connection


def say_put_back(say: Callable[[str], object], *, reason: str, now: dt.datetime) -> None:
    """The signature comes last: until then the log is astray, and nothing is sent by whoever runs already."""
    mark_restored(acting_user=System("restore"), reason=reason)
    seal()
    try:
        export_head(now, restored=True)
    except OSError as error:
        say(f"The head of the log was not signed ({error}): run `manage.py restored` where the sweeper runs.")
    say("Posting is off for every connection. Start the product and let it read; it comes back, connection by connection, when")
    say("its list is settled and somebody switches it on:")
    for row in Connection.objects.filter(restored_at__isnull=False).select_related("system").order_by("pk"):
        say(f"  {row.pk}: {' '.join(unsettled(row))}")
