"""The one database: tables by owner, transactions, positions, outbox, audit."""
