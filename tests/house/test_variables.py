"""`.env.example` and `docker-compose.yml` say exactly what the code reads, and what they start exists."""

from __future__ import annotations

import ast
import functools
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands

from launch.programs import web_server_command
from sync.ground.heartbeat import KINDS

ROOT = Path(__file__).resolve().parent.parent.parent
NAME = re.compile(r"[A-Z][A-Z0-9_]{3,}")
# Read by other programs' images or by the tests and development of the product itself.
NOT_OURS = {
    "POSTGRES_DB", "POSTGRES_PASSWORD", "POSTGRES_INITDB_ARGS",
    "REVOPS_OWNER_PASSWORD", "REVOPS_APPLICATION_PASSWORD", "REVOPS_AUDITOR_PASSWORD",
}  # fmt: skip
# Simulators let a test change their demo credentials; `CRASH_AT` and `FREEZE_AT` are read by fault tests alone; Django's own.
NOT_FOR_OPERATORS = re.compile(r"(NETSUITE|GAINSIGHT|SALESFORCE|STRIPE)_|(CRASH|FREEZE)_AT$|DJANGO_SETTINGS_MODULE$|REVOPS_SIM_$")


def variables_read(path: Path) -> set[str]:
    """Names of environment variables that a file reads: env.str("X"), environ.get("X"), environ["X"], number("X", ...)."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        key: ast.expr | None = None
        if isinstance(node, ast.Call) and node.args:
            function = node.func
            owner = ast.unparse(function.value) if isinstance(function, ast.Attribute) else ""
            from_environ = owner.endswith("environ") and ast.unparse(function).endswith((".get", ".pop"))
            if owner == "env" or from_environ or (isinstance(function, ast.Name) and function.id == "number"):
                key = node.args[0]
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("environ"):
            key = node.slice
        if isinstance(key, ast.Constant) and isinstance(key.value, str) and NAME.fullmatch(key.value):
            found.add(key.value)
        elif isinstance(key, ast.JoinedStr) and "REVOPS_SIM_" in ast.unparse(key):
            ending = ast.unparse(key).rstrip("'\"").rsplit("_", 1)[1]
            found |= {f"REVOPS_SIM_{vendor}_{ending}" for vendor in ("SALESFORCE", "GAINSIGHT", "STRIPE", "NETSUITE")}
    return found


@functools.cache
def read_by_the_code() -> frozenset[str]:
    files = [path for package in ("revops", "sync", "demo", "launch") for path in ROOT.glob(f"{package}/**/*.py")]
    return frozenset(name for path in files for name in variables_read(path) if not NOT_FOR_OPERATORS.match(name))


def named_in_the_example() -> list[str]:
    return re.findall(r"^([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)


def test_the_example_names_every_variable_once() -> None:
    named = named_in_the_example()
    assert len(named) == len(set(named))
    assert read_by_the_code() == set(named)


def test_reading_finds_what_it_should(tmp_path: Path) -> None:
    source = tmp_path / "read.py"
    source.write_text('a = env.bool("REVOPS_ONE"); b = os.environ.get("REVOPS_TWO", ""); c = os.environ["REVOPS_THREE"]\n')
    assert variables_read(source) == {"REVOPS_ONE", "REVOPS_TWO", "REVOPS_THREE"}


# --- docker-compose.yml -----------------------------------------------------------------------------------------------


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def unknown_in(command: list[str]) -> str | None:
    """What a container's command starts that does not exist, or None."""
    queues = {queue.name for queue in settings.CELERY_TASK_QUEUES}
    match command:
        case ["python", "manage.py", name, *_]:
            return None if name in get_commands() or name == "migrate" else f"no command {name}"
        case ["python", "-m", "demo.simulators", vendor, *_]:
            found = importlib.util.find_spec(f"demo.simulators.{vendor}")
            return None if found else f"no simulator {vendor}"
        case ["celery", "-A", "revops", "worker", "-Q", queue, *_]:
            return None if queue in queues else f"no queue {queue}"
        case ["python", "-m", "revops.worker_check", worker, *_]:
            return None if worker in KINDS else f"no worker {worker}"
        case ["redis-server" | "postgres" | "sleep" | "redis-cli", *_] | ["python", "-c", _]:
            return None
    return f"unknown command {command}"


@pytest.mark.parametrize("name", sorted(compose()["services"]))
def test_each_container_starts_something_that_exists_with_variables_that_are_read(name: str) -> None:
    service = compose()["services"][name]
    if "command" in service:
        assert unknown_in(service["command"]) is None
    else:
        assert name in {"postgres", "web"}  # the image's own command
    unread = set(service.get("environment", {})) - read_by_the_code() - NOT_OURS
    assert not unread


def test_every_container_that_runs_on_is_asked_how_it_is_and_started_again() -> None:
    for name, service in compose()["services"].items():
        runs_to_its_end = service.get("restart") in {"no", "on-failure"}
        assert service["restart"] in {"no", "on-failure", "unless-stopped"}, name
        if runs_to_its_end or name in {"pod", "demo-play"}:  # neither serves anybody
            continue
        kind, *test = service["healthcheck"]["test"]
        assert kind in {"CMD", "CMD-SHELL"}, name
        if kind == "CMD":
            assert unknown_in(test) is None, name
        asked = {"intake", "apply", "posting", "sweeper"} & {name}
        assert not asked or test[-1] == {"sweeper": "sweep"}.get(name, name)


def test_no_container_lives_in_the_network_of_one_that_may_end() -> None:
    for name, service in compose()["services"].items():
        assert service.get("network_mode", "service:pod") == "service:pod", name


def test_what_does_not_exist_is_noticed() -> None:
    assert unknown_in(["python", "-m", "revops.worker_check", "no_such_worker"])
    assert unknown_in(["python", "manage.py", "no_such_command"])
    assert unknown_in(["celery", "-A", "revops", "worker", "-Q", "no_such_queue"])
    assert unknown_in(["python", "-m", "demo.simulators", "no_such_vendor"])


def test_every_queue_has_its_worker() -> None:
    commands = [service.get("command", []) for service in compose()["services"].values()]
    served = {command[5] for command in commands if command[:1] == ["celery"]}
    assert served == {queue.name for queue in settings.CELERY_TASK_QUEUES}


def test_substitutions_are_in_the_example() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    used = set(re.findall(r"\$\{([A-Z0-9_]+)", text)) - NOT_OURS
    assert used <= set(named_in_the_example())


def test_the_image_serves_as_make_up_does() -> None:
    text = (ROOT / "Dockerfile").read_text()
    found = re.search(r"^CMD (\[.*\])$", text, re.MULTILINE)
    assert found is not None
    ours = web_server_command("0.0.0.0", 8000)[2:]
    del ours[ours.index("--log-level") : ours.index("--log-level") + 2]
    assert json.loads(found[1]) == ours
    for name in re.findall(r"^COPY ([a-z/.]+)", text, re.MULTILINE):
        assert (ROOT / name).exists(), name
