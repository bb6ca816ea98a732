"""Playing what others saw: the steps of a situation go through the product's own ways in, into a database of their own, and what
came of them is compared with what should have.

`situation` reads the folder of a situation, `database` makes and drops the database, `signing` signs events as their vendor does,
`play` carries the steps in, `compare` says what differs. Never: a row written to the installation's own database; a call to a
vendor.
"""
