"""Whose word counts: the system of record for each object and field, by process stage. Pure.

Never: ownership reads no row and names no vendor; it speaks of roles (crm, customer_success, billing, erp).
"""
