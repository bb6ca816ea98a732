"""The Celery application: a doorbell, never a memory.

A task carries a row id or nothing. What must survive is committed in PostgreSQL before the bell rings, and the sweeper
rings it again.
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import celeryd_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "revops.settings")

app = Celery("revops")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["sync.workers"])


@celeryd_init.connect
def refuse_to_start(**_: Any) -> None:
    """A worker whose database account could take the guards off ends with a sentence."""
    from revops import checks

    checks.refuse_to_start()


@celeryd_init.connect
def give_workers_patience(conf: Any = None, **_: Any) -> None:
    """A worker waits in a one-second BRPOP, so its socket may be quiet for longer than a web request may wait to publish."""
    options = {**conf.broker_transport_options, "socket_timeout": 30}
    conf.broker_transport_options = options
