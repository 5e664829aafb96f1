"""What every service stands on: http, database, outbox, bus, clock, telemetry."""
