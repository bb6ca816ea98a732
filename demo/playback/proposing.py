"""Where the steps of a situation say how its connections are tied: what the product would propose for its own data, and what
anybody would accept of it. Pure but for the connectors, which are asked what a step says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from demo.playback.situation import Step
from revops import strict_json
from sync.connectors import CONNECTORS
from sync.mapping.bodies import Seen, seen_in
from sync.mapping.declared import Mapped, mapped
from sync.mapping.index import Held, Index
from sync.mapping.propose import Proposal, proposals
from sync.vendor.contract import Config, Incoming

VALUES_MIN = 1
"""Values of a field that people fill as they like: a situation has few objects, and all of them must name something."""


def proposed(
    steps: Iterable[Step], configs: Mapping[str, Config], vendors: Mapping[str, str], declared: Mapping[str, list[Mapped]]
) -> list[Proposal]:
    """What the steps propose, the best of each setting of each connection first. `configs` and `vendors`: connection -> what its
    connector is handed, and the connector's slug. `declared`: connection -> the settings that may be proposed."""
    seen = _seen(list(steps), configs, vendors)
    forms = {name: form for name, vendor in vendors.items() if (form := CONNECTORS[vendor].id_form)}
    index = Index(forms)
    for objects in seen.values():
        index.add(Held(each.system, each.object_type, each.id, each.number, each.code) for each in objects)
    roles = {name: CONNECTORS[vendor].role for name, vendor in vendors.items()}
    return [one for name, objects in seen.items() for one in proposals(objects, index, declared[name], roles, VALUES_MIN)]


def accepted(steps: Iterable[Step], configs: Mapping[str, Config], vendors: Mapping[str, str]) -> dict[str, dict[str, Proposal]]:
    """Connection -> setting -> the best proposal, of those that nothing speaks against."""
    declared = {name: mapped(CONNECTORS[vendor]) for name, vendor in vendors.items()}
    found: dict[str, dict[str, Proposal]] = {}
    for proposal in proposed(steps, configs, vendors, declared):
        if proposal.good(VALUES_MIN):
            found.setdefault(proposal.connection, {}).setdefault(proposal.setting, proposal)
    return found


def _seen(steps: list[Step], configs: Mapping[str, Config], vendors: Mapping[str, str]) -> dict[str, list[Seen]]:
    came: dict[str, list[Incoming]] = {name: [] for name in vendors}
    for step in steps:
        body = step.body.encode() if isinstance(step.body, str) else strict_json.dump(step.body)
        came[step.connection].append(Incoming(step.kind, body, object_type=step.object_type))
    return {name: seen_in(CONNECTORS[vendors[name]], configs[name], bodies) for name, bodies in came.items()}
