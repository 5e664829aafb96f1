"""A Feed -> a zip, the same bytes for the same feed.

Invariant Reading what was written gives the feed again, but for `row` (tests/gtfs/test_writer.py).
"""

import io
import json
import zipfile
from pathlib import Path

import polars as pl

from gtfs.geojson import FILE as ZONES_FILE
from gtfs.tables import SPEC_BY_NAME, Feed, TableSpec

# Zip cannot say "no time"; this is the first it can say.
_MADE_AT = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o644


def write_feed(feed: Feed, path: Path) -> None:
    """Write the feed's tables that have rows; columns without a value are left out."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, spec in SPEC_BY_NAME.items():
            if feed[name].height or spec.required:
                _add(archive, spec.file, _to_csv(feed[name], spec))
        if feed.zones:
            _add(archive, ZONES_FILE, _to_geojson(feed))


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    member = zipfile.ZipInfo(name, _MADE_AT)
    member.external_attr = _FILE_MODE << 16
    member.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(member, content)


def _to_csv(table: pl.DataFrame, spec: TableSpec) -> bytes:
    kept = [
        column for column in spec.columns if column.required or table[column.name].null_count() < table.height
    ]
    stream = io.BytesIO()
    table.select(_to_text(column.name, column.kind) for column in kept).write_csv(stream)
    return stream.getvalue()


def _to_text(name: str, kind: str) -> pl.Expr:
    value = pl.col(name)
    if kind == "date":
        return value.dt.strftime("%Y%m%d")
    if kind == "time":
        parts = (value // 3600, value // 60 % 60, value % 60)
        texts = [part.cast(pl.String).str.zfill(2) for part in parts]
        return pl.concat_str(texts, separator=":").alias(name)
    return value


def _to_geojson(feed: Feed) -> bytes:
    features = [
        {
            "id": zone.location_id,
            "type": "Feature",
            "properties": {"stop_name": zone.name},
            "geometry": {"type": "MultiPolygon", "coordinates": zone.polygons},
        }
        for zone in feed.zones
    ]
    collection = {"type": "FeatureCollection", "features": features}
    return json.dumps(collection, ensure_ascii=False).encode()
