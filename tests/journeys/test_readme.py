"""Every command of the README, run as it stands there, against the running product where it needs one."""

from __future__ import annotations

import os
import re
import shlex
import subprocess

import pytest

from tests.journeys.product import Product
from tests.launch.test_up import ROOT

pytestmark = [pytest.mark.timeout(1200), pytest.mark.slow]

STARTS_EVERYTHING = {"make up": "manage.py up", "make test": "pytest"}
"""Run for real elsewhere: `make up` is what this product was started with, `make test` is running this very test."""


def commands() -> list[str]:
    """The lines of the README's shell blocks, without comments."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


@pytest.mark.parametrize("command", commands())
def test_readme_command(command: str, product: Product) -> None:
    if command in STARTS_EVERYTHING:
        would = subprocess.run(["make", "-n", *shlex.split(command)[1:]], cwd=ROOT, capture_output=True, text=True, check=True)
        assert STARTS_EVERYTHING[command] in would.stdout
        return
    # Tests have servers of their own: those of this session. What they say is said by this very run: here they are only found.
    tests = "pytest" in command
    environment = {**os.environ} if tests else product.environment
    ran = subprocess.run(
        [*shlex.split(command), *(["--collect-only"] if tests else [])],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_every_path_that_the_readme_names_exists() -> None:
    text = (ROOT / "README.md").read_text()
    for path in re.findall(r"\]\(([^)#]+)\)", text) + re.findall(r"`((?:revops|sync|tests)/[\w/.]+)`", text):
        assert (ROOT / path).exists() or (ROOT / f"{path}.py").exists(), path
