"""Offers, holds, orders, the all-or-nothing booking, disruption cases."""
