"""People and their roles."""

from __future__ import annotations

from scripts.guards.guard import Guard, drop_trigger

LIMITS = "tests/revops/web/test_sign_in_limits.py"

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
        "sign-in: failures of others do not count in a known browser",
        f"{LIMITS} -k 'office or one_person'",
        "revops/identity/failures.py",
        "        return recent.filter(person=row.person).count() >= PER_BROWSER_MAX\n    person",
        "        recent = SignInFailure.objects.filter(at__gt=row.at - WINDOW)\n    person",
    ),
    Guard(
        "sign-in: a known browser has a limit",
        f"{LIMITS} -k known_browser",
        "revops/identity/failures.py",
        "recent.filter(person=row.person).count() >= PER_BROWSER_MAX",
        "False",
    ),
    Guard(
        "sign-in: a browser is known for its own people",
        f"{LIMITS} -k known_browser",
        "revops/web/known_browser.py",
        "browser.id if person_key(typed) in browser.people else",
        "browser.id if browser.people else",
    ),
    Guard(
        "people: only an administrator who is alone is let back in on the server",
        "tests/revops/web/test_people.py -k lost_every_proof",
        "revops/access/recovery.py",
        'if set(administrators().values_list("user_id", flat=True)) != {user.pk}:',
        "if False:",
    ),
    Guard(
        "sign-in: what is refused leaves no row",
        f"{LIMITS} -k office",
        "revops/identity/failures.py",
        "    if _over(row):\n        return None\n    with",
        "    if _over(row):\n        row.save()\n        return None\n    with",
    ),
    Guard(
        "sign-in: attempts at once are counted one after the other",
        f"{LIMITS} -k at_once",
        "revops/identity/failures.py",
        "SELECT pg_advisory_xact_lock(hashtext('revops.identity.failures'))",
        "SELECT 1",
    ),
    Guard(
        "sign-in: a forwarded address is a trusted proxy's",
        f"{LIMITS} -k forwarded",
        "revops/client_address.py",
        "    while hops and is_trusted_proxy(proven):",
        "    while hops:",
    ),
    Guard(
        "sign-in: what a forwarded address says first is the sender's own word",
        f"{LIMITS} -k forwarded",
        "revops/client_address.py",
        "hops.pop()",
        "hops.pop(0)",
    ),
    Guard(
        "identity: guesses at the old password are counted",
        f"{LIMITS} -k old_password",
        "revops/identity/passwords.py",
        "    check_password(user, old, now=now)\n",
        "    if not user.check_password(old):\n        raise NotAllowed('x', 'This is not your password')\n",
    ),
    Guard(
        "installation: the rehearsal's logins outside it",
        "tests/revops/installation -k logins",
        "revops/identity/backend.py",
        "filter(~contradicted(), pk=user_id",
        "filter(pk=user_id",
    ),
)
