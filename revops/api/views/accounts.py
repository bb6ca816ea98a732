"""Accounts with their ledger, and the records of the systems."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from revops.access.rules import require
from revops.accounts.models import Account
from revops.api.base import View
from revops.api.pagination import NewestFirst, OldestFirst
from revops.api.schema import number, query
from revops.api.serializers import AccountSerializer, EntrySerializer, LedgerSerializer, RecordSerializer
from revops.ledger.facts import encode
from revops.ledger.models import LedgerEntry, SourceRecord
from revops.ledger.reading import account_ledger
from revops.ledger.statement import StatementLine, statement_lines
from revops.ledger.types import TYPES
from revops.ledger.view import LedgerRecord
from revops.reference import refs_as_json

ACCOUNTS = Account.objects.select_related("legal_entity").prefetch_related("links")
_INSTANTS = [
    query("as_of", description="What was true then: an instant with its zone."),
    query("known_at", description="What we had learned by then."),
]


class Accounts(View):
    pagination_class = OldestFirst

    @extend_schema(responses=AccountSerializer(many=True), parameters=[query("search", description="A part of the name.")])
    def get(self, request: Request) -> Response:
        """The customers, one across all systems."""
        rows = ACCOUNTS.order_by()
        if search := self.text("search"):
            rows = rows.filter(name__icontains=search)
        return self.page(rows, AccountSerializer)


class OneAccount(View):
    @extend_schema(responses=AccountSerializer)
    def get(self, request: Request, key: int) -> Response:
        """One customer with its links."""
        return Response(AccountSerializer(self.row(ACCOUNTS, key)).data)


class AccountLedgerView(View):
    @extend_schema(responses=LedgerSerializer, parameters=_INSTANTS)
    def get(self, request: Request, key: int) -> Response:
        """Everything the systems say about the customer, now or as of a moment, with the statement."""
        require(self.user, "see_ledger")
        account = self.row(ACCOUNTS, key)
        as_of, known_at = self.moment("as_of"), self.moment("known_at")
        self.refuse_unread()
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
    names = ("system", "role", "object_type", "external_id", "version", "effective_at", "recorded_at", "deleted")
    shown = {name: getattr(record, name) for name in names} | {"refs": refs_as_json(record.refs)}
    return shown | {"json_fields": {name: encode(value) for name, value in record.fields.items()}}


def _line(line: StatementLine) -> dict[str, Any]:
    names = ("on", "document", "kind", "system", "status", "debit", "credit", "balance")
    return {name: getattr(line, name) for name in names}


class Records(View):
    pagination_class = NewestFirst

    @extend_schema(
        responses=RecordSerializer(many=True),
        parameters=[
            query("system", description="The slug of a system."),
            query("object_type", many=True, enum=sorted(TYPES)),
            query("external_id", description="The object's id in its system."),
            number("account"),
            query("unlinked", bool, "Only those whose account nobody knows."),
        ],
    )
    def get(self, request: Request) -> Response:
        """The objects of the systems in their latest version."""
        rows = SourceRecord.objects.all()
        if kinds := self.choice("object_type", sorted(TYPES)):
            rows = rows.filter(object_type__in=kinds)
        for name, lookup in (("system", "system_id"), ("external_id", "external_id")):
            if value := self.text(name):
                rows = rows.filter(**{lookup: value})
        if (account := self.number("account")) is not None:
            rows = rows.filter(account=account)
        if self.flag("unlinked"):
            rows = rows.filter(account__isnull=True)
        return self.page(rows, RecordSerializer)


class OneRecord(View):
    @extend_schema(responses=RecordSerializer)
    def get(self, request: Request, key: int) -> Response:
        """One object in its latest version."""
        return Response(RecordSerializer(self.row(SourceRecord.objects.all(), key)).data)


class RecordEntries(View):
    pagination_class = NewestFirst

    @extend_schema(responses=EntrySerializer(many=True))
    def get(self, request: Request, key: int) -> Response:
        """Every version of one object, with the delivery that brought each."""
        record = self.row(SourceRecord.objects.all(), key)
        return self.page(LedgerEntry.objects.filter(record=record), EntrySerializer)
