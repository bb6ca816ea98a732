"""One run from its seed to its verdict."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.faults.client import Client, Journal
from tests.faults.company import Company
from tests.faults.draw import Run, draw
from tests.faults.installation import Installation
from tests.faults.judge import KINDS, Finding, Judge, Log
from tests.faults.scenes import VENDORS, Play

SETTLED_SECONDS = 90
"""How long after the last fault everything has to be in order."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one run. `fired`: how many of its faults did strike; `seconds`: playing, and until all was in order."""

    run: Run
    findings: tuple[Finding, ...]
    fired: int
    played_seconds: float
    settled_seconds: float
    broke_off: bool = False
    """It could not be judged: the installation is of no more use."""
    state: str = ""
    """What the product was busy with when its time was up."""

    @property
    def line(self) -> str:
        """For people."""
        said = "; ".join(map(str, self.findings)) or "in order"
        said += self.state and f" | busy with: {self.state}"
        return (
            f"seed {self.run.seed}: {self.run.told} | {self.fired} struck, "
            f"{self.played_seconds:.0f} + {self.settled_seconds:.0f} s | {said}"
        )


@dataclass(slots=True)
class Runs:
    """Runs on one installation, one after the other. `evidence`: where the journal and the logs of a bad run are kept."""

    installation: Installation
    evidence: Path
    company: Company = field(init=False)
    log: Log = field(default_factory=Log)

    def __post_init__(self) -> None:
        self.company = Company(self.installation.wires)

    def one(self, seed: int) -> Verdict:
        """Play the run of a seed, let everything settle, and judge."""
        run, began = draw(seed, disk=bool(self.installation.disk_megabytes)), time.monotonic()
        path = self.installation.folder.parent / f"journal-{seed}.jsonl"
        journal = Journal(path)
        try:
            verdict = self._judged(run, journal)
        except Exception as error:
            words = f"{type(error).__name__}: {error}"
            if self.installation.process.poll() is not None:
                words = "the product has ended: " + self.installation.said.strip()[-300:]
            verdict = Verdict(run, (Finding("stuck", words),), 0, time.monotonic() - began, 0, broke_off=True)
        journal.close()
        if verdict.findings:
            self._keep(seed, path, verdict)
        path.unlink()
        return verdict

    def _judged(self, run: Run, journal: Journal) -> Verdict:
        client = Client(self.installation.port, self.installation.tokens, dict(self.installation.secrets), journal)
        play = Play(self.installation, self.company, client, run)
        began = time.monotonic()
        played = play.play()
        play.lift(*VENDORS)
        lifted = time.monotonic()
        judge = Judge(self.installation, play, played, journal, self.log)
        while (findings := judge.findings()) and time.monotonic() < lifted + SETTLED_SECONDS:
            time.sleep(0.5)
        settled = time.monotonic()
        state = judge.state() if findings else ""
        play.clean()
        return Verdict(run, tuple(findings), played.fired, lifted - began, settled - lifted, state=state)

    def log_is_whole(self, last: Verdict) -> Verdict:
        """The verdict of the last run on an installation, with what `verify_audit` says of the whole log and its signed heads."""
        said = self.installation.manage("verify_audit", "--quiet")
        if said.returncode == 0:
            return last
        broken = Finding("chain", f"verify_audit: {(said.stdout + said.stderr)[-500:]}")
        return replace(last, findings=(*last.findings, broken))

    def _keep(self, seed: int, journal: Path, verdict: Verdict) -> None:
        """The journal, what was found, and the logs of the programs."""
        place = self.evidence / f"seed-{seed}"
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(journal, place / "journal.jsonl")
        (place / "verdict.txt").write_text(verdict.line.replace("; ", "\n") + "\n")
        shutil.copytree(self.installation.folder / "logs", place / "logs", dirs_exist_ok=True)


def total(verdicts: list[Verdict]) -> str:
    """The last line: runs, faults that struck, and in how many runs each promise was broken."""
    broken = [f"{kind} {sum(any(f.kind == kind for f in v.findings) for v in verdicts)}" for kind in KINDS]
    return " ".join([f"runs {len(verdicts)}", f"faults {sum(v.fired for v in verdicts)}", *broken])
