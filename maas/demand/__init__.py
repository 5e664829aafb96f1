"""Where people want to go and cannot: counts by area and hour, in which nobody can be seen."""
