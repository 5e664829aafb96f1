"""What can break here. Each error's docstring is its message's meaning and its cure."""


class RoutingError(Exception):
    """The root of this package's errors; `code` is stable and public."""

    code = "routing_error"


class NetworkUnreadable(RoutingError):
    """The folder holds no compiled network of this format. Load the feeds again with `maas load`."""

    code = "network_unreadable"


class NothingToRoute(RoutingError):
    """No feed brought a single trip with two stops and a day to run on. Check the feeds' notices."""

    code = "nothing_to_route"


class MixedTimeZones(RoutingError):
    """The feeds name more than one time zone. Load feeds of one zone together; a network has one."""

    code = "mixed_time_zones"


class OutsideDates(RoutingError):
    """The network holds no service on that day. Ask within its first and last date."""

    code = "outside_feed_dates"


class StreetsUnreadable(RoutingError):
    """The folder holds no compiled streets of this format. Compile the map again."""

    code = "streets_unreadable"


class MapUnreadable(RoutingError):
    """The file is no whole OpenStreetMap extract (.osm.pbf, .pbf or .osm). Fetch it again."""

    code = "map_unreadable"


class NoStreets(RoutingError):
    """The extract holds no way that anybody may use, or the points of none. Choose an extract of the city."""

    code = "no_streets"
