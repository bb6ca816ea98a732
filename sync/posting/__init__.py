"""What goes out: `outbox` sends each posting once and looks its outcome up before anything is sent again; `verify_facts` reads
what was signed for once more, right before.

Never: an arrow to the pages, the API or the workers.
"""
