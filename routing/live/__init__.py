"""What runs otherwise than planned, laid over a compiled timetable."""
