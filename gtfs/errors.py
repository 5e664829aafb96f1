"""What can break here. Each error's docstring is its message's meaning and its cure."""


class GtfsError(Exception):
    """The root of this package's errors; `code` is stable and public."""

    code = "gtfs_error"


class FeedUnreadable(GtfsError):
    """The path is no file or folder that we may read. Check its spelling and its permissions.

    What is wrong inside a feed is never an exception: it is a Notice.
    """

    code = "feed_unreadable"


class LiteralWrong(GtfsError):
    """The text of a literal feed has a line that its language does not know. See `gtfs.literal`."""

    code = "literal_wrong"


class ZoneUnknown(GtfsError):
    """The time zone is not in the IANA database. Write it as `Asia/Tokyo`."""

    code = "zone_unknown"
