"""Counters: cash taken by clerks, and how much of all travel is paid without it."""
