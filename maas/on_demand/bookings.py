"""The life of a booking, from the first quote to the settled ride.

Problem   A booking is moved by riders, drivers, operators, clocks and other systems, often twice and out of
          order.
Idea      One table of allowed moves. A move is refused or repeated harmlessly, never half made; each state
          has its word in TOMP 2, for the package (what was bought) and for its leg (what is happening).
Invariant A final state is never left; every state is reached from QUOTED; both TOMP words are theirs.
Source    TOMP-API 2.0 core: packageStatus, legStatus.
"""

from enum import StrEnum


class BookingState(StrEnum):
    """Where a booking stands."""

    QUOTED = "quoted"
    HELD = "held"
    PENDING = "pending"
    CONFIRMED = "confirmed"
    ASSIGNED = "assigned"
    EN_ROUTE = "en_route"
    ARRIVED = "arrived"
    ONBOARD = "onboard"
    COMPLETED = "completed"
    SETTLED = "settled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    ROLLED_BACK = "rolled_back"
    CANCELLED_BY_RIDER = "cancelled_by_rider"
    CANCELLED_BY_OPERATOR = "cancelled_by_operator"
    CANCELLED_BY_UPSTREAM = "cancelled_by_upstream"
    NO_SHOW = "no_show"
    ABENDED = "abended"


_CANCELLED = frozenset(
    {
        BookingState.CANCELLED_BY_RIDER,
        BookingState.CANCELLED_BY_OPERATOR,
        BookingState.CANCELLED_BY_UPSTREAM,
    }
)

MOVES: dict[BookingState, frozenset[BookingState]] = {
    BookingState.QUOTED: frozenset({BookingState.HELD, BookingState.EXPIRED, BookingState.REJECTED}),
    BookingState.HELD: frozenset(
        {
            BookingState.PENDING,
            BookingState.CONFIRMED,
            BookingState.EXPIRED,
            BookingState.REJECTED,
            BookingState.ROLLED_BACK,
        }
    ),
    BookingState.PENDING: frozenset(
        {BookingState.CONFIRMED, BookingState.EXPIRED, BookingState.REJECTED, BookingState.ROLLED_BACK}
    ),
    BookingState.CONFIRMED: frozenset({BookingState.ASSIGNED, *_CANCELLED}),
    BookingState.ASSIGNED: frozenset({BookingState.CONFIRMED, BookingState.EN_ROUTE, *_CANCELLED}),
    BookingState.EN_ROUTE: frozenset({BookingState.ARRIVED, BookingState.ABENDED, *_CANCELLED}),
    BookingState.ARRIVED: frozenset(
        {BookingState.ONBOARD, BookingState.NO_SHOW, BookingState.ABENDED, *_CANCELLED}
    ),
    BookingState.ONBOARD: frozenset({BookingState.COMPLETED, BookingState.ABENDED}),
    BookingState.COMPLETED: frozenset({BookingState.SETTLED}),
    BookingState.SETTLED: frozenset(),
    BookingState.EXPIRED: frozenset(),
    BookingState.REJECTED: frozenset(),
    BookingState.ROLLED_BACK: frozenset(),
    BookingState.CANCELLED_BY_RIDER: frozenset(),
    BookingState.CANCELLED_BY_OPERATOR: frozenset(),
    BookingState.CANCELLED_BY_UPSTREAM: frozenset(),
    BookingState.NO_SHOW: frozenset({BookingState.SETTLED}),
    BookingState.ABENDED: frozenset({BookingState.SETTLED}),
}

# A seat in a schedule is taken exactly while a booking is in one of these.
SEATED: frozenset[BookingState] = frozenset(
    {
        BookingState.HELD,
        BookingState.PENDING,
        BookingState.CONFIRMED,
        BookingState.ASSIGNED,
        BookingState.EN_ROUTE,
        BookingState.ARRIVED,
        BookingState.ONBOARD,
        BookingState.COMPLETED,
        BookingState.SETTLED,
        BookingState.NO_SHOW,
        BookingState.ABENDED,
    }
)

TOMP_PACKAGE_STATUS: dict[BookingState, str] = {
    BookingState.QUOTED: "OFFERED",
    BookingState.HELD: "PENDING",
    BookingState.PENDING: "PENDING",
    BookingState.CONFIRMED: "CONFIRMED",
    BookingState.ASSIGNED: "CONFIRMED",
    BookingState.EN_ROUTE: "STARTED",
    BookingState.ARRIVED: "STARTED",
    BookingState.ONBOARD: "STARTED",
    BookingState.COMPLETED: "ENDED",
    BookingState.SETTLED: "SETTLED",
    BookingState.EXPIRED: "EXPIRED",
    BookingState.REJECTED: "RELEASED",
    BookingState.ROLLED_BACK: "ROLLBACK",
    BookingState.CANCELLED_BY_RIDER: "CANCELLED",
    BookingState.CANCELLED_BY_OPERATOR: "CANCELLED",
    BookingState.CANCELLED_BY_UPSTREAM: "CANCELLED",
    BookingState.NO_SHOW: "ENDED",
    BookingState.ABENDED: "ENDED",
}

TOMP_LEG_STATUS: dict[BookingState, str] = {
    BookingState.QUOTED: "NOT_STARTED",
    BookingState.HELD: "NOT_STARTED",
    BookingState.PENDING: "NOT_STARTED",
    BookingState.CONFIRMED: "NOT_STARTED",
    BookingState.ASSIGNED: "NOT_STARTED",
    BookingState.EN_ROUTE: "PREPARING",
    BookingState.ARRIVED: "READY_TO_USE",
    BookingState.ONBOARD: "IN_USE",
    BookingState.COMPLETED: "ENDED",
    BookingState.SETTLED: "ENDED",
    BookingState.EXPIRED: "CANCELLED",
    BookingState.REJECTED: "CANCELLED",
    BookingState.ROLLED_BACK: "CANCELLED",
    BookingState.CANCELLED_BY_RIDER: "CANCELLED",
    BookingState.CANCELLED_BY_OPERATOR: "CANCELLED",
    BookingState.CANCELLED_BY_UPSTREAM: "CANCELLED",
    BookingState.NO_SHOW: "ABENDED",
    BookingState.ABENDED: "ABENDED",
}


class MoveStatus(StrEnum):
    """What became of a wish to move a booking."""

    MOVED = "moved"
    ALREADY_THERE = "already_there"
    REFUSED = "refused"


def judge_move(current: BookingState, wanted: BookingState) -> MoveStatus:
    """Whether a booking may go from one state to another. Repeating a move is harmless."""
    if wanted is current:
        return MoveStatus.ALREADY_THERE
    return MoveStatus.MOVED if wanted in MOVES[current] else MoveStatus.REFUSED


def is_final(state: BookingState) -> bool:
    """Whether nothing more can happen to a booking."""
    return not MOVES[state]
