"""Revenue operations: what the vendor systems say about a customer, what should be true, and how people put it right.

This package knows the business and no vendor: it never imports `sync` (the wiring files alone name both), and nothing in
it but the wiring imports `revops.web` or `revops.api`.
"""
