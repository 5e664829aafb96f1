"""Business customers who pay later, by invoice: another payment provider, kept by this house itself."""
