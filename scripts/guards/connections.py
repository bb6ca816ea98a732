"""Connections: the circuit breaker, who lets them be posted to, and what becomes of their secrets."""

from __future__ import annotations

from scripts.guards.guard import Guard, drop_constraint, drop_trigger

HERE = "tests/sync/test_connecting.py"

GUARDS: tuple[Guard, ...] = (
    Guard(
        "breaker: one worker tries",
        "tests/sync/test_breaker.py -k one_worker",
        "sync/connections/breaker.py",
        " AND probe_at <= clock_timestamp()\n",
        "\n",
    ),
    Guard(
        "breaker: a no is an answer",
        "tests/sync/test_breaker.py -k a_no",
        "sync/vendor/http/client.py",
        "        self._note_answer()\n        return reply\n",
        "        return reply\n",
    ),
    Guard(
        "posting: switched on by two (database)",
        f"{HERE} -k i61",
        sql=drop_trigger("sync_connection", "posting_takes_two"),
    ),
    Guard(
        "posting: the second person is another one (database)",
        f"{HERE} -k i61_the_database",
        sql=drop_constraint("sync_postingproposal", "another_person_confirms_posting"),
    ),
    Guard(
        "posting: nobody confirms what they proposed",
        f"{HERE} -k i61_posting",
        "sync/connections/proposals.py",
        "    if acting_user.pk == proposal.proposed_by_id:",
        "    if False:",
    ),
    Guard(
        "posting: what steers it is confirmed anew",
        f"{HERE} -k i61_what_steers",
        "sync/connections/actions.py",
        "    if change.steers and not row.is_simulator:",
        "    if False:",
    ),
    Guard(
        "secrets: another address is given none",
        f"{HERE} -k i59_another_address",
        "sync/connections/change.py",
        "            if setting.required and not given.get(setting.name):",
        "            if False:",
    ),
    Guard(
        "secrets: the former one ends",
        f"{HERE} -k w2",
        "sync/vendor/contract.py",
        "former is not None and now < former.until",
        "former is not None",
    ),
    Guard(
        "connections: a paused one is not worked on",
        f"{HERE} -k paused",
        "sync/applying/claims.py",
        """_IN_USE = "q.connection_id NOT IN (SELECT c.system_id FROM sync_connection c WHERE NOT c.active)\"""",
        '_IN_USE = "true"',
    ),
    Guard(
        "connections: two people do not overwrite each other",
        f"{HERE} -k h8",
        "sync/connections/rows.py",
        "    if row_version is not None and row.row_version != row_version:",
        "    if False:",
    ),
    Guard(
        "connections: this machine in a rehearsal alone",
        f"{HERE} -k i60",
        "sync/connections/handles.py",
        "allow_loopback=connection.is_simulator and is_rehearsal(),",
        "allow_loopback=connection.is_simulator,",
    ),
)
