"""Taking what comes in: the addresses that systems push to, the inbox that stores it, how much was refused, and how far we have
read.

Never: an arrow to `pull` or `applying`: what becomes of a stored delivery is not known here.
"""
