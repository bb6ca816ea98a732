"""The contract suite: every recording of every connector gives the facts that lie beside it.

A recording is `recordings/<vendor>/<name>.json`: `incoming` (kind, object type, when it came), `body` (the payload in the
vendor's exact shape, written by us), and where a public sample of that shape exists, `sample` (file, where in the body, which
keys are newer than the sample or left out). `<name>.facts.json` is what the ledger must hear; `unread`
stands there where a value could not be taken as it was written.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from revops import strict_json
from revops.ledger.facts import Fact, encode
from sync.connectors import ID_FORMS, ID_TYPES
from sync.vendor.contract import Config, Connector, Incoming, Reread
from tests.sync.connectors.shapes import at, keys_of
from tests.sync.connectors.talking import EVERY, SETTINGS

HERE = Path(__file__).parent / "recordings"
RECORDINGS = sorted(path for path in HERE.rglob("*.json") if not path.name.endswith(".facts.json"))


def name_of(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def load(path: Path) -> tuple[Connector, Config, Incoming, dict[str, Any]]:
    """A recording as the inbox would hand it to its connector; numbers are exact."""
    recording = strict_json.parse(path.read_bytes())
    assert isinstance(recording, dict)
    connector = EVERY[path.parent.name]
    defaults = {setting.name: setting.default for setting in connector.settings if setting.default}
    config = Config("recorded", "https://vendor.example", {**defaults, **SETTINGS[connector.slug]}, ID_FORMS, id_types=ID_TYPES)
    said = recording["incoming"]
    incoming = Incoming(
        kind=said["kind"],
        body=strict_json.dump(recording["body"]),
        received_at=dt.datetime.fromisoformat(said["received_at"]),
        object_type=said.get("object_type", ""),
    )
    return connector, config, incoming, recording


def spoken(answer: Fact | Reread) -> dict[str, object]:
    """A fact or a reread as the `.facts.json` file holds it."""
    if isinstance(answer, Reread):
        return {"reread": answer.object_type, "external_id": answer.external_id}
    content = answer.content()
    unread = {"unread": content.unread} if content.unread else {}
    return {
        "object_type": answer.object_type,
        "external_id": answer.external_id,
        "version": answer.version,
        "effective_at": encode(answer.effective_at),
        "fields": content.fields,
        "refs": content.refs,
        "deleted": content.deleted,
        **unread,
    }


@pytest.mark.parametrize("path", RECORDINGS, ids=name_of)
def test_a_recording_says_its_facts(path: Path) -> None:
    connector, config, incoming, _ = load(path)
    expected = json.loads(path.with_name(f"{path.stem}.facts.json").read_text())
    assert [spoken(answer) for answer in connector.translate(incoming, config)] == expected


@pytest.mark.parametrize("path", RECORDINGS, ids=name_of)
def test_the_same_bytes_always_say_the_same(path: Path) -> None:
    connector, config, incoming, _ = load(path)
    assert connector.translate(incoming, config) == connector.translate(incoming, config)


@pytest.mark.parametrize("slug", sorted(EVERY))
def test_every_stream_has_a_recording_of_each_of_its_types(slug: str) -> None:
    spoken_of = {
        entry.get("object_type")
        for path in RECORDINGS
        if path.parent.name == slug
        for entry in json.loads(path.with_name(f"{path.stem}.facts.json").read_text())
    }
    assert {kind for stream in EVERY[slug].streams for kind in stream.object_types} <= spoken_of


def sampled() -> Iterator[Path]:
    return (path for path in RECORDINGS if "sample" in json.loads(path.read_text()))


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


@pytest.mark.parametrize("path", list(sampled()), ids=name_of)
def test_a_recording_has_the_shape_of_the_public_sample(path: Path) -> None:
    """Keys only. `partial` samples show more than we ask for, so only what we have beyond them counts."""
    _, _, _, recording = load(path)
    sample = recording["sample"]
    theirs = keys_of(sample["file"], sample.get("sample_at", ""))
    ours = {snake(key) if sample.get("case") == "snake" else key for key in at(recording["body"], sample["at"])}
    newer = {snake(key) if sample.get("case") == "snake" else key for key in sample["newer"]}
    assert ours - theirs == newer
    if not sample.get("partial"):
        assert theirs - ours == set(sample["left_out"])
