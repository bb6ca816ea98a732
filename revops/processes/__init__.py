"""The processes as declared data: stages in order, what must come before what, and how long each may take. Pure.

One file a process, written for people who do not program. Never: processes reads no row and knows no vendor.
"""
