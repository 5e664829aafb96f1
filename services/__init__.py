"""All input and output: one folder per service, joined only in services/compose.py."""
