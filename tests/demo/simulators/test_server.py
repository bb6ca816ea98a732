"""What all simulators share, seen through Stripe's: faults on the wire, durability, the control API, the process."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest
import requests

from demo.simulators.server import Simulator
from demo.simulators.stripe import Vendor
from launch.embedded import free_port
from tests.demo.simulators.control import ROOT, Control, process

KEY = {"Authorization": "Bearer sk_test_rehearsal"}
CUSTOMERS = "^/v1/customers"


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    with Simulator(Vendor, data=tmp_path) as simulator:
        yield Control(simulator.url)


def create(control: Control, name: str = "Acme", key: str | None = None, timeout: float = 5) -> requests.Response:
    headers = KEY | ({"Idempotency-Key": key} if key else {})
    return requests.post(f"{control.url}/v1/customers", data={"name": name}, headers=headers, timeout=timeout)


def names(control: Control) -> list[str]:
    page = requests.get(f"{control.url}/v1/customers", headers=KEY, timeout=5).json()
    return [customer["name"] for customer in page["data"]]


def test_reset_before_the_effect_leaves_nothing(control: Control) -> None:
    control.fault("POST", CUSTOMERS, reset="before")
    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        create(control)
    assert control.get("health")["objects"]["customers"] == 0
    assert control.get("effects") == []
    assert create(control).status_code == 200


def test_reset_after_the_effect_leaves_exactly_one(control: Control) -> None:
    control.fault("POST", CUSTOMERS, reset="after")
    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        create(control, key="once")
    assert names(control) == ["Acme"]
    assert create(control, key="once").status_code == 200
    assert names(control) == ["Acme"]
    effects = control.get("effects")
    assert [(e["collection"], e["kind"], e["key"]) for e in effects] == [("customers", "created", "once")]
    cut, again = (r for r in control.get("requests") if r["method"] == "POST")
    assert (cut["reset"], cut["status"], again["reset"], again["status"]) == (True, None, False, 200)


def test_an_answer_cut_in_its_middle_has_had_its_effect(control: Control) -> None:
    control.fault("POST", CUSTOMERS, reset="during")
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        create(control, key="half")
    assert [(e["collection"], e["kind"]) for e in control.get("effects")] == [("customers", "created")]
    cut = control.get("requests")[0]
    assert (cut["reset"], cut["status"]) == (True, None)
    assert create(control, key="half").status_code == 200
    assert names(control) == ["Acme"]


@pytest.mark.parametrize(("after", "left"), [(False, 0), (True, 1)])
def test_status_before_and_after_the_effect(control: Control, after: bool, left: int) -> None:
    control.fault("POST", CUSTOMERS, status=503, after_effect=after, headers={"X-Why": "test"})
    answer = create(control)
    assert (answer.status_code, answer.headers["X-Why"]) == (503, "test")
    assert answer.json()["error"]["type"] == "api_error"
    assert len(names(control)) == left


def test_skip_times_and_hit_counts(control: Control) -> None:
    control.fault("POST", CUSTOMERS, status=500, skip=1, times=2)
    assert [create(control).status_code for _ in range(4)] == [200, 500, 500, 200]
    assert control.get("faults")[0]["hits"] == 2
    assert requests.delete(f"{control.url}/_sim/faults", timeout=5).json() == {"cleared": 1}


def test_a_delay_is_a_delay_and_the_effect_may_come_first(control: Control) -> None:
    control.fault("POST", CUSTOMERS, delay_seconds=0.5, after_effect=True)
    with pytest.raises(requests.ReadTimeout):
        create(control, timeout=0.2)
    assert names(control) == ["Acme"]


def test_read_lag_hides_new_and_shows_old(control: Control) -> None:
    created = create(control, "old").json()["id"]
    control.fault("POST", CUSTOMERS, read_lag_seconds=0.6, times=2)
    renamed = {"name": "new"}
    requests.post(f"{control.url}/v1/customers/{created}", data=renamed, headers=KEY, timeout=5).raise_for_status()
    fresh = create(control, "hidden").json()["id"]
    assert names(control) == ["old"]
    assert requests.get(f"{control.url}/v1/customers/{fresh}", headers=KEY, timeout=5).status_code == 404
    assert control.get(f"objects/customers/{fresh}")["name"] == "hidden"
    time.sleep(0.65)  # the lag itself is what is tested
    assert sorted(names(control)) == ["hidden", "new"]


def test_an_unknown_fault_field_is_refused(control: Control) -> None:
    answer = requests.post(f"{control.url}/_sim/faults", json={"statsu": 500}, timeout=5)
    assert (answer.status_code, "statsu" in answer.text) == (400, True)


def test_loading_is_silent_and_emitting_is_not(control: Control) -> None:
    control.load("customers", {"id": "cus_1", "name": "quiet"})
    assert control.get("deliveries") == []
    control.load("customers", {"id": "cus_2", "name": "loud"}, emit=True)
    assert [d["type"] for d in control.get("deliveries")] == ["customer.created"]
    assert control.get("effects") == []


@pytest.mark.parametrize("line", ['{"collection": "custmers", "object": {"id": "x"}}', "[1]", "{nonsense", "{}"])
def test_a_wrong_line_names_its_fault_and_stores_nothing(control: Control, line: str) -> None:
    answer = requests.post(f"{control.url}/_sim/load", data=line, timeout=5)
    assert answer.status_code in (400, 404)
    assert answer.json()["error"]
    assert control.get("health")["objects"]["customers"] == 0


def test_numbers_keep_their_digits(control: Control) -> None:
    line = '{"collection": "customers", "object": {"id": "cus_1", "amount": 139000.10}}'
    requests.post(f"{control.url}/_sim/load", data=line, timeout=5).raise_for_status()
    text = requests.get(f"{control.url}/_sim/objects/customers/cus_1", timeout=5).text
    assert '"amount":139000.10' in text
    assert json.loads(text, parse_float=Decimal)["amount"] == Decimal("139000.10")


def test_change_reaches_into_nested_members_and_deletes(control: Control) -> None:
    control.load("customers", {"id": "cus_1", "metadata": {"a": "1"}})
    changed = control.change(collection="customers", id="cus_1", set={"metadata.b": "2"})
    assert changed["metadata"] == {"a": "1", "b": "2"}
    control.change(collection="customers", id="cus_1", set={"name": "silent"}, event=None)
    control.change(collection="customers", id="cus_1", delete=True)
    assert [d["type"] for d in control.get("deliveries")] == ["customer.updated", "customer.deleted"]
    assert control.get("objects/customers")["objects"] == []


def test_the_answer_key_replaces_by_id(control: Control) -> None:
    for text in ('{"id": "a", "n": 1}\n{"id": "b"}', '{"id": "a", "n": 2}'):
        requests.post(f"{control.url}/_sim/key", data=text, timeout=5).raise_for_status()
    assert sorted(control.get("key"), key=lambda d: d["id"]) == [{"id": "a", "n": 2}, {"id": "b"}]


def test_twenty_connections_at_once(control: Control) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: create(control, f"c{n}").status_code, range(100)))
    assert answers == [200] * 100
    assert control.get("health")["objects"]["customers"] == 100


@pytest.mark.outside
def test_the_database_survives_kill_9(tmp_path: Path) -> None:
    port = free_port()
    control = Control(f"http://127.0.0.1:{port}")
    with process("stripe", port, tmp_path) as running:
        ids = [create(control, key=f"k{n}").json()["id"] for n in range(5)]
        running.send_signal(signal.SIGKILL)
        assert running.wait(10) == -signal.SIGKILL
    with sqlite3.connect(tmp_path / "stripe.sqlite3") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
    with process("stripe", port, tmp_path):
        assert [o["id"] for o in control.get("objects/customers")["objects"]] == ids
        assert create(control, key="k0").json()["id"] == ids[0]
        assert control.get("health")["objects"]["customers"] == 5


@pytest.mark.outside
def test_sigterm_ends_cleanly_and_a_taken_port_is_told(tmp_path: Path) -> None:
    port = free_port()
    with process("stripe", port, tmp_path / "one") as running:
        second = subprocess.run(
            [sys.executable, "-m", "demo.simulators", "stripe", "--port", str(port), "--data", str(tmp_path / "two")],
            cwd=ROOT, text=True, capture_output=True, timeout=20, check=False,
        )  # fmt: skip
        assert (second.returncode, second.stdout) == (1, "")
        assert f"port {port} cannot be used" in second.stderr
        running.send_signal(signal.SIGTERM)
        assert running.wait(10) == 0
        assert running.stderr
        assert running.stderr.read() == ""


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}])
def test_a_page_in_a_browser_reaches_no_simulator(control: Control, headers: dict[str, str]) -> None:
    for path in ("/_sim/deliveries", "/_sim/change", "/v1/customers"):
        answer = requests.put(control.url + path, data="{}", headers={**KEY, **headers}, timeout=5)
        assert answer.status_code == 403
