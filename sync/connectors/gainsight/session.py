"""Talking to Gainsight: the machine token, the envelope that hides failures in a 200, object queries, and pick-list labels."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from sync.vendor import fields as payload
from sync.vendor import strict_json
from sync.vendor.contract import Client, Config, Misunderstood, Refused, Response, RetryLater, Unknown
from sync.vendor.fields import Payload

TOKEN_PATH = "/v1/users/m2m/oauth/token"  # noqa: S105 - an address
QUERY_PATH = "/v1/data/objects/query"
DESCRIBE_PATH = "/v1/meta/services/objects/describe"
DROPDOWN_PATH = "/v1/meta/services/dropdowns"
ROWS = 1000
REMEMBER_SECONDS = 3600
EMPTY_CODES = frozenset({"GSOBJ_1011"})
TOKEN_CODES = frozenset({"GS_APIG_2401", "GSOBJ_1024"})

Condition = tuple[str, str, Sequence[str]]


class Failed(Exception):
    """The envelope says no. Its description may quote record values, so only the code is kept."""

    def __init__(self, code: str, status: int, missing_object: bool) -> None:
        super().__init__(code)
        self.code, self.status, self.missing_object = code, status, missing_object


@dataclass(frozen=True, slots=True)
class Metadata:
    """What describe tells of one object: the names of its fields, and for pick-lists the labels by item id."""

    fields: frozenset[str]
    items: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Session:
    """One connection's calls."""

    client: Client
    config: Config

    def call(self, method: str, path: str, content: Mapping[str, object] | bytes | None, *, safe: bool) -> object:
        """The `data` of a successful envelope. Raises `Failed` for a no, and the connector's answers."""
        raw = strict_json.dump(content) if isinstance(content, Mapping) else content
        for attempt in ("first", "renewed"):
            head = {"Authorization": f"Bearer {self._token()}", "Content-Type": "application/json"}
            answer = self.client.request(method, path, headers=head, content=raw, safe=safe)
            try:
                return _data(answer, safe)
            except Failed as failure:
                if failure.code == "GS_APIG_2402":
                    raise Refused("Gainsight refuses our address: add it to the allowlist.", "address_refused") from None
                if failure.code == "GU_2400":
                    raise RetryLater("Gainsight asks us to wait for the next minute.", 60, "vendor_busy") from None
                if answer.status not in {401, 403} and failure.code not in TOKEN_CODES:
                    raise
                self.client.forget("token")
                if attempt == "renewed":
                    raise Refused("Gainsight does not accept the client id and secret.", "credentials_refused") from None
        raise AssertionError("unreachable")  # pragma: no cover - the loop returns or raises

    def _token(self) -> str:
        token = self.client.remembered("token")
        if token is not None:
            return token
        pair = f"{self.config.get('client_id')}:{self.config.get('client_secret')}"
        head = {
            "Authorization": "Basic " + base64.b64encode(pair.encode()).decode(),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        form = urlencode({"grant_type": "client_credentials"}).encode()
        answer = self.client.request("POST", TOKEN_PATH, headers=head, content=form, safe=True)
        if answer.status != 200:
            raise Refused(f"Gainsight gives no token (HTTP {answer.status}).", "credentials_refused")
        made = answer.json()
        body = Payload("token", made if isinstance(made, dict) else {})
        try:
            token, seconds = body.text("access_token"), int(body.number("expires_in"))
        except Misunderstood as error:
            raise RetryLater(f"Gainsight's token answer is unreadable: {error.reason}", 60, "unreadable_answer") from None
        self.client.remember("token", token, max(60, seconds - 300))
        return token

    def query(
        self,
        object_name: str,
        select: Sequence[str],
        conditions: Sequence[Condition],
        order: Sequence[str],
        offset: int = 0,
    ) -> list[dict[str, object]]:
        """Up to `ROWS` records. Its three ways of saying "none" are all an empty list."""
        aliases = "ABCDEFGH"[: len(conditions)]
        body: dict[str, object] = {"select": list(select)}
        if conditions:
            body["where"] = {
                "conditions": [
                    {"name": name, "alias": alias, "operator": operator, "value": list(values)}
                    for alias, (name, operator, values) in zip(aliases, conditions, strict=True)
                ],
                "expression": " AND ".join(aliases),
            }
        body |= {"orderBy": dict.fromkeys(order, "asc"), "limit": ROWS, "offset": offset}
        try:
            return _records(self.call("POST", f"{QUERY_PATH}/{object_name}", body, safe=True))
        except Failed as failure:
            if failure.code in EMPTY_CODES:
                return []
            raise Refused(f"Gainsight refuses a query of {object_name}: {payload.word(failure.code)}", "query_refused") from None

    def metadata(self, object_name: str) -> Metadata:
        """Fields and pick-list labels of an object, remembered for an hour."""
        memory = f"metadata:{object_name}"
        if (known := self.client.remembered(memory)) is None:
            try:
                described = self.call("POST", DESCRIBE_PATH, {"objectNames": [object_name]}, safe=True)
            except Failed as failure:
                code = payload.word(failure.code)
                raise Refused(f"Gainsight does not describe {object_name}: {code}", "query_refused") from None
            found = {str(entry["fieldName"]): self._items(entry) for entry in _entries(described)}
            known = strict_json.dump(found).decode()
            self.client.remember(memory, known, REMEMBER_SECONDS)
        stored = strict_json.parse(known.encode(), allow_unsafe_text=True)
        assert isinstance(stored, dict)
        return Metadata(frozenset(stored), {name: items for name, items in stored.items() if items})

    def _items(self, entry: Mapping[str, object]) -> dict[str, str]:
        """The labels of a pick-list field: given in the entry, or under the category that the entry names."""
        if entry.get("dataType") not in {"PICKLIST", "MULTISELECTDROPDOWNLIST"}:
            return {}
        if items := dict(_labels(entry)):
            return items
        category = next(_categories(entry), "")
        if not category:
            return {}
        try:
            return dict(_labels(self.call("GET", f"{DROPDOWN_PATH}/{category}", None, safe=True)))
        except Failed:
            return {}


def _data(answer: Response, safe: bool) -> object:
    body = answer.json()
    if not isinstance(body, dict) or not isinstance(body.get("result"), bool):
        if answer.status in {401, 403}:
            raise Failed("GS_APIG_2401", answer.status, missing_object=False)
        reason = f"Gainsight's answer (HTTP {answer.status}) has no result."
        raise RetryLater(reason, 60, "unreadable_answer") if safe else Unknown(reason, "unreadable_answer")
    if body["result"] is True and answer.status < 300:
        return body.get("data")
    code, said = str(body.get("errorCode") or body.get("title") or "unnamed"), str(body.get("errorDesc") or "")
    if "No data found" in said or "No entity matches" in said:
        code = "GSOBJ_1011"
    missing = code == "OBJECT_NOT_FOUND" or "object not found" in said.lower()
    raise Failed("GSOBJ_1011" if missing and safe else code, answer.status, missing)


def _records(data: object) -> list[dict[str, object]]:
    """`data` is a list for some objects and `{"records": [...]}` for others."""
    if isinstance(data, dict):
        data = data.get("records")
    if data is None:
        return []
    if not isinstance(data, list) or not all(isinstance(record, dict) for record in data):
        raise RetryLater("Gainsight's records are no list of objects.", 60, "unreadable_answer")
    return data


def _walk(value: object) -> Iterator[Mapping[str, object]]:
    if isinstance(value, dict):
        yield value
        for part in value.values():
            yield from _walk(part)
    elif isinstance(value, list):
        for part in value:
            yield from _walk(part)


def _entries(described: object) -> Iterator[Mapping[str, object]]:
    return (entry for entry in _walk(described) if isinstance(entry.get("fieldName"), str) and "dataType" in entry)


def _labels(value: object) -> Iterator[tuple[str, str]]:
    """Item id and label wherever they stand: the vendor does not document the place, and tenants differ."""
    for entry in _walk(value):
        identity = next((entry[k] for k in ("Gsid", "gsid", "itemId", "id", "value") if isinstance(entry.get(k), str)), None)
        label = next((entry[k] for k in ("label", "Name", "name", "displayName") if isinstance(entry.get(k), str)), None)
        if isinstance(identity, str) and isinstance(label, str) and "fieldName" not in entry and identity.startswith("1I00"):
            yield identity, label


def _categories(entry: Mapping[str, object]) -> Iterator[str]:
    for part in _walk(entry):
        for name, value in part.items():
            if "category" in name.lower() and isinstance(value, str) and payload.word(value) == value:
                yield value
