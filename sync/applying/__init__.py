"""From stored deliveries to the ledger: claiming, understanding, recording, reading again, replaying."""
