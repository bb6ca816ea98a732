"""Marks that carry meaning by shape as well as by colour. Pure."""

from __future__ import annotations

from django.utils.html import format_html
from django.utils.safestring import SafeString

from revops.cases.models import Severity

_SHAPES = {
    Severity.CRITICAL: ("critical", '<path d="M8 1l6.1 3.5v7L8 15l-6.1-3.5v-7z"/>'),
    Severity.HIGH: ("high", '<path d="M8 2l7 12H1z"/>'),
    Severity.MEDIUM: ("medium", '<path d="M8 1l7 7-7 7-7-7z"/>'),
    Severity.LOW: ("low", '<circle cx="8" cy="8" r="5.5"/>'),
}


def _draw(severity: Severity) -> SafeString:
    name, shape = _SHAPES[severity]
    return format_html(
        '<span class="sev {}"><svg viewBox="0 0 16 16" aria-hidden="true">{}</svg>{}</span>',
        name,
        SafeString(shape),
        severity.label,
    )


TONES = {
    **dict.fromkeys(("confirmed", "applied", "closed"), "ok"),
    **dict.fromkeys(("submitted", "released", "sending", "posted", "pending", "awaiting_evidence"), "low"),
    **dict.fromkeys(("unknown", "superseded", "late"), "medium"),
    **dict.fromkeys(("void", "expired", "partly_posted"), "high"),
    **dict.fromkeys(("rejected", "refused", "failed", "quarantined", "conflict"), "critical"),
}
"""State of a case, plan, posting, delivery or ledger entry -> colour of its badge; absent: no colour."""
MARKS = {
    **dict.fromkeys(("confirmed", "applied", "closed"), "✓"),
    **dict.fromkeys(("rejected", "refused", "failed", "quarantined"), "✕"),
    "unknown": "?",
    **dict.fromkeys(("void", "expired"), "⊘"),
    "partly_posted": "◐",
    "superseded": "◷",
    "pending": "…",
}
"""State -> the mark before its words, so that colour never carries it alone."""
_DRAWN = {severity: _draw(severity) for severity in Severity}


def severity_html(severity: Severity) -> SafeString:
    """⬢ Critical, ▲ High, ◆ Medium, ○ Low."""
    return _DRAWN[severity]
