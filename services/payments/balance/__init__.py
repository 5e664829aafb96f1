"""The provider's balance in our books: every movement is one ledger entry, every payout is itemised."""
