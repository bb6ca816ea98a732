"""The API for programs: the same actions, access and errors as the pages, over JSON.

Never: the API writes no row itself but its own idempotency answers, and nothing imports it.
"""
