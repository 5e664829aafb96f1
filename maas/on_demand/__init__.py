"""On-demand rides: zones and their rules, vehicles' schedules, where a new ride fits, a booking's life."""
