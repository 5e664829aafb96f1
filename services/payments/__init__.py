"""Customers' payments: the provider's adapter, its webhooks, recovery and reconciliation."""
