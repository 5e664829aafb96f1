"""Who hears what: for each event type, the services that must have acted on it.

A relay keeps an event until all of these have acknowledged it, also when they run in another process. A test
holds this table against what the services really subscribe to.
"""

SUBSCRIBERS: dict[str, tuple[str, ...]] = {
    "JourneysPlanned": ("demand",),
    "NothingFound": ("demand",),
    "OfferQuoted": (),
    "OrderPlaced": (),
    "OrderConfirmed": ("demand", "ticketing"),
    "OrderRolledBack": (),
    "PaymentCaptured": (),
    "PaymentDisputed": ("sales",),
    "PaymentDisputeDecided": ("sales",),
    "StandingChanged": ("sales",),
    "FaresChargedBack": ("payments",),
    "TicketIssued": (),
    "RideBegun": ("sales",),
    "RideRated": ("demand", "payments", "sales", "settlement"),
    "RideUnrated": ("demand", "payments", "sales", "settlement"),
    "PassSold": ("ticketing",),
    "PassBegun": ("sales",),
    "PassGivenBack": ("ticketing",),
    "PassEarned": ("payments", "settlement"),
    "TravelEarned": ("payments", "settlement"),
    "SailingCancelled": ("planner", "sales"),
    "SailingStatusChanged": ("planner",),
    "LegCancelled": ("ticketing",),
    "RefundPaid": ("sales",),
    "RefundReturned": ("sales",),
    "FareRefunded": ("payments", "settlement"),
    "NetworkPublished": ("planner",),
    "SettlementBatchClosed": (),
    "AccountClosed": ("payments", "sales", "ticketing"),
}
