"""Who there is: users, their roles, and the legal entities of the group. Models only.

Never: people decides nothing (that is `access`), and imports no other business package.
"""
