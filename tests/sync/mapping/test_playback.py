"""A situation says by its own data how its connections are tied; a playback uses that, and says so."""

from __future__ import annotations

import json
from pathlib import Path

from demo.playback.database import Playground
from demo.playback.play import NOBODY, given_to
from demo.playback.proposing import proposed
from demo.playback.rehearsing import rehearse_one
from demo.playback.situation import read_situation
from sync.connections.handles import config_for
from sync.connectors import CONNECTORS
from sync.mapping.declared import MAPPED
from sync.mapping.propose import Proposal
from tests.reality.conftest import copies, ground  # noqa: F401 - fixtures
from tests.reality.test_reality import HERE as REALITY

FIELDS_OF_ITS_OWN = Path(__file__).resolve().parent / "fields-of-its-own"
RENAMED = "05-merged-salesforce-accounts"


def all_proposed(folder: Path) -> list[Proposal]:
    """What the steps propose for every setting that there may be, whether a connector declares it yet or not."""
    situation = read_situation(folder)
    vendors = {name: name for name in CONNECTORS}
    configs = {name: config_for(connector, name, NOBODY, {}) for name, connector in CONNECTORS.items()}
    return proposed(situation.steps, configs, vendors, {name: list(MAPPED[name]) for name in CONNECTORS})


def test_ids_in_fields_of_the_erps_own_are_found() -> None:
    found = {(each.connection, each.setting): (each.value, each.form) for each in all_proposed(FIELDS_OF_ITS_OWN) if each.good(1)}
    assert found == {
        ("netsuite", "billing_id_field"): ("custbody_bill_key", "ST|{id}"),
        ("netsuite", "crm_id_field"): ("custentity_sfdc_account", "{id}"),
        ("stripe", "crm_id_key"): ("salesforce_account_id", "{id}"),
    }


def test_a_customers_order_number_is_proposed_for_nothing() -> None:
    assert {each.value for each in all_proposed(REALITY / "17-purchase-order-number-in-otherrefnum")} == {
        "salesforce_account_id", "externalid", "contract_number",
    }  # fmt: skip


def renamed(tmp_path: Path, *names: tuple[str, str]) -> Path:
    text = (REALITY / RENAMED / "input.json").read_text()
    for before, after in names:
        assert before in text
        text = text.replace(before, after)
    (tmp_path / "input.json").write_text(text)
    (tmp_path / "expected.json").write_text((REALITY / RENAMED / "expected.json").read_text())
    return tmp_path


def test_a_playback_is_tied_as_its_data_says_and_tells_it(tmp_path: Path, ground: Playground) -> None:  # noqa: F811
    folder = renamed(tmp_path, ("salesforce_account_id", "sfid"), ('"contract_number"', '"agreement"'))
    result = rehearse_one(folder, ground)
    assert result.right, result.lines()
    told = [line.split(None, 1)[1].split(": 1 of")[0] for line in result.lines()[1:]]
    assert told == [
        "stripe: crm_id_key = sfid", "stripe: contract_number_key = agreement", "netsuite: contract_number_field = otherrefnum",
    ]  # fmt: skip


def test_a_folder_that_says_its_connections_is_played_as_it_says(tmp_path: Path, ground: Playground) -> None:  # noqa: F811
    folder = renamed(tmp_path, ("salesforce_account_id", "sfid"))
    (folder / "connections.json").write_text(json.dumps({"salesforce": {}, "stripe": {}, "netsuite": {}}))
    given, told = given_to(read_situation(folder))
    assert (given["stripe"].settings.get("crm_id_key"), told) == (None, [])
    assert not rehearse_one(folder, ground).right
