"""Reading the systems: `streams` says which one is next, `poll` stores its pages since the watermark through the inbox.

Never: an arrow to `applying`: what is read is only stored here.
"""
