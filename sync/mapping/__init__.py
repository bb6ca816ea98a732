"""How one system's records name another's, found in what came in: a setting is proposed, a person accepts it.

`declared` lists the settings that say where another system's ids stand, `bodies` what came in, object by object, `index` what the
other connections hold, `forms` how a value is an id with something before or after it, `propose` what follows; these are pure.
`sampled` takes bodies and ids from the database, `accept` writes a proposal through the connection's own action, `coverage` tells
how much is tied and what is not. Never: a setting that nobody accepted; a value of a sensitive setting.
"""
