"""Reading Tallybook: invoices in the order of their changes, page by page; the watermark is the last change seen."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from revops import strict_json
from sync.vendor.auth import bearer, call
from sync.vendor.contract import Client, Config, Item, Page, Stream
from sync.vendor.fields import Payload, answer_of
from sync.vendor.paging import Listed, pages

KEY = bearer("api_token")
STREAMS: tuple[Stream, ...] = (Stream("invoices", ("invoice",), overlap_seconds=0),)


def pull(client: Client, config: Config, stream: str, watermark: str, now: dt.datetime) -> Iterator[Page]:
    def ask(cursor: str | None) -> Listed[Payload, str]:
        params = {"since": watermark, "cursor": cursor or ""}
        page = answer_of(call(client, config, KEY, "GET", "/v1/invoices", params=params), "Tallybook page")
        return Listed(list(page.children("invoices")), page.has("next"), page.maybe_text("next"))

    latest = watermark
    for page in pages("Tallybook's list of invoices", ask):
        latest = max([latest, *(row.text("changed_at") for row in page.rows)])
        yield Page(tuple(map(_item, page.rows)), watermark if page.more else latest, done=not page.more)


def read(client: Client, config: Config, object_type: str, external_id: str) -> Item | None:
    answer = call(client, config, KEY, "GET", f"/v1/invoices/{external_id}")
    return None if answer.status == 404 else _item(answer_of(answer, "Tallybook invoice"))


def check(client: Client, config: Config) -> str:
    answer_of(call(client, config, KEY, "GET", "/v1/invoices", params={"since": "9999"}), "Tallybook page")
    return "Tallybook answers."


def _item(row: Payload) -> Item:
    return Item("invoice", f"invoice:{strict_json.content_digest(row.data)[:32]}", strict_json.dump(row.data))
