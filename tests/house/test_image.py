"""What the images hold, read from the Dockerfile: the product alone, or with the demo; and the product runs from that."""

from __future__ import annotations

import fnmatch
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.outside

ROOT = Path(__file__).resolve().parent.parent.parent
MADE_UP = re.compile(
    r"[sr]k_(?:test|live)_\w|whsec_\w{8}|BEGIN [A-Z ]*PRIVATE KEY|rehearsal-\w|@rehearsal\.example"
    r"|[A-Za-z0-9+/]{43}=(?!\w)"
)
"""Keys in the forms that the vendors and this product give them, and what the rehearsal signs in with."""


def context() -> list[str]:
    """What Docker is sent: every file of the repository that .dockerignore lets through."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    ignored = [line.strip() for line in (ROOT / ".dockerignore").read_text().splitlines() if line.strip()]
    return [name for name in listed if (ROOT / name).is_file() and not any(matches(name, pattern) for pattern in ignored)]


def matches(name: str, pattern: str) -> bool:
    """Whether .dockerignore's pattern names this file or a folder above it."""
    parts = name.split("/")
    above = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    plain = pattern.removeprefix("**/")
    return any(fnmatch.fnmatch(each if plain == pattern else each.rsplit("/", 1)[-1], plain) for each in above)


def stages() -> dict[str, tuple[str, list[list[str]]]]:
    """Name of a stage -> (what it starts from, its COPY lines)."""
    found: dict[str, tuple[str, list[list[str]]]] = {}
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        words = shlex.split(line) if line.startswith(("FROM ", "COPY ", "ADD ")) else []
        match words:
            case ["FROM", start, "AS", name]:
                found[name] = (start, [])
            case ["COPY", *rest]:
                assert not rest[0].startswith("--"), line
                found[list(found)[-1]][1].append(rest)
            case ["ADD" | "FROM", *_]:
                pytest.fail(f"not understood: {line}")
    return found


def held(target: str) -> dict[str, str]:
    """The files of an image: path under its work folder -> path in the repository."""
    start, copies = stages()[target]
    found = held(start) if start in stages() else {}
    for *sources, place in copies:
        for source in sources:
            assert (ROOT / source).exists() or source.startswith("requirements/"), source
            for name in context():
                if name == source:
                    found[f"{place}{source}" if place.endswith("/") else place] = name
                elif name.startswith(f"{source}/"):
                    found[f"{place}/{name.removeprefix(f'{source}/')}"] = name
    return {os.path.normpath(path): name for path, name in found.items()}


def folders(target: str) -> set[str]:
    return {path.split("/")[0] for path in held(target) if "/" in path}


def test_the_product_is_what_is_built_by_default_and_holds_the_product_alone() -> None:
    assert list(stages())[-1] == "production"
    assert folders("production") == {"revops", "sync", "templates", "static", "requirements"}
    assert {path for path in held("production") if "/" not in path} == {"manage.py", "LICENSE"}
    assert {path for path in held("production") if path.startswith("requirements/")} == {"requirements/base.txt"}


def test_the_demo_adds_the_demo_and_nothing_else() -> None:
    added = set(held("demo")) - set(held("production"))
    assert {path.split("/")[0] for path in added} == {"demo", "requirements"}
    assert set(held("production")) <= set(held("demo"))


def credentials_in(files: dict[str, bytes]) -> list[str]:
    return [
        f"{name}: {found[0][:30]}" for name, body in files.items() for found in MADE_UP.finditer(body.decode(errors="replace"))
    ]


def test_the_product_holds_no_key_and_no_made_up_credential() -> None:
    hashed = re.compile(r"requirements/|static/.*\.(png|svg|woff2)$")  # the hashes of packages, and pictures
    files = {name: (ROOT / name).read_bytes() for name in held("production").values() if not hashed.match(name)}
    assert credentials_in(files | {"Dockerfile": (ROOT / "Dockerfile").read_bytes()}) == []


@pytest.mark.parametrize(
    "planted",
    [
        "STRIPE = 'sk_test_rehearsal'",
        "'whsec_0123456789abcdef'",
        "-----BEGIN RSA PRIVATE KEY-----",
        "secret='rehearsal-netsuite-secret'",
        "REVOPS_ENCRYPTION_KEY=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    ],
)
def test_a_planted_credential_is_noticed(planted: str) -> None:
    assert len(credentials_in({"planted.py": planted.encode()})) == 1


IMPORT_EVERYTHING = """
import importlib, pkgutil, django
django.setup()
for package in ("revops", "sync"):
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
import sys
print(*sorted({name.split(".")[0] for name in sys.modules} & {"demo", "launch", "tests", "bench"}))
"""


def test_the_product_checks_and_imports_from_its_image_alone(tmp_path: Path) -> None:
    """With REVOPS_DEMO=1 as well: the demo's web and workers run from this image."""
    for path, name in held("production").items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / path)
    for demo in ("0", "1"):
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"REVOPS_DEMO": demo}
        for arguments in (["manage.py", "check"], ["-c", IMPORT_EVERYTHING]):
            ran = subprocess.run(
                [sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
            )
            assert ran.returncode == 0, ran.stderr
            assert ran.stdout.strip() in {"", "System check identified no issues (0 silenced)."}


def test_each_service_runs_from_the_image_that_holds_it() -> None:
    services: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    ours = {name: service for name, service in services.items() if "build" in service}
    assert set(services) - set(ours) == {"postgres", "redis"}
    images: dict[str, set[str]] = {}
    for name, service in ours.items():
        target = service["build"]["target"]
        images.setdefault(service["image"], set()).add(target)
        needs_demo = "demo" in " ".join(service.get("command", []))
        assert target == ("demo" if needs_demo else "production"), name
    assert images == {"revops": {"production"}, "revops-demo": {"demo"}}
