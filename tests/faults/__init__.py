"""The whole product under faults that a seed draws, judged from outside: `python -m tests.faults --runs 20 --seed 1`.

`draw` says what a run consists of, purely from its seed: work and faults. `company` plants the contradictions that the work is
about, `client` is the vendors and the people (it keeps a journal of what it was told), `scenes` plays the work, `strikes` the
faults. `judge` holds the journal and the simulators' own ledgers against the database, which it reads by SQL of its own as the
auditor; it imports nothing of the product. `runs` puts one run together, `guards` takes a guard away and looks whether a run
turns red.
"""
