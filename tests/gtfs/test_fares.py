"""Fares of a feed as records, joined and in order."""

from decimal import Decimal

from gtfs.fares import FareTables, FlatFareRule
from gtfs.literal import literal_contents
from gtfs.reader import read_contents

FILES = {
    "fare_media.txt": b"fare_media_id,fare_media_type\nic,2\n",
    "rider_categories.txt": "rider_category_id,rider_category_name,is_default_fare_category\n"
    "adult,大人,1\nchild,小児,0\n".encode(),
    "fare_products.txt": b"fare_product_id,rider_category_id,fare_media_id,amount,currency\n"
    b"near,adult,ic,178,JPY\nnear,child,ic,89,JPY\nfar,adult,,1.25,USD\n",
    "areas.txt": b"area_id\ninner\nouter\n",
    "stop_areas.txt": b"area_id,stop_id\ninner,A\nouter,A\nouter,B\n",
    "networks.txt": b"network_id\ntoei\n",
    "route_networks.txt": b"network_id,route_id\ntoei,R\n",
    "timeframes.txt": b"timeframe_group_id,start_time,end_time,service_id\npeak,7:00:00,9:30:00,daily\n"
    b"day,,,daily\n",
    "fare_leg_rules.txt": b"leg_group_id,network_id,from_area_id,fare_product_id,rule_priority,"
    b"from_timeframe_group_id\nlow,toei,,far,,day\nhigh,toei,inner,near,2,peak\n",
    "fare_transfer_rules.txt": b"from_leg_group_id,to_leg_group_id,fare_transfer_type,transfer_count,"
    b"duration_limit,duration_limit_type\nlow,high,0,-1,5400,1\n",
    "fare_attributes.txt": b"fare_id,price,currency_type,payment_method,transfers\nflat,210,JPY,0,\n",
    "fare_rules.txt": b"fare_id,route_id,origin_id,destination_id\nflat,R,z1,z2\n",
}


def test_all_tables_are_joined() -> None:
    reading = read_contents(literal_contents("stops A B\nt1 8:00 8:10") | FILES, feed_id="x")
    assert reading.feed is not None
    assert list(reading.notices) == []
    fares = FareTables.from_feed(reading.feed)
    assert [product.amount for product in fares.list_products("near")] == [Decimal(178), Decimal(89)]
    assert fares.list_products("far")[0].amount == Decimal("1.25")
    assert fares.default_rider_category_id == "adult"
    assert fares.rider_names == {"adult": "大人", "child": "小児"}
    assert fares.media_types == {"ic": 2}
    # Highest priority first.
    assert [rule.leg_group_id for rule in fares.leg_rules] == ["high", "low"]
    assert fares.areas_of_stop == {"A": {"inner", "outer"}, "B": {"outer"}}
    assert fares.network_of_route == {"R": "toei"}
    (peak,) = fares.timeframes["peak"]
    assert (peak.start_s, peak.end_s) == (25_200, 34_200)
    (whole_day,) = fares.timeframes["day"]
    assert (whole_day.start_s, whole_day.end_s) == (0, 86_400)
    (transfer,) = fares.transfer_rules
    assert (transfer.count, transfer.duration_s, transfer.fare_transfer_type) == (-1, 5400, 0)
    (flat,) = fares.flat_fares
    assert (flat.amount, flat.interchanges_max) == (Decimal(210), None)
    assert flat.rules == (FlatFareRule(route_id="R", origin_id="z1", destination_id="z2", contains_id=None),)
