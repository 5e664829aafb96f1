"""What operators say of trips while they run: GTFS-Realtime, from its arrival to every answer."""
