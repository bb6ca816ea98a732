"""The one way from a request's user to a row: what each role may see and do.

Never: no view or API reaches a row around it, and it changes nothing itself.
"""
