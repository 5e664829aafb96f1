"""`reading_missing`: a stop of a Japanese feed without its reading in kana, which GTFS-JP asks for.

Effect    None: the stop is not found by its reading. Said once per feed, since whole feeds lack them.
Source    GTFS-JP, translations.txt with language ja-Hrkt.
"""

import polars as pl

from gtfs.notices import Notices, Severity
from gtfs.tables import Feed

CODE = "reading_missing"
_LANGUAGE = "ja-hrkt"


def judge(feed: Feed, notices: Notices) -> Feed:
    """See the module."""
    languages = [*feed["feed_info"]["feed_lang"], *feed["agency"]["agency_lang"]]
    if "ja" not in languages:
        return feed
    readings = feed["translations"].filter(
        (pl.col("table_name") == "stops")
        & (pl.col("field_name") == "stop_name")
        & (pl.col("language").str.to_lowercase() == _LANGUAGE)
    )
    stops = feed["stops"]
    is_read = pl.col("stop_id").is_in(readings["record_id"].drop_nulls().implode()) | pl.col(
        "stop_name"
    ).is_in(readings["field_value"].drop_nulls().implode())
    count = stops.filter(~is_read.fill_null(value=False)).height
    if count:
        message = f"{count} of {stops.height} stops have no reading; add ja-Hrkt to translations.txt."
        notices.add(CODE, Severity.INFO, message, file="translations.txt", field="language")
    return feed
