"""A Gainsight CS (NXT) tenant on this computer: object query and writes, cockpit lists, metadata, delete logs, hints.

Demo credentials (fixed, worth nothing outside a rehearsal):

- access key `demo-gainsight-access-key` (header `Accesskey`), or
- M2M OAuth client id `demo-client-id`, client secret `demo-client-secret`;
- hints carry `X-Gainsight-Token: demo-gainsight-hint-token` unless the command line gives another secret.

Environment: `GAINSIGHT_ACCESS_KEY`, `GAINSIGHT_CLIENT_ID`, `GAINSIGHT_CLIENT_SECRET`.

Settings that a rehearsal may turn while it runs, as one object of the collection `settings` (id `settings`) sent to
``/_sim/change``:

- `data_shape`: `auto` (company a list, others `{"records": []}`), `list`, `records`;
- `empty`: `auto` (an empty `data_shape`), `failure_200`, `failure_400` (GSOBJ_1011);
- `minute_limit` (100), `day_limit` (50,000): fixed windows on the clock;
- `token_seconds` (86,400), `forget_tokens` (true: now), `ip_refused` (true: the access key comes from a wrong address);
- `zone_hours` (0): the tenant's zone, for DATE values going out and values without offset coming in;
- `partial_writes` (false), `many_matches` (`all` or `error`), `ignore_select` (false, CTA list),
  `high_volume_log` (false: the object does not exist), `dropped_fields` and `fixed_fields` ({object: [fields]}).

Collections are the query names (`company`, `gs_opportunity`, `call_to_action`...). Loaded documents may carry picklist
labels; they become item GSIDs, which is what every read shows.

Known gaps: no bulk export or import, no timeline or person writes, no Events API, no success-plan writes.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import secrets
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from demo.simulators import vendor
from demo.simulators.gainsight.envelope import failure, success
from demo.simulators.gainsight.metadata import FIELDS, PREFIXES, BadValue, category_id, described, gsid, iso
from demo.simulators.gainsight.rows import Rows
from demo.simulators.gainsight.writes import Writes, known_object
from demo.simulators.vendor import DEFAULT, Collection, Halt, Json, Request, Response, route

ACCESS_KEY = "demo-gainsight-access-key"
CLIENT_ID = "demo-client-id"
CLIENT_SECRET = "demo-client-secret"
HINT_TOKEN = "demo-gainsight-hint-token"

TOKEN_PATH = "/v1/users/m2m/oauth/token"
DELETES_KEPT = timedelta(days=15)
_HINTED = ("company", "gs_opportunity", "call_to_action")


class Vendor(vendor.Vendor):
    """See the package's docstring."""

    name = "gainsight"
    collections = (
        *(Collection(name, key="Gsid", columns={"modified": "$.ModifiedDate"}) for name in FIELDS),
        Collection("picklist_items", key="Gsid", internal=True),
        Collection("record_delete_log", key="RecordId", internal=True),
        Collection("deleted_ctas", key="Gsid", internal=True),
        Collection("settings", internal=True),
    )
    default_secret = HINT_TOKEN

    def setup(self) -> None:
        """Picklists, credentials, settings."""
        self.rows = Rows(self.store)
        self.writes = Writes(self.store, self.rows, self.change)
        self._access_key = os.environ.get("GAINSIGHT_ACCESS_KEY", ACCESS_KEY)
        client = os.environ.get("GAINSIGHT_CLIENT_ID", CLIENT_ID), os.environ.get("GAINSIGHT_CLIENT_SECRET", CLIENT_SECRET)
        self._client = ":".join(client)
        self._tokens: dict[str, float] = {}
        self._windows: dict[str, tuple[int, int]] = {}
        self._gate = threading.Lock()
        self.settings: Json = {}
        with self.store.transaction():
            self.rows.plant_items()
        self._follow(self.store.get("settings", "settings") or {})

    def _follow(self, settings: Json) -> None:
        self.settings = settings
        self.rows.zone = timedelta(hours=float(settings.get("zone_hours", 0)))
        self.rows.dropped = {name: frozenset(fields) for name, fields in settings.get("dropped_fields", {}).items()}
        self.writes.partial = bool(settings.get("partial_writes"))
        self.writes.many_matches = str(settings.get("many_matches", "all"))
        if settings.get("forget_tokens"):
            self._tokens.clear()

    # -- the frame's hooks ----------------------------------------------------------------------------------------

    def admit(self, request: Request) -> Response | None:
        """Credentials, address, fixed windows."""
        if request.path == TOKEN_PATH:
            return None
        key, bearer = request.headers.get("Accesskey"), request.headers.get("Authorization")
        if (key is None) == (bearer is None):
            return failure(400, "GSOBJ_1024", "Invalid authorization headers")
        if key is not None:
            if self.settings.get("ip_refused"):
                return failure(401, "GS_APIG_2402", "IP Address does not lie in range of whitelisted ips")
            if not hmac.compare_digest(key.encode(), self._access_key.encode()):
                return failure(401, "GS_APIG_2401", "Unauthorized")
        else:
            token = str(bearer).removeprefix("Bearer ").strip()
            if self._tokens.get(token, 0) <= self.store.clock():
                return failure(401, "GS_APIG_2401", "Unauthorized")
        return self._counted()

    def _counted(self) -> Response | None:
        now = int(self.store.clock())
        limits = (("minute", 60, int(self.settings.get("minute_limit", 100))),
                  ("day", 86400, int(self.settings.get("day_limit", 50_000))))  # fmt: skip
        with self._gate:
            for name, seconds, most in limits:
                window, count = self._windows.get(name, (0, 0))
                count = count + 1 if window == now // seconds else 1
                self._windows[name] = (now // seconds, count)
                if count > most:
                    return failure(429, None, "Too many requests")
        return None

    def trouble(self, request: Request, status: int, message: str) -> Response:
        """The vendor's envelope for a bare status."""
        return failure(status, "GSOBJ_1023" if status in (404, 405) else None, message)

    def sign(self, body: bytes, secret: str, at: int) -> Mapping[str, str]:
        """A rules-engine call carries the shared token, no signature."""
        return {"X-Gainsight-Token": secret}

    def effect_key(self, request: Request) -> str | None:
        """The operation reference in the first record, else the record's id."""
        if request.method not in ("POST", "PUT") or not request.body.startswith(b"{"):
            return None
        try:
            body = request.json()
        except ValueError:
            return None
        records = body.get("records") or [entry.get("record", {}) for entry in body.get("requests", [])]
        first = records[0] if records and isinstance(records[0], dict) else {}
        found = first.get("HoldReference__gc") or first.get("OperationId__gc") or first.get("Gsid")
        return str(found) if found else None

    def loading(self, collection: str, document: Json) -> Json:
        """Loaded history in its stored form. Raises ValueError for unknown fields and values."""
        if collection not in FIELDS:
            return document
        extra = {"associatedRecords": document["associatedRecords"]} if "associatedRecords" in document else {}
        own = {name: value for name, value in document.items() if name != "associatedRecords"}
        return self.rows.complete(collection, own, grow=True) | extra

    def change(self, collection: str, before: Json | None, after: Json | None, event: str | None = DEFAULT) -> Json:
        """Any change of a record: stamped, stored or logged as deleted, hinted at."""
        if collection not in FIELDS:
            body = self.store.put(collection, after or {"id": "settings"})
            if collection == "settings":
                self._follow(body)
            return body
        now = iso(datetime.fromtimestamp(self.store.clock(), UTC))
        if after is None:
            assert before is not None
            self._delete(collection, before, now)
            self._hint(collection, before["Gsid"], now, event)
            return before
        row = self.loading(collection, after)
        if before is None:
            number = self.store.next_number(f"gsid of {collection}")
            row = {"Gsid": gsid(PREFIXES[collection], "made", collection, number), "CreatedDate": now} | row
        if row.get("ModifiedDate") == (before or {}).get("ModifiedDate"):
            row["ModifiedDate"] = now
        self.store.put(collection, row)
        self._hint(collection, row["Gsid"], row["ModifiedDate"], event)
        return row

    def _delete(self, collection: str, row: Json, now: str) -> None:
        self.store.remove(collection, row["Gsid"])
        label = "".join(part.title() for part in collection.split("_"))
        self.store.put("record_delete_log", {"RecordId": row["Gsid"], "DeletedOn": now[:19] + "Z", "ObjectName": label})
        if collection == "call_to_action":
            self.store.put("deleted_ctas", row | {"ModifiedDate": now})

    def _hint(self, collection: str, id: str, at: str, event: str | None) -> None:
        if event is not None and collection in _HINTED:
            self.deliver(collection, {"object": collection, "gsid": id, "modifiedDate": at})

    # -- tokens ---------------------------------------------------------------------------------------------------

    @route("POST", TOKEN_PATH, reads=True)
    def token(self, request: Request) -> Response:
        """M2M OAuth: Basic credentials, form body."""
        scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
        try:
            given = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            given = ""
        if scheme.lower() != "basic" or not hmac.compare_digest(given.encode(), self._client.encode()):
            return failure(401, "GS_APIG_2401", "Unauthorized")
        if dict(request.form()).get("grant_type") != "client_credentials":
            return failure(400, "GS_APIG_2401", "grant_type must be client_credentials")
        token = secrets.token_urlsafe(32)
        now = self.store.clock()
        self._tokens = {t: until for t, until in self._tokens.items() if until > now}
        self._tokens[token] = now + float(self.settings.get("token_seconds", 86400))
        return Response.of({"access_token": token, "token_type": "Bearer", "expires_in": 86400})

    # -- metadata -------------------------------------------------------------------------------------------------

    @route("POST", "/v1/meta/services/objects/describe", reads=True)
    def describe(self, request: Request) -> Response:
        """Fields of several objects; pick-list options only with `populatePickListOptions`."""
        body = _body(request)
        names = body.get("objectNames")
        if not isinstance(names, list) or not names:
            return failure(400, "GSOBJ_1008", "objectNames must be a list that is not empty")
        with_options = str(body.get("populatePickListOptions", "false")).lower() == "true"
        return success([self._described(known_object(str(name)), with_options) for name in names])

    @route("GET", "/v1/meta/services/objects/{object}/describe")
    def describe_one(self, request: Request, object: str) -> Response:
        """Fields of one object, as a list of one."""
        return success([self._described(known_object(object), False)])

    def _described(self, object: str, with_options: bool) -> Json:
        items = {
            field.name: [{"label": item["Name"], "value": item["Gsid"], "active": True, "systemName": item["Name"],
                          "groupId": category_id(object, field.name), "displayOrder": number}
                         for number, item in enumerate(self.rows.items(object, field.name), 1)]
            for field in FIELDS[object].values() if field.type == "PICKLIST" and with_options
        }  # fmt: skip
        fixed = frozenset(self.settings.get("fixed_fields", {}).get(object, ()))
        return described(object, items, self.rows.dropped.get(object, frozenset()), fixed)

    @route("GET", "/v1/meta/services/dropdowns/{category}")
    def dropdown(self, request: Request, category: str) -> Response:
        """The items of one dropdown category."""
        about, items = self.rows.category(category)
        if about is None:
            return failure(400, "OBJECT_NOT_FOUND", "Requested category not found")
        children = [{"gsid": item["Gsid"], "name": item["Name"], "active": True, "displayOrder": number}
                    for number, item in enumerate(items, 1)]  # fmt: skip
        return success({"categoryDetails": about, "childItems": children})

    # -- reads ----------------------------------------------------------------------------------------------------

    @route("POST", "/v1/data/objects/query/record_delete_log", reads=True)
    def delete_log(self, request: Request) -> Response:
        """What was deleted in the last fifteen days; `DeletedOn` is ISO text here."""
        oldest = iso(datetime.fromtimestamp(self.store.clock(), UTC) - DELETES_KEPT)
        body = _body(request)
        found = [row for row in self.store.select("record_delete_log") if row["DeletedOn"] >= oldest[:19]]
        select = body.get("select") or ["RecordId", "DeletedOn", "ObjectName"]
        if unknown := set(select) - {"RecordId", "DeletedOn", "ObjectName"}:
            return failure(400, "GSOBJ_1008", f"Invalid field name {min(unknown)}")
        offset, limit = int(body.get("offset", 0)), int(body.get("limit", 5000))
        return success({"records": [{name: row[name] for name in select} for row in found[offset : offset + limit]]})

    @route("POST", "/v1/data/objects/query/record_delete_log_high_volume", reads=True)
    def delete_log_high_volume(self, request: Request) -> Response:
        """Many tenants do not have this object."""
        if self.settings.get("high_volume_log"):
            return success({"records": []})
        return failure(400, "OBJECT_NOT_FOUND", "Requested object not found")

    @route("POST", "/v1/data/objects/query/{object}", reads=True)
    def query(self, request: Request, object: str) -> Response:
        """The object query."""
        name = known_object(object)
        try:
            found = self.rows.query(name, _body(request))
        except BadValue as wrong:
            return failure(400, wrong.code, str(wrong))
        mode = str(self.settings.get("empty", "auto"))
        if not found and mode != "auto":
            return failure(200 if mode == "failure_200" else 400, "GSOBJ_1011", "No entity matches the given criteria")
        shape = str(self.settings.get("data_shape", "auto"))
        as_list = shape == "list" or (shape == "auto" and name == "company")
        return success(found if as_list else {"records": found})

    @route("POST", "/v2/cockpit/cta/list", reads=True)
    def list_ctas(self, request: Request) -> Response:
        """CTAs in the cockpit's own dialect."""
        return self._cockpit("call_to_action", request)

    def _cockpit(self, object: str, request: Request) -> Response:
        try:
            found, _, _ = self.rows.cockpit(object, _body(request), ignore_select=bool(self.settings.get("ignore_select")))
        except BadValue as wrong:
            return failure(200, "COCKPIT_5101", str(wrong), {})
        return success(found)

    @route("POST", "/v2/cockpit/cta/deleted/list", reads=True)
    def list_deleted_ctas(self, request: Request) -> Response:
        """CTAs deleted in the last fifteen days; `DueDate` is a date only here."""
        body = _body(request)
        size, number = int(body.get("pageSize", 100)), int(body.get("pageNumber", 1))
        oldest = iso(datetime.fromtimestamp(self.store.clock(), UTC) - DELETES_KEPT)
        rows = [row for row in self.store.select("deleted_ctas") if row["ModifiedDate"] >= oldest]
        page = [row | {"DueDate": str(row["DueDate"])[:10]} if row.get("DueDate") else row
                for row in rows[(number - 1) * size : number * size]]  # fmt: skip
        answer: Json = {"pageSize": size, "currentPageNum": number}
        return success(page, **answer)

    # -- writes ---------------------------------------------------------------------------------------------------

    @route("POST", "/v1/data/objects/{object}")
    def insert(self, request: Request, object: str) -> Response:
        """At most 50 new records."""
        return self.writes.insert(known_object(object), _body(request))

    @route("PUT", "/v1/data/objects/{object}")
    def update(self, request: Request, object: str) -> Response:
        """At most 50 changed records, found by `keys`."""
        keys = [key for key in request.query.get("keys", "").split(",") if key]
        return self.writes.update(known_object(object), _body(request), keys)

    @route("DELETE", "/v1/data/objects/{object}/{id}")
    def delete(self, request: Request, object: str, id: str) -> Response:
        """One record gone; the delete log keeps its id for fifteen days."""
        return self.writes.delete(known_object(object), id)

    @route("POST", "/v2/cockpit/cta")
    def create_ctas(self, request: Request) -> Response:
        """New CTAs."""
        return self.writes.write_ctas(_body(request), create=True)

    @route("PUT", "/v2/cockpit/cta")
    def update_ctas(self, request: Request) -> Response:
        """Changed CTAs."""
        return self.writes.write_ctas(_body(request), create=False)


def _body(request: Request) -> dict[str, Any]:
    try:
        body = request.json() if request.body.strip() else {}
    except ValueError as wrong:
        raise Halt(failure(400, "GSOBJ_1008", f"The body is not JSON: {wrong}")) from wrong
    if not isinstance(body, dict):
        raise Halt(failure(400, "GSOBJ_1008", "The body must be a JSON object"))
    return body
