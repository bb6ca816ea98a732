"""From stored deliveries to the ledger: `claims` takes them, `apply` understands and records them, `reread` asks the vendor once
more, `drain` works the inbox off, `replay` puts deliveries back to the start.

Never: an arrow to `pull` or `posting`, or to whoever drives this.
"""
