"""Starts the product on one machine: servers from wheels, the product's processes, and in the demo its simulators.

Stands beside the business packages: nothing in `revops` or `sync` imports it, and the production image does not contain it.
Django-free, so that what stays running beside the product is small.
"""
