"""The ledger service: the only writer of money."""
