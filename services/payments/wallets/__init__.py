"""Stored value: wallets, paying from them, filling and closing them."""
