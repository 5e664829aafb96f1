"""Read and judge transit feeds: GTFS Schedule, GTFS-JP, Fares v2, Flex and GTFS-Realtime."""
