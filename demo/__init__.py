"""The made-up company and the simulated vendor systems that it lives in, and the playback of situations. Not in the production
image.

Never: nothing in `revops` or `sync` imports it; a simulator imports nothing of either, so that the two can disagree.
"""
