"""On-demand rides: zones, bookings, insertion into vehicle schedules."""
