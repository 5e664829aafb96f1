"""Account-based travel: tap first, pay later. Media, rides from taps, their fares and what is owed."""
