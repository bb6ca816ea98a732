"""The made-up company and the simulated vendor systems that it lives in. Not in the production image.

Never: nothing in `revops` or `sync` imports it; a simulator imports nothing of either, so that the two can disagree.
"""
