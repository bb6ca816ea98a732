"""Accounts with their ledger, and the records of the systems."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from revops.access.rules import visible_to
from revops.accounts.models import Account
from revops.api.base import View, choice, moment
from revops.api.pages import OldestFirst
from revops.api.serializers import AccountSerializer, EntrySerializer, LedgerSerializer, RecordSerializer
from revops.ledger.facts import SHAPES, encode
from revops.ledger.models import LedgerEntry, SourceRecord
from revops.ledger.reading import account_ledger
from revops.ledger.statement import StatementLine, statement_lines
from revops.ledger.view import LedgerRecord
from revops.money import Money

ACCOUNTS = Account.objects.select_related("legal_entity").prefetch_related("links")
_INSTANTS = [
    OpenApiParameter("as_of", str, description="What was true then: an instant with its zone."),
    OpenApiParameter("known_at", str, description="What we had learned by then."),
]


class Accounts(View):
    @extend_schema(responses=AccountSerializer(many=True), parameters=[OpenApiParameter("search", str)])
    def get(self, request: Request) -> Response:
        """The customers, one across all systems."""
        rows = ACCOUNTS.order_by()
        if search := request.query_params.get("search", "").strip():
            rows = rows.filter(name__icontains=search[:100])
        return self.page(rows, AccountSerializer, OldestFirst)


class OneAccount(View):
    @extend_schema(responses=AccountSerializer)
    def get(self, request: Request, key: int) -> Response:
        """One customer with its links."""
        return Response(AccountSerializer(self.row(ACCOUNTS, key)).data)


class AccountLedgerView(View):
    @extend_schema(responses=LedgerSerializer, parameters=_INSTANTS)
    def get(self, request: Request, key: int) -> Response:
        """Everything the systems say about the customer, now or as of a moment, with the statement."""
        account = self.row(ACCOUNTS, key)
        as_of, known_at = moment(request, "as_of"), moment(request, "known_at")
        ledger = account_ledger(account, as_of=as_of, known_at=known_at)
        return Response(
            LedgerSerializer(
                {
                    "account": account,
                    "as_of": as_of,
                    "known_at": known_at,
                    "records": [_record(record) for record in ledger.records],
                    "statement": [_line(line) for line in statement_lines(ledger)],
                }
            ).data
        )


def _record(record: LedgerRecord) -> dict[str, Any]:
    names = ("system", "role", "object_type", "external_id", "version", "effective_at", "recorded_at", "deleted", "refs")
    shown = {name: getattr(record, name) for name in names}
    return shown | {"json_fields": {name: encode(value) for name, value in record.fields.items()}}


def _line(line: StatementLine) -> dict[str, Any]:
    def money(value: Money | None) -> dict[str, str] | None:
        return value.as_json() if value is not None else None

    return {
        "on": line.on,
        "document": line.document,
        "kind": line.kind,
        "system": line.system,
        "status": line.status,
        "debit": money(line.debit),
        "credit": money(line.credit),
        "balance": money(line.balance),
    }


class Records(View):
    @extend_schema(
        responses=RecordSerializer(many=True),
        parameters=[
            OpenApiParameter("system", str),
            OpenApiParameter("object_type", str, enum=sorted(SHAPES)),
            OpenApiParameter("external_id", str),
            OpenApiParameter("account", int),
            OpenApiParameter("unlinked", bool),
        ],
    )
    def get(self, request: Request) -> Response:
        """The objects of the systems in their latest version."""
        rows = SourceRecord.objects.all()
        if kinds := choice(request, "object_type", sorted(SHAPES)):
            rows = rows.filter(object_type__in=kinds)
        for name, lookup in (("system", "system_id"), ("external_id", "external_id")):
            if value := request.query_params.get(name):
                rows = rows.filter(**{lookup: value.replace("\x00", "")})
        if (account := request.query_params.get("account", "")).isdecimal():
            rows = rows.filter(account=int(account[:18]))
        if request.query_params.get("unlinked") == "true":
            rows = rows.filter(account__isnull=True)
        return self.page(rows, RecordSerializer)


class OneRecord(View):
    @extend_schema(responses=RecordSerializer)
    def get(self, request: Request, key: int) -> Response:
        """One object in its latest version."""
        return Response(RecordSerializer(self.row(SourceRecord.objects.all(), key)).data)


class RecordEntries(View):
    @extend_schema(responses=EntrySerializer(many=True))
    def get(self, request: Request, key: int) -> Response:
        """Every version of one object, with the delivery that brought each."""
        record = self.row(visible_to(self.user, SourceRecord), key)
        return self.page(LedgerEntry.objects.filter(record=record), EntrySerializer)
