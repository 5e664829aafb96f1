"""Orders and passes whose payment the bank takes back: shown to the clerk, put right when it is lost."""
