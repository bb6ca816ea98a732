"""What this database is, for ever: a company's own, or a rehearsal with made-up data.

The first person who is added decides it, by REVOPS_DEMO. Afterwards a process that runs the other way lets nobody in. Never: a
way to turn one into the other.
"""
