"""`manage.py export_audit FILE`: the log with its chain, for `scripts/check_audit.py`, which needs nothing of ours."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from revops.audit.log import record as audit
from revops.audit.verify import lines
from revops.people.actors import System
from revops.sentences import template

EXPORTED = template("audit.exported", "The log was exported up to number {sequence}")


class Command(BaseCommand):
    """One JSON object a line: number, record id, content, digest, and the record as [name, tag, text] (null when archived)."""

    help = "Write the sealed action log with its chain to a file, one JSON object a line. The file is for its owner alone."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        """Raises `CommandError` when the file is there already or cannot be written."""
        part, sequence = file.with_name(file.name + ".part"), 0
        if file.exists():
            raise CommandError(f"{file} is there already.")
        try:
            part.touch(mode=0o600)
            with part.open("w", encoding="utf-8") as output:
                for line in lines():
                    sequence = line.sequence
                    told = {"sequence": sequence, "record_id": line.record_id, "content": line.content.hex()}
                    json.dump({**told, "digest": line.digest.hex(), "record": line.record}, output)
                    output.write("\n")
            part.replace(file)
        except OSError as error:
            raise CommandError(f"{file} cannot be written: {error}.") from None
        with transaction.atomic():
            audit(
                "audit.export", "log:audit", acting_user=System("export"), summary=EXPORTED(sequence=sequence),
                after={"sequence": sequence},
            )  # fmt: skip
        self.stdout.write(f"{sequence} lines written to {file}")
