"""The rules: what each looks for, what it has found, where it is on trial, and where it is blind."""

from __future__ import annotations

from typing import Any

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from revops.access.rules import may, require, roles_that, visible_to
from revops.cases.models import LIVE_STATUSES, ExceptionCase, Expectation, RuleSwitch
from revops.cases.trial import held_back, switch_rules, trials_now
from revops.detection.blind import blind_spots
from revops.detection.registry import RULES
from revops.detection.weak import weak_rules
from revops.errors import Missing, Rejected, http_status
from revops.ledger.models import SourceSystem
from revops.people.models import User
from revops.policies.in_force import policies_in_force
from revops.web.addresses import href
from revops.web.formatting import minor_html
from revops.web.forms import SwitchForm
from revops.web.requests import back, signed_in
from revops.web.withheld import Holders

SHOWN_MAX = 50


@require_safe
def rules_page(request: HttpRequest) -> HttpResponse:
    """All rules in one table, those that hold something back first."""
    user = signed_in(request)
    require(user, "see_rules")
    return render(request, "rules/list.html", _list_context(user))


def _list_context(user: User) -> dict[str, Any]:
    policies, blind = policies_in_force(), blind_spots()
    visible = visible_to(user, ExceptionCase).filter(status__in=LIVE_STATUSES)
    open_cases = dict(visible.order_by().values_list("rule").annotate(Count("pk")))
    labels = dict(SourceSystem.objects.values_list("slug", "label"))
    held: dict[str, int] = {}
    for line in held_back():
        held[line.rule] = held.get(line.rule, 0) + line.count
    rows = [
        {
            "code": code,
            "rule": rule,
            "policy": policies.rule(code),
            "open": open_cases.get(code, 0),
            "held": held.get(code, 0),
            "blind": [(labels.get(slug, "No system"), needs) for slug, needs in blind.get(code, {}).items()],
        }
        for code, rule in RULES.items()
    ]
    rows.sort(key=lambda row: (-row["held"], -row["open"], row["rule"].title))
    trials = list(SourceSystem.objects.filter(on_trial=True))
    return {
        "page": "rules",
        "section": "rules",
        "rows": rows,
        "trials": trials,
        "all_form": SwitchForm(auto_id="all-%s", initial={"live": "yes"}, systems=[(s.slug, s.label) for s in trials])
        if trials
        else None,
        "may_switch": may(user, "switch_rules"),
        "switchers": Holders().sentence(roles_that("switch_rules")),
        "problem": "",
    }


@require_safe
def rule_page(request: HttpRequest, code: str) -> HttpResponse:
    """One rule: its words, what it holds back, and its switch for each system."""
    user = signed_in(request)
    require(user, "see_rules")
    return render(request, "rules/rule.html", _rule_context(user, _known(code)))


def _known(code: str) -> str:
    """The code of a rule. Raises `Missing` for any other."""
    if code not in RULES:
        raise Missing
    return code


def _rule_context(user: User, code: str) -> dict[str, Any]:
    rule, policies, trials = RULES[code], policies_in_force(), trials_now(timezone.now(), weak_rules(policies_in_force()))
    systems = list(SourceSystem.objects.all())
    blind = blind_spots().get(code, {})
    roles = {text.partition(" ")[0] for text in rule.needs}
    waiting = visible_to(user, Expectation).filter(rule=code).exclude(held="")
    said = {row.system_id: row for row in RuleSwitch.objects.filter(rule=code).select_related("decided_by")}
    live_in = {system.slug: not trials.system_of(code, [system.slug]) for system in systems}
    found = waiting.select_related("account", "system").order_by("-amount_minor", "id")
    return {
        "page": "rule",
        "section": "rules",
        "code": code,
        "rule": rule,
        "policy": policies.rule(code),
        "tolerance": rule.tolerance(policies),
        "open": visible_to(user, ExceptionCase).filter(rule=code, status__in=LIVE_STATUSES).count(),
        "held": waiting.count(),
        "found": [{"row": row, "amount": minor_html(row.amount_minor, row.currency)} for row in found[:SHOWN_MAX]],
        "systems": [
            {
                "system": system,
                "live": live_in[system.slug],
                "said": said.get(system.slug),
                "blind": blind.get(system.slug, ()),
                "form": SwitchForm(
                    auto_id=f"{system.slug}-%s",
                    initial={"system": system.slug, "live": "no" if live_in[system.slug] else "yes"},
                ),
            }
            for system in systems
            if system.role in roles
        ],
        "nobody": blind.get("", ()),
        "may_switch": may(user, "switch_rules"),
        "switchers": Holders().sentence(roles_that("switch_rules")),
        "problem": "",
    }


@require_POST
def switch_rule(request: HttpRequest, code: str) -> HttpResponse:
    """Let a rule open cases in a system, or take that back. `all` stands for every rule."""
    user, now = signed_in(request), timezone.now()
    require(user, "switch_rules")
    codes = list(RULES) if code == "all" else [_known(code)]
    form = SwitchForm(request.POST)
    try:
        said = form.must()
        system = SourceSystem.objects.filter(pk=said["system"]).first()
        if system is None:
            raise Rejected("unknown_system", "Choose a system.", field="system")
        live = said["live"] == "yes"
        switch_rules(codes, system, live=live, reason=said["reason"], acting_user=user, now=now)
    except Rejected as error:
        context = _list_context(user) if code == "all" else _rule_context(user, code)
        template = "rules/list.html" if code == "all" else "rules/rule.html"
        return render(request, template, context | {"problem": error.message}, status=http_status(error))
    done = f"{'All rules open' if code == 'all' else 'The rule opens'} cases in {system.label} now"
    return back(
        request, href("rules") if code == "all" else href("rule", code), done if live else f"On trial in {system.label} now"
    )
