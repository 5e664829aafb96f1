"""`feed_expired`: a feed whose last date has passed, so that no search on it finds anything.

Effect    None; whoever loads feeds calls this with today's date, so it is not in RULES.
"""

from datetime import date

from gtfs.notices import Notices, Severity
from gtfs.service_calendar import ServiceCalendar
from gtfs.tables import Feed

CODE = "feed_expired"


def judge(feed: Feed, notices: Notices, *, today: date) -> Feed:
    """See the module."""
    last = ServiceCalendar.from_feed(feed).last_date
    if last is not None and last < today:
        message = f"The last date of this feed is {last.isoformat()}; fetch a newer one."
        notices.add(CODE, Severity.WARNING, message, file="calendar.txt", field="end_date")
    return feed
