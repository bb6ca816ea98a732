"""Proving who somebody is: passwords and links to set them, second factors, sessions, tokens, and the trace that it leaves.

Never: identity says what a person may do (that is `access`), and no password, code or token reaches a log.
"""
