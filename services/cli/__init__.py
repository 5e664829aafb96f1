"""The `maas` command."""
