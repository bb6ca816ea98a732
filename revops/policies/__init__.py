"""What the company judges by: tolerances, time limits, teams, owners, order of processes and checkpoints, as one value. Pure.

`defaults.toml` is the document that people read, `document` turns a document into `policies.Policies` or says what is wrong with
it, and `in_force` says which policies judge now. Whoever judges takes a `Policies` as an argument and keeps its `version`.

Never: policies reads no row and names no vendor; it speaks of roles (crm, customer_success, billing, erp).
"""
