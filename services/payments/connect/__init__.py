"""Operators who want their payouts through the payment provider: accounts there, transfers, reversals."""
