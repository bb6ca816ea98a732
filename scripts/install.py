"""Make `.venv` from a hashed requirement file, showing how far it is. Nothing happens where it is already so.

`python3.11 scripts/install.py launch|demo|test`. Needs only the standard library.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
MADE_BY = VENV / "installed"
FILES = ["base", "launch", "demo", "test"]
"""Each contains the one before it."""


def main(name: str) -> int:
    """Install what `requirements/<name>.txt` names; returns the exit code."""
    if sys.version_info[:2] != (3, 11):
        print(f"Python 3.11 is needed, this is {sys.version.split()[0]}: make PYTHON=/path/to/python3.11 ...", file=sys.stderr)
        return 1
    wanted = ROOT / "requirements" / f"{name}.txt"
    digest = hashlib.sha256(wanted.read_bytes()).hexdigest()
    installed = MADE_BY.read_text().split() if MADE_BY.exists() else []
    if digest in installed:
        return 0
    python = VENV / "bin" / "python"
    if not python.exists() or subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode:
        print("Making .venv ...", flush=True)
        shutil.rmtree(VENV, ignore_errors=True)
        if subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=False).returncode:
            print("Python's venv module is missing. On Debian: apt-get install python3.11-venv", file=sys.stderr)
            return 1
        installed = []
    status = install(python, wanted)
    if status == 0:
        MADE_BY.write_text("\n".join(digests_up_to(name)) + "\n")
    return status


def digests_up_to(name: str) -> list[str]:
    """The digests of this requirement file and of those it contains: what is installed satisfies them all."""
    contained = FILES[: FILES.index(name) + 1]
    return [hashlib.sha256((ROOT / "requirements" / f"{each}.txt").read_bytes()).hexdigest() for each in contained]


def install(python: Path, wanted: Path) -> int:
    """Run pip, turning its output into one counting line; what went wrong is shown in full."""
    total = len(re.findall(r"^[A-Za-z0-9].*==", wanted.read_text(), re.MULTILINE))
    began, seen, lines = time.monotonic(), 0, []
    command = [str(python), "-m", "pip", "install", "--require-hashes", "--no-deps", "--disable-pip-version-check"]
    command += ["--progress-bar", "off", "-r", str(wanted)]
    shows_line = sys.stdout.isatty()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            lines.append(line)
            if match := re.match(r"(?:Collecting|Ignoring|Requirement already satisfied:) ([A-Za-z0-9._\[\],-]+)", line):
                seen += 1
                text = f"  packages {seen}/{total} {match[1].split('==')[0][:40]}"
                if shows_line:
                    print(f"\r{text:<78}", end="", flush=True)
                elif seen % 10 == 0:
                    print(text, flush=True)
            elif line.startswith("Installing collected"):
                print(("\n" if shows_line else "") + f"  installing {total} packages ...", flush=True)
    if pip.returncode:
        print("".join(lines[-40:]), file=sys.stderr)
        return pip.returncode
    print(f"  {total} packages in {time.monotonic() - began:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "demo"))
