"""Pages for people: HTML with HTMX, one view per page, thin.

A view checks access, reads a form, calls an action and renders; what a cell shows is formatted in Python first (`formatting`,
`rows`), so that templates hold markup only. Never: web writes no row itself, and nothing imports web except `sync`'s own pages.
"""
