"""The rehearsal company: vendor-native history, the story, planted contradictions and the answer key.

It talks to the simulators over HTTP and to nothing else; only `check` also reads what the application found. Never: an import
from here in the application; an answer key read by the application.

`company` imagines the customers and what happened to them (`story`), `plants` makes some of it wrong on purpose, `billing`,
`erp`, `crm` and `success` write it down the way each vendor would, `load` carries it over. `judge` re-reads the vendors'
objects and says which contradictions stand there; `check` compares them with the application's open cases. `play` goes on
with the story while the product runs. Everything but `play` follows from (seed, number of accounts, anchor time) alone.
"""
