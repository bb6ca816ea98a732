"""References that a payload carries. Pure.

An id in a payload means nothing without the system that gave it. Ids of the vendor's own objects belong to the connection that
was read. Which connection a foreign id belongs to, where it stands and how it is written there is declared in the connection's
settings: what is not declared is not understood as a reference.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from revops.ledger.unread import FORM_UNFIT
from revops.reference import Ref
from sync.vendor.contract import Config, Misunderstood, Setting

PLAIN = "plain"
NONE = "none"
"""What a setting says that names no place."""
ID = "{id}"


# --- forms -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Forms:
    """How an id is written, in the order in which the forms are tried: what stands before it and behind it."""

    around: tuple[tuple[str, str], ...]

    def id_in(self, text: str) -> str | None:
        """The id by the first form that fits, without blanks around it; None when none does. Several blanks are one, and the
        case of what stands around the id does not matter; that of the id stays."""
        value = " ".join(text.split())
        for before, behind in self.around:
            if len(value) < len(before) + len(behind):
                continue
            rest, end = value[len(before) :], value[len(value) - len(behind) :]
            found = rest[: len(rest) - len(behind)].strip()
            if found and value[: len(before)].lower() == before and end.lower() == behind:
                return found
        return None


@functools.cache
def forms(text: str) -> Forms:
    """The forms that a setting lists, such as `ST|{id}, Stripe: {id}`; empty for the plain `{id}`. Raises
    `Misunderstood("setting_invalid")` for one that does not hold `{id}` once."""
    listed = [" ".join(form.split()) for form in text.split(",")] if text.strip() else [ID]
    if any(form.count(ID) != 1 for form in listed):
        raise Misunderstood(f"A form holds {ID} once.", "setting_invalid")
    return Forms(tuple((before.lower(), behind.lower()) for before, _, behind in (form.partition(ID) for form in listed)))


def judge_forms(text: str) -> str:
    """Why these are no forms; empty when they are."""
    try:
        forms(text)
    except Misunderstood as why:
        return why.reason
    return ""


def form_setting(name: str, label: str, what: str) -> Setting:
    """The setting of the forms in which `what` is written."""
    return Setting(
        name,
        label,
        required=False,
        steers=False,
        default=ID,
        judge=judge_forms,
        help=f"{what}, such as ST|{ID}. Several with commas between: the first that fits. What fits none is no reference.",
    )


def id_in(config: Config, setting: str, text: str | None, where: str) -> str | None:
    """The id that is written there in the forms of a setting; None for no text. Raises `Misunderstood("form_unfit")` for a text
    that fits none of them."""
    if not text or not text.strip():
        return None
    found = forms(config.get(setting)).id_in(text)
    if found is None:
        raise Misunderstood(f"{where} is written in none of the declared forms.", FORM_UNFIT, raw=text)
    return found


# --- places and words ------------------------------------------------------------------------------------------------


def place(config: Config, setting: str) -> str:
    """The field or key that a setting names; empty when it names none."""
    name = config.get(setting)
    return "" if name == NONE else name


def judge_places(pattern: str, standard: tuple[str, ...] = (), *, several: bool = False) -> Callable[[str], str]:
    """A judge of settings that name a field: one of the standard ones, one of the pattern (all of it), or none."""
    custom = re.compile(pattern, re.ASCII)

    def judge(text: str) -> str:
        named = [name.strip() for name in text.split(",")] if several else [text]
        if text == NONE or all(name in standard or custom.fullmatch(name) for name in named):
            return ""
        return f"{text[:60]} names no field that can be read."

    return judge


def words_of(text: str) -> dict[str, str]:
    """A setting such as `Live=activated, Ended=activated` as a mapping. Commas, semicolons and line ends stand between pairs."""
    parts = [part.partition("=") for part in re.split(r"[,;\n]+", text) if "=" in part]
    return {name.strip(): value.strip() for name, _, value in parts}


def judge_words(ours: Mapping[str, object] | frozenset[str]) -> Callable[[str], str]:
    """A judge of settings that say which of our words a word of the tenant's means, such as `Live=activated`."""

    def judge(text: str) -> str:
        named = words_of(text)
        listed = [part for part in re.split(r"[,;\n]+", text) if part.strip()]
        if len(named) != len(listed) or not all(named):
            return "Write each word once, as theirs=ours with commas between."
        if unknown := sorted(set(named.values()) - set(ours)):
            return f"{', '.join(unknown)[:80]} is none of our words, which are {', '.join(sorted(ours))}."
        return ""

    return judge


# --- settings that several connectors share --------------------------------------------------------------------------

CRM_SETTINGS: tuple[Setting, ...] = (
    Setting(
        "crm_connection",
        "CRM",
        required=False,
        steers=False,
        names_connection=True,
        help="Name of the connection whose customer and contract ids stand here.",
    ),
    Setting(
        "crm_id_form",
        "Form of the CRM's ids",
        required=False,
        steers=False,
        default="salesforce",
        help="The vendor whose ids these are, when it writes one id in several forms (salesforce); plain: as they are written.",
    ),
    form_setting("crm_id_pattern", "How the CRM's id of a customer is written", "What stands around it"),
)
BILLING_CONNECTION = Setting(
    "billing_connection",
    "Billing",
    required=False,
    steers=False,
    names_connection=True,
    help="Name of the connection whose ids stand here.",
)
BILLING_SETTINGS: tuple[Setting, ...] = (
    BILLING_CONNECTION,
    Setting(
        "billing_id_kinds",
        "Kinds of billing's ids",
        required=False,
        steers=False,
        default="stripe",
        help="The vendor whose ids tell by their form what they stand for (stripe); plain: an id stands for a document of "
        "the same kind as the one that carries it.",
    ),
)
ERP_CONNECTION = Setting(
    "erp_connection",
    "ERP",
    required=False,
    steers=False,
    names_connection=True,
    help="Name of the connection whose customer ids stand here.",
)


# --- references ------------------------------------------------------------------------------------------------------


def own(config: Config, object_type: str, identity: str | None) -> Ref | None:
    """An object of this connection, by its id; None without an id."""
    return Ref(config.slug, object_type, identity) if identity else None


def in_crm(config: Config, object_type: str, identity: str | None, where: str) -> Ref | None:
    """An object of the declared CRM, by its id; None without an id or a declared CRM. Raises `Misunderstood` for what is no id
    of the declared form."""
    slug = config.get("crm_connection")
    if not identity or not slug:
        return None
    form = config.get("crm_id_form", "salesforce")
    if form not in config.id_forms and form != PLAIN:
        names = ", ".join([*sorted(config.id_forms), PLAIN])
        raise Misunderstood(f"The setting of the form of the CRM's ids must be one of {names}.", "setting_invalid")
    return Ref(slug, object_type, identity if form == PLAIN else config.id_forms[form](identity, where))


def crm_customer(config: Config, text: str | None, where: str) -> Ref | None:
    """The customer of the declared CRM whose id is written there; None without a text or a declared CRM. Raises as `id_in` and
    `in_crm`."""
    if not config.get("crm_connection"):
        return None
    return in_crm(config, "customer", id_in(config, "crm_id_pattern", text, where), where)


def contract_numbered(config: Config, text: str | None, where: str) -> Ref | None:
    """The contract of the declared CRM whose number is written there; None without a text or a declared CRM. Raises as
    `id_in`."""
    slug = config.get("crm_connection")
    number = id_in(config, "contract_number_form", text, where) if slug else None
    return Ref.numbered(slug, "contract", number) if number else None


def customer_of(config: Config, connection: str, pattern: str, text: str | None, where: str) -> Ref | None:
    """The customer of the connection that the setting `connection` names, by the id that is written there in the forms of the
    setting `pattern`. Raises as `id_in`."""
    slug = config.get(connection)
    identity = id_in(config, pattern, text, where) if slug else None
    return Ref(slug, "customer", identity) if identity else None


def in_billing(config: Config, object_type: str, text: str | None, where: str, pattern: str = "billing_id_form") -> Ref | None:
    """What the id that is written there stands for in the declared billing connection: by its form where billing's ids tell it,
    else an object of `object_type`. None without a text or a declared connection, and for an id of a kind that the ledger does
    not keep. Raises `Misunderstood` as `id_in`, and for what is no id of that vendor."""
    slug = config.get("billing_connection")
    identity = id_in(config, pattern, text, where) if slug else None
    if not identity:
        return None
    type_of_id = config.id_types.get(config.get("billing_id_kinds"))
    if type_of_id is None:
        return Ref(slug, object_type, identity)
    found = type_of_id(identity)
    if found is None:
        raise Misunderstood(f"{where} holds no id of the billing system.", "reference_invalid", raw=identity)
    return Ref(slug, found.object_type, identity, found.by) if found.object_type else None


def first_of(*reads: Callable[[], Ref | None]) -> list[Ref]:
    """The references that can be read, each once. Raises the first reason where none can be."""
    found, whys = [], []
    for read in reads:
        try:
            found.append(read())
        except Misunderstood as why:
            whys.append(why)
    known = [ref for ref in found if ref is not None]
    if whys and (not known or any(why.code == "setting_invalid" for why in whys)):
        raise whys[0]
    return known
