"""What can break here. Each error's docstring is its message's meaning and its cure."""


class MaasError(Exception):
    """The root of this package's errors; `code` is stable and public."""

    code = "maas_error"


class JourneyNotFound(MaasError):
    """The journey id names trips that the published network no longer has. Search again."""

    code = "journey_not_found"


class TripNotFound(MaasError):
    """The network has no such trip, or not on that day. Take the trip id of a leg or of a board."""

    code = "trip_not_found"


class PlaceNotFound(MaasError):
    """No stop or place matches. Give `lat,lon`, a stop id, or a name that /geocode knows."""

    code = "place_not_found"


class OutsideFeedDates(MaasError):
    """The network holds no timetable for that date. Ask within the dates that /health shows."""

    code = "outside_feed_dates"


class FareNotFound(MaasError):
    """No tariff in force prices this leg. Load the operator's fares."""

    code = "fare_not_found"


class OfferNotFound(MaasError):
    """No offer has this id. Ask for a new offer."""

    code = "offer_not_found"


class OrderNotFound(MaasError):
    """No order of yours has this id. List your orders to find it."""

    code = "order_not_found"


class OrderStillPending(MaasError):
    """An order is still being booked, so what was asked has to wait. It is tried again by itself."""

    code = "order_still_pending"


class TicketNotFound(MaasError):
    """No ticket has this id, or it is not issued yet. Confirm the order, then ask again."""

    code = "ticket_not_found"


class BookingNotFound(MaasError):
    """No booking has this id. Take the id from the order."""

    code = "booking_not_found"


class NetworkUnavailable(MaasError):
    """No network is published yet. Load feeds with `maas load`."""

    code = "network_unavailable"


class TariffUnreadable(MaasError):
    """A tariff table has rows that cannot be used. The message names file, row, field and cure of each."""

    code = "tariff_unreadable"


class ZoneNotFound(MaasError):
    """No on-demand zone has this id. List the zones to find it."""

    code = "zone_not_found"


class VehicleNotFound(MaasError):
    """No on-demand vehicle of yours has this id. Put the vehicle first, or correct the id."""

    code = "vehicle_not_found"
