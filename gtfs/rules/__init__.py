"""What makes sense in a feed: one rule a file, one notice code a rule, documented in its module's docstring.

Problem   A feed may be well-formed and still send people to a train that does not run.
Idea      A rule looks at a feed, notes what it finds, and gives back the feed without what cannot be
          trusted. The rules run from the top down (agencies, stops, routes, trips, times), so that what
          fell in one is gone in the next. A trip may be left out; none is ever made up.
Not here  `feed_freshness`: it needs today's date, so whoever loads a feed calls it.
"""

from types import ModuleType

from gtfs.notices import Notices
from gtfs.rules import (
    agency_id_missing,
    coordinate_missing,
    dangling_reference,
    decreasing_time,
    duplicate_key,
    exit_gate_both_ways,
    fare_amount_invalid,
    frequency_invalid,
    in_seat_transfer_backwards,
    parent_not_station,
    pathway_at_station,
    pathway_between_stations,
    pathway_loop,
    pathway_measure_wrong,
    pathway_without_time,
    platform_without_pathway,
    reading_missing,
    route_name_missing,
    service_never_runs,
    speed_too_high,
    stop_time_nowhere,
    timezone_unknown,
    trip_with_one_stop,
    trip_without_stop_times,
    unexpected_value,
    window_invalid,
)
from gtfs.tables import Feed

RULES: tuple[ModuleType, ...] = (
    unexpected_value,
    duplicate_key,
    timezone_unknown,
    agency_id_missing,
    dangling_reference,
    coordinate_missing,
    parent_not_station,
    pathway_loop,
    pathway_at_station,
    pathway_between_stations,
    exit_gate_both_ways,
    pathway_measure_wrong,
    pathway_without_time,
    platform_without_pathway,
    stop_time_nowhere,
    window_invalid,
    decreasing_time,
    trip_with_one_stop,
    trip_without_stop_times,
    frequency_invalid,
    service_never_runs,
    fare_amount_invalid,
    in_seat_transfer_backwards,
    speed_too_high,
    route_name_missing,
    reading_missing,
)


def judge(feed: Feed, notices: Notices) -> Feed:
    """Run every rule over the feed and give back what can be trusted of it."""
    for rule in RULES:
        judged: Feed = rule.judge(feed, notices)
        feed = judged
    return feed
