"""Writing transactions: periods, lines, the general ledger, external ids. Every write runs in one transaction."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from demo.simulators.netsuite import bodies, tables
from demo.simulators.netsuite.applications import Applications
from demo.simulators.netsuite.documents import Reader, RecordType, amount, item_amount
from demo.simulators.netsuite.errors import refuse_content
from demo.simulators.netsuite.ledger import ADJUSTMENT_ITEM, Draft, Ledger
from demo.simulators.store import Store
from demo.simulators.vendor import Json

_LEDGER_FIELDS = {"tranDate", "postingPeriod", "currency", "exchangeRate", "item", "line", "payment", "subsidiary",
                  "entity", "customer", "account", "arAcct", "undepFunds", "approved"}  # fmt: skip


class Booking:
    """Creates, changes and removes transactions."""

    def __init__(self, store: Store, reader: Reader) -> None:
        self.store = store
        self.reader = reader
        self.applications = Applications(store, reader)
        self.ledger = Ledger(store)
        self.applies_when_created = True
        """Whether the apply lines of a transaction that is made from nothing are followed as it is created."""
        self.mandatory: frozenset[str] = frozenset()
        """What the account demands of each new credit memo: `location`, `class`, `department`."""

    def stamp(self) -> str:
        """The account's clock, as documents store moments."""
        return datetime.fromtimestamp(self.store.clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    # -- the calls ------------------------------------------------------------------------------------------------

    def create(self, kind: RecordType, body: Json, source: Json | None = None, replace: frozenset[str] = frozenset()) -> Json:
        """A new transaction, from nothing or from `source` (transform). Returns its header row. Raises Halt."""
        self.claim_external_id(kind, body.get("externalId"), None)
        for field in sorted(self.mandatory if kind.code == "CustCred" and source is None else ()):
            if body.get(field) is None:
                raise refuse_content(f"Please enter value(s) for: {field.capitalize()}", field, "USER_ERROR")
        id = self.next_id()
        now = self.stamp()
        row: Json = {
            "id": id, "type": kind.code, "createddate": now, "void": "F", "voided": "F",
            "tranid": body.get("tranId") or f"{kind.prefix}{id}", "transactionnumber": f"{kind.prefix}{id}",
            "trandate": now[:10], "isreversal": "F",
        }  # fmt: skip
        if source is not None:
            row |= {name: source.get(name) for name in ("entity", "currency", "exchangerate", "memo", "otherrefnum")}
        row = self._overlay(kind, row, body)
        lines = self._lines_wanted(kind, body, source, replace)
        self._book(Draft(kind, row, body, lines, self._subsidiary(row, body, source), source))
        if self.applies_when_created or source is not None:
            self._apply(kind, row, body, source)
        return self.current(id)

    def change(self, kind: RecordType, row: Json, body: Json, replace: frozenset[str] = frozenset()) -> Json:
        """PATCH: only what the body names. Returns the header row. Raises Halt."""
        if "externalId" in body:
            self.claim_external_id(kind, body["externalId"], row["id"])
        ledger = bool(_LEDGER_FIELDS.intersection(body))
        if kind.posting:
            self._open_period(kind, self._period(row.get("postingperiod")), "postingPeriod", ledger or "apply" in body)
        changed = self._overlay(kind, dict(row), body)
        if ledger:
            lines = self._lines_wanted(kind, body, row, replace)
            subsidiary = self._subsidiary(row, body, row)
            main = self.reader.main_line(row["id"])
            kept = row | {"createdfrom": main.get("createdfrom"), "mainaccount": main.get("expenseaccount")}
            self._clear(row["id"])
            self._book(Draft(kind, changed, body, lines, subsidiary, kept))
        else:
            self._put("transaction", changed | {"lastmodifieddate": self.stamp()})
        self._apply(kind, changed, body, None)
        return self.current(row["id"])

    def remove(self, kind: RecordType, row: Json) -> None:
        """DELETE: leaves only a line in `deletedrecord`. Raises Halt for linked or locked documents."""
        if kind.posting:
            self._open_period(kind, self._period(row.get("postingperiod")), "postingPeriod", True)
        if self.reader.applications("previousdoc", row["id"]):
            raise refuse_content("This transaction cannot be deleted because it is linked to by other transactions.")
        self.applications.release_all(row, self.stamp())
        self._clear(row["id"])
        self.store.remove("transaction", str(row["id"]))
        self.note_deletion(kind, row["id"], str(row.get("tranid")))

    def note_deletion(self, kind: RecordType, id: int, name: str) -> None:
        """The only trace a deletion leaves. Its type is a word such as `CreditMemo`."""
        gone = {"deleteddate": self.stamp(), "deletedby": -5, "name": name, "recordid": id,
                "type": kind.rest[0].upper() + kind.rest[1:], "context": "RESTWEBSERVICES", "iscustomrecord": "F",
                "iscustomlist": "F"}  # fmt: skip
        self._put("deletedrecord", gone)

    def current(self, id: int) -> Json:
        """The header row as it stands."""
        row = self.store.get("transaction", str(id))
        assert row is not None
        return row

    def claim_external_id(self, kind: RecordType, wanted: Any, own_id: int | None) -> None:
        """External ids are unique within a record type. Raises Halt when another record has it."""
        if wanted is None:
            return
        other = self.reader.locate(kind, f"eid:{bodies.external_id(wanted)}")
        if other is not None and other["id"] != own_id:
            raise refuse_content("This record already exists.", "externalId", "USER_ERROR")

    def next_id(self, table: str = "transaction") -> int:
        """An internal id that was never used, above every id loaded so far."""
        highest = self.store.rows(f"SELECT COALESCE(MAX(id), 0) AS top FROM ns_{table}")[0]["top"]
        name = f"id of {table}"
        self.store.run(
            "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = max(value + 1, excluded.value)",
            [name, highest + 1],
        )
        return int(self.store.rows("SELECT value FROM counters WHERE name = ?", [name])[0]["value"])

    # -- header ---------------------------------------------------------------------------------------------------

    def _overlay(self, kind: RecordType, row: Json, body: Json) -> Json:
        for field, column in (("memo", "memo"), ("otherRefNum", "otherrefnum"), ("tranId", "tranid"),
                              ("externalId", "externalid")):  # fmt: skip
            if field in body:
                row[column] = None if body[field] is None else str(body[field])
        for field, column in (("tranDate", "trandate"), ("dueDate", "duedate"), ("startDate", "startdate"),
                              ("endDate", "enddate"), ("reversalDate", "reversaldate")):  # fmt: skip
            if body.get(field) is not None:
                row[column] = bodies.day(body[field], field)
        for field, column, table in (("entity", "entity", "customer"), ("customer", "entity", "customer"),
                                     ("currency", "currency", "currency"), ("terms", "terms", "term"),
                                     ("postingPeriod", "postingperiod", "accountingperiod")):  # fmt: skip
            if body.get(field) is not None:
                row[column] = bodies.reference(self.store, table, body[field], field)
        if "tranDate" in body and "postingPeriod" not in body:
            row["postingperiod"] = None
        if kind.code != "Journal" and row.get("entity") is None:
            raise refuse_content("Please enter value(s) for: Customer", "customer" if kind.code == "CustPymt" else "entity")
        if row.get("currency") is None:
            customer = self.store.get("customer", str(row.get("entity"))) or {}
            row["currency"] = customer.get("currency")
        if row.get("currency") is None:
            raise refuse_content("Please enter value(s) for: Currency", "currency")
        return row

    def _subsidiary(self, row: Json, body: Json, source: Json | None) -> int:
        if body.get("subsidiary") is not None:
            return bodies.reference(self.store, "subsidiary", body["subsidiary"], "subsidiary")
        if source is not None and (found := self.reader.main_line(source["id"]).get("subsidiary")):
            return int(found)
        customer = self.store.get("customer", str(row.get("entity"))) or {}
        found = customer.get("subsidiary")
        if found is None:
            links = self.store.rows(
                "SELECT subsidiary FROM ns_customersubsidiaryrelationship WHERE entity = ?"
                " ORDER BY isprimarysub DESC LIMIT 1", [row.get("entity")],
            )  # fmt: skip
            found = links[0]["subsidiary"] if links else None
        if found is None:
            raise refuse_content("Please enter value(s) for: Subsidiary", "subsidiary")
        return int(found)

    # -- periods and rates ----------------------------------------------------------------------------------------

    def _period(self, id: Any) -> Json | None:
        return self.store.get("accountingperiod", str(id)) if id is not None else None

    def _period_for(self, day: str) -> Json | None:
        found = self.store.select("accountingperiod")
        return next(
            (p for p in found
             if p.get("startdate", "9") <= day <= p.get("enddate", "0") and p.get("isinactive") != "T"
             and "T" not in (p.get("isquarter"), p.get("isyear"), p.get("isadjust"))),
            None,
        )  # fmt: skip

    def _open_period(self, kind: RecordType, period: Json | None, path: str, ledger: bool) -> None:
        """Refuse a closed or locked period. Changes that do not touch the ledger pass where the period allows them."""
        if period is None:
            return
        locks = ("closed", "alllocked") if kind.code == "Journal" else ("closed", "alllocked", "arlocked")
        if "T" not in [period.get(lock) for lock in locks]:
            return
        if not ledger and period.get("allownonglchanges") == "T" and period.get("closed") != "T":
            return
        raise refuse_content(f"You cannot add or change transactions in the locked period {period.get('periodname')}.", path)

    def _rate(self, row: Json, body: Json, base: int) -> Decimal:
        if body.get("exchangeRate") is not None:
            return bodies.money(body["exchangeRate"], "exchangeRate")
        if row.get("currency") == base:
            return Decimal(1)
        if row.get("exchangerate") is not None:
            return amount(row["exchangerate"])
        rates = self.store.select("consolidatedexchangerate")
        for rate in rates:
            same = (rate.get("postingperiod"), rate.get("fromcurrency"), rate.get("tocurrency"))
            if same == (row.get("postingperiod"), row.get("currency"), base):
                return amount(rate.get("currentrate"))
        raise refuse_content("Please enter value(s) for: Exchange Rate", "exchangeRate")

    def _places(self, currency: int) -> int:
        found = self.store.get("currency", str(currency)) or {}
        return int(found.get("currencyprecision", 2))

    # -- lines ----------------------------------------------------------------------------------------------------

    def _lines_wanted(self, kind: RecordType, body: Json, source: Json | None, replace: frozenset[str]) -> list[Json]:
        """Item lines (or journal lines) after the body: keyed lines merge, others append, `replace` starts afresh."""
        name = "line" if kind.code == "Journal" else "item"
        lines: list[Json] = []
        if source is not None and name not in replace:
            lines = self._lines_of(kind, source)
        for number, given in enumerate(body.get(name, ())):
            path = f"{name}.items[{number}]"
            line = next((old for old in lines if "line" in given and str(old.get("line")) == str(given["line"])), None)
            if line is None:
                line = {}
                lines.append(line)
            line |= self._parsed_line(name, given, line, path)
        return lines

    def _lines_of(self, kind: RecordType, source: Json) -> list[Json]:
        if kind.code == "Journal":
            return [
                {"line": line["id"], "account": line.get("expenseaccount"), "memo": line.get("memo"),
                 "entity": line.get("entity"), "debit": amount(line.get("debitforeignamount")),
                 "credit": amount(line.get("creditforeignamount"))}
                for line in self.reader.lines(source["id"])
            ]  # fmt: skip
        lines = [
            {"line": line["id"], "item": line.get("item"), "memo": line.get("memo"), "quantity": line.get("quantity"),
             "rate": line.get("rate"), "amount": item_amount(source, line), "account": line.get("expenseaccount"),
             "taxline": line.get("taxline", "F")}
            for line in self.reader.lines(source["id"]) if line.get("mainline") != "T"
        ]  # fmt: skip
        return lines or [{"line": 1, "item": ADJUSTMENT_ITEM, "amount": self.reader.total(source)}]

    def _parsed_line(self, name: str, given: Json, old: Json, path: str) -> Json:
        out: Json = {"memo": given.get("description", given.get("memo", old.get("memo")))}
        if name == "line":
            account = given.get("account", old.get("account"))
            out["account"] = bodies.reference(self.store, "account", account, f"{path}.account")
            for side in ("debit", "credit"):
                out[side] = bodies.money(given.get(side) or old.get(side) or 0, f"{path}.{side}")
            if given.get("entity") is not None:
                out["entity"] = bodies.reference(self.store, "customer", given["entity"], f"{path}.entity")
            return out
        out["item"] = bodies.reference(self.store, "item", given.get("item", old.get("item")), f"{path}.item")
        quantity = bodies.money(given.get("quantity") or old.get("quantity") or 1, f"{path}.quantity")
        if given.get("amount") is not None:
            total = bodies.money(given["amount"], f"{path}.amount")
        elif given.get("rate") is not None:
            total = bodies.money(given["rate"], f"{path}.rate") * quantity
        elif old.get("amount") is not None:
            total = old["amount"]
        else:
            raise refuse_content("Please enter value(s) for: Amount", f"{path}.amount")
        return out | {"quantity": quantity, "rate": given.get("rate", old.get("rate")), "amount": total}

    # -- the ledger -----------------------------------------------------------------------------------------------

    def _book(self, draft: Draft) -> None:
        """Header, lines and balanced ledger lines, in the subsidiary's base currency."""
        kind, row, body, subsidiary = draft.kind, draft.row, draft.body, draft.subsidiary
        base = int((self.store.get("subsidiary", str(subsidiary)) or {}).get("currency") or row["currency"])
        if kind.posting:
            period = self._period(row.get("postingperiod")) or self._period_for(row["trandate"])
            if period is None:
                raise refuse_content("ACCTNG_PRD_REQD: no accounting period exists for this date.", "postingPeriod")
            row["postingperiod"] = period["id"]
            self._open_period(kind, period, "postingPeriod", True)
        row["exchangerate"] = self._rate(row, body, base)
        places = self._places(row["currency"])
        if kind.code == "Journal":
            entries, total = self.ledger.journal_entries(draft.lines, places), None
            approved = bool(body.get("approved", row.get("status") != "A"))
            row |= {"status": "B" if approved else "A", "posting": "T" if approved else "F",
                    "approvalstatus": 2 if approved else 1}  # fmt: skip
        else:
            entries, total = self.ledger.sales_entries(draft, places)
            row |= self._opening_state(kind, row, body, total)
        for field, table in (("location", "location"), ("class", "classification"), ("department", "department")):
            if body.get(field) is not None:
                segment = bodies.reference(self.store, table, body[field], field)
                entries = [entry | {field: segment} for entry in entries]
        row["lastmodifieddate"] = self.stamp()
        self._put("transaction", row)
        self.ledger.write_lines(row, entries, subsidiary)
        self.ledger.write_accounting(row, entries, self._places(base))

    def _opening_state(self, kind: RecordType, row: Json, body: Json, total: Decimal) -> Json:
        used = self.reader.applied(row) if kind.code in ("CustCred", "CustPymt") else Decimal(0)
        covered = sum(self.reader.applications("previousdoc", row["id"]).values(), Decimal(0))
        if max(used, covered) > total:
            raise refuse_content("The total must not be less than the amount already applied.", "item", "USER_ERROR")
        match kind.code:
            case "CustInvc":
                return {"foreigntotal": total, "foreignamountpaid": covered, "foreignamountunpaid": total - covered,
                        "status": "B" if covered and covered == total else "A", "approvalstatus": 2,
                        "posting": "T"}  # fmt: skip
            case "CustCred" | "CustPymt":
                sign = -1 if kind.code == "CustCred" else 1
                letter = "A" if total > used else "B"
                if kind.code == "CustPymt":
                    letter = "C" if body.get("account") or row.get("status") == "C" else "B"
                return {"foreigntotal": sign * total, "foreignpaymentamountused": used,
                        "foreignpaymentamountunused": total - used, "status": letter, "posting": "T"}  # fmt: skip
            case _:
                order = body.get("orderStatus")
                letter = str(order.get("id")) if isinstance(order, dict) else row.get("status") or "B"
                return {"foreigntotal": total, "status": letter, "posting": "F"}

    def _clear(self, id: int) -> None:
        for table in ("transactionline", "transactionaccountingline"):
            for row in self.store.select(table, '"transaction" = ?', [id]):
                self.store.remove(table, row["_key"])

    def _put(self, table: str, row: Json) -> None:
        self.store.put(table, tables.row_of(table, row))

    # -- applications ---------------------------------------------------------------------------------------------

    def _apply(self, kind: RecordType, row: Json, body: Json, source: Json | None) -> None:
        if kind.code not in ("CustCred", "CustPymt"):
            return
        wishes: list[tuple[int, Decimal | None]] = []
        for number, line in enumerate(body.get("apply", ())):
            path = f"apply.items[{number}]"
            invoice = bodies.reference(self.store, "transaction", line.get("doc"), f"{path}.doc")
            wanted = bodies.money(line["amount"], f"{path}.amount") if line.get("amount") is not None else None
            wishes.append((invoice, Decimal(0) if line.get("apply", True) is False else wanted))
        if source is not None and "apply" not in body and source.get("type") == "CustInvc" and source["id"] != row["id"]:
            wishes.append((source["id"], None))
        now = self.stamp()
        for invoice, wanted in sorted(wishes, key=lambda wish: wish[1] != 0):
            self.applications.set_amount(self.current(row["id"]), invoice, wanted, now)
