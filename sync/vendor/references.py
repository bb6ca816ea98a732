"""References that a payload carries. Pure.

An id in a payload means nothing without the system that gave it. Ids of the vendor's own objects belong to the connection that
was read. Which connection a foreign id belongs to, and which field holds a contract number, is declared in the connection's
settings: what is not declared is not understood as a reference.
"""

from __future__ import annotations

from revops.reference import Ref
from sync.vendor.contract import Config, Misunderstood, Setting

PLAIN = "plain"
CRM_SETTINGS: tuple[Setting, ...] = (
    Setting("crm_connection", "CRM", required=False, help="Slug of the connection whose customer and contract ids stand here."),
    Setting(
        "crm_id_form",
        "Form of the CRM's ids",
        required=False,
        default="salesforce",
        help="The vendor whose ids these are, when it writes one id in several forms (salesforce); plain: as they are written.",
    ),
)
BILLING_SETTING = Setting(
    "billing_connection", "Billing", required=False, help="Slug of the connection whose ids stand in documents' external ids."
)


def own(config: Config, object_type: str, identity: str | None) -> Ref | None:
    """An object of this connection, by its id; None without an id."""
    return Ref(config.slug, object_type, identity) if identity else None


def in_crm(config: Config, object_type: str, identity: str | None, where: str) -> Ref | None:
    """An object of the declared CRM, by its id; None without an id or a declared CRM. Raises `Misunderstood` for what is no id
    of the declared form."""
    slug = config.get("crm_connection")
    if not identity:
        return None
    form = config.get("crm_id_form", "salesforce")
    if form not in config.id_forms and form != PLAIN:
        names = ", ".join([*sorted(config.id_forms), PLAIN])
        raise Misunderstood(f"The setting of the form of the CRM's ids must be one of {names}.", "setting_invalid")
    known = identity if form == PLAIN else config.id_forms[form](identity, where)
    return Ref(slug, object_type, known) if slug else None


def contract_numbered(config: Config, number: str | None) -> Ref | None:
    """The contract of the declared CRM that bears this number; None without a number or a declared CRM."""
    slug = config.get("crm_connection")
    return Ref.numbered(slug, "contract", number) if slug and number else None


def in_billing(config: Config, object_type: str, identity: str | None) -> Ref | None:
    """An object of the declared billing connection, by its id; None without an id or a declared connection."""
    slug = config.get("billing_connection")
    return Ref(slug, object_type, identity) if slug and identity else None
