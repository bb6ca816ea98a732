"""Settings that the rest of the product rests on."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from revops.celery import app

ROOT = Path(__file__).resolve().parent.parent.parent


def test_celery_is_only_a_doorbell() -> None:
    conf = app.conf
    assert conf.task_ignore_result
    assert not conf.result_backend
    assert conf.task_acks_late
    assert not conf.task_reject_on_worker_lost
    assert conf.accept_content == ["json"]
    assert conf.worker_prefetch_multiplier == 1
    assert conf.task_soft_time_limit < conf.task_time_limit < 600
    assert conf.broker_transport_options["visibility_timeout"] == conf.visibility_timeout == 600
    assert conf.result_backend_transport_options["visibility_timeout"] == 600
    assert conf.broker_transport_options["socket_timeout"] <= 2
    assert conf.task_publish_retry_policy["max_retries"] == 1
    assert not conf.task_create_missing_queues
    assert conf.worker_cancel_long_running_tasks_on_connection_loss


def test_every_task_of_ours_has_a_queue_that_a_worker_serves() -> None:
    app.loader.import_default_modules()
    ours = {name for name in app.tasks if name.startswith(("sync.", "revops."))}
    assert ours
    served = {queue.name for queue in settings.CELERY_TASK_QUEUES}
    for name in ours:
        assert settings.CELERY_TASK_ROUTES[name]["queue"] in served, name
    assert set(settings.CELERY_TASK_ROUTES) == ours


@pytest.mark.parametrize("missing", ["DJANGO_SECRET_KEY", "REVOPS_ENCRYPTION_KEY", "DATABASE_URL", "REDIS_URL"])
@pytest.mark.outside
def test_a_start_without_a_secret_or_a_server_is_refused_with_its_name(missing: str, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != missing}
    environment["REVOPS_DATA_DIR"] = str(tmp_path)  # no running installation to learn it from
    command = [sys.executable, "manage.py", "check"]
    refused = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert missing in refused.stderr


WEAK = {
    "an empty secret key": ("DJANGO_SECRET_KEY", ""),
    "a secret key of one letter": ("DJANGO_SECRET_KEY", "x"),
    "a secret key that repeats itself": ("DJANGO_SECRET_KEY", "secret" * 12),
    "an encryption key of zeros": ("REVOPS_ENCRYPTION_KEY", base64.b64encode(bytes(32)).decode()),
    "an encryption key of one byte": ("REVOPS_ENCRYPTION_KEY", base64.b64encode(b"k" * 32).decode()),
    "an older encryption key of zeros": (
        "REVOPS_ENCRYPTION_KEY", f"{base64.b64encode(bytes(range(32))).decode()},{base64.b64encode(bytes(32)).decode()}"
    ),
    "an encryption key that is too short": ("REVOPS_ENCRYPTION_KEY", base64.b64encode(bytes(range(16))).decode()),
    "an empty encryption key": ("REVOPS_ENCRYPTION_KEY", ""),
    "an encryption key that is no base64": ("REVOPS_ENCRYPTION_KEY", "not base64!"),
    "a signing key of zeros": ("REVOPS_AUDIT_SIGNING_KEY", base64.b64encode(bytes(32)).decode()),
}  # fmt: skip


@pytest.mark.parametrize("what", WEAK)
@pytest.mark.outside
def test_a_start_with_a_weak_key_is_refused_in_a_sentence(what: str) -> None:
    name, value = WEAK[what]
    command = [sys.executable, "manage.py", "check"]
    given = {**os.environ, name: value}
    refused = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith(name)
    assert refused.stderr.count("\n") == 1
    assert value not in refused.stderr or len(value) < 2, "the key itself is told to nobody"


@pytest.mark.django_db
def test_every_answer_carries_a_strict_content_policy(client: Client) -> None:
    policy = client.get("/sign-in/")["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    page = client.get("/sign-in/")
    assert page["X-Frame-Options"] == "DENY"
    assert "camera=()" in page["Permissions-Policy"]


@pytest.mark.django_db
def test_i55_nobody_reaches_a_page_without_signing_in(client: Client) -> None:
    answer = client.get("/")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/sign-in/")
