"""Ways outside vehicles: on foot, in a wheelchair, by bike."""
