"""What a case keeps of what was found, in one form for every kind of exception."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict

from revops.detection.rule import Difference, Order, inputs_as_json
from revops.ledger.facts import encode
from revops.ledger.models import SourceRecord
from revops.ledger.view import LedgerRecord
from revops.sentences import Param, Template


def fingerprint_of(rule: str, key: str) -> str:
    """SHA-256 (hex): the identity of what was found about the one thing that `key` names. Findings of rules have their own, over
    all their subjects."""
    return hashlib.sha256(f"{rule}\x1e{key}".encode()).hexdigest()


def evidence_of(
    rule: str,
    inputs: Mapping[Template, Param],
    *,
    records: Iterable[LedgerRecord | SourceRecord] = (),
    differences: Iterable[Difference] = (),
    order: Order | None = None,
) -> dict[str, object]:
    """The evidence of a case, in JSON."""
    return {
        "differences": [_difference(difference) for difference in differences],
        "records": [_reference(record) for record in records],
        "inputs": inputs_as_json(inputs),
        "order": asdict(order) if order is not None else None,
        "rule": rule,
    }


def _reference(record: LedgerRecord | SourceRecord) -> dict[str, object]:
    return {
        "system": record.system if isinstance(record, LedgerRecord) else str(record.system_id),
        "object_type": record.object_type,
        "external_id": record.external_id,
        "version": record.version,
        "label": record.label,
    }


def _difference(difference: Difference) -> dict[str, object]:
    return {
        "field": difference.field,
        "label": difference.label.code,
        "owner": difference.owner,
        "values": [
            {
                "system": record.system,
                "object_type": record.object_type,
                "external_id": record.external_id,
                "value": encode(value),
            }
            for record, value in difference.values
        ],
    }
