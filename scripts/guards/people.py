"""People and their roles."""

from __future__ import annotations

from scripts.guards.guard import Guard, drop_trigger

GUARDS: tuple[Guard, ...] = (
    Guard(
        "people: roles that conflict (database)",
        "tests/revops/people -k i30",
        sql=drop_trigger("people_rolegrant", "no_conflicting_roles"),
    ),
    Guard(
        "people: a role that decides takes two",
        "tests/revops/access/test_grants.py -k i32",
        "revops/access/grants.py",
        "    if actor is not None and role in PRIVILEGED:",
        "    if False:",
    ),
    Guard(
        "people: nobody confirms what they proposed",
        "tests/revops/web/test_people.py -k i32",
        "revops/access/proposals.py",
        "    if acting_user.pk == row.proposed_by_id:",
        "    if False:",
    ),
    Guard(
        "people: alone only once",
        "tests/revops/web/test_people.py -k left_alone",
        "revops/access/proposals.py",
        "    done_before = AccessProposal.objects.filter(basis=ProposalBasis.SECOND).exists()",
        "    done_before = False",
    ),
    Guard(
        "people: a second factor before the role",
        "tests/revops/web/test_people.py -k second_administrator",
        "revops/access/proposals.py",
        "    if is_required() and not has_second_factor(user):",
        "    if False:",
    ),
    Guard(
        "identity: a code is good once",
        "tests/revops/web/test_own_account.py -k good_once",
        "revops/identity/totp.py",
        "filter(pk=row.pk, last_step__lt=each)",
        "filter(pk=row.pk)",
    ),
    Guard(
        "identity: a proof is five minutes old at most (action)",
        "tests/revops/web/test_own_account.py -k i58",
        "revops/identity/step_up.py",
        "rows.filter(user=user, at__gt=now - FRESH)",
        "rows.filter(user=user)",
    ),
    Guard(
        "identity: wrong proofs are counted",
        "tests/revops/web/test_own_account.py -k bounded",
        "revops/identity/step_up.py",
        "        if failures < FAILURES_MAX and",
        "        if",
    ),
    Guard(
        "installation: the rehearsal's logins outside it",
        "tests/revops/installation -k logins",
        "revops/identity/backend.py",
        "filter(~contradicted(), pk=user_id",
        "filter(pk=user_id",
    ),
)
