"""The customer, one across all systems: the account and the links that tie each system's customer record to it.

A link is made from an explicit reference or by a person, never from a resemblance. Never: accounts imports nothing above it,
and no other package writes accounts or links.
"""
