"""Money: double-entry accounts, payments, settlement between participants. It knows no transport."""
