"""What puts the first journey first, and of how much that is proven.

Rule      Fewest steps are proven of every journey that leaves at the hour asked and is within the slack of
          the search (routing/frugal.py). Least price is exact over the journeys found by arrival and
          interchanges, and not proven of others: the search knows no tariff.
"""

from typing import Literal

from routing.frugal import SLACK
from services.planner.motis import RankingMessage
from services.planner.sought import Answer

_SLACK = (
    f"up to {SLACK.extra_s // 60} minutes and {SLACK.factor - 1:.0%} of the way later than the fastest with "
    f"no more rides, and up to {SLACK.extra_rides} ride more than the fastest of all"
)


def tell_ranking(rank: Literal["arrival", "price", "walking"], answer: Answer) -> RankingMessage | None:
    """What the answer says of its order; None where it is by arrival."""
    if rank == "arrival":
        return None
    if rank == "price":
        reason = "The cheapest of the journeys found; a cheaper one that is slower may not be among them."
        return RankingMessage(criterion=rank, is_proven=False, reason=reason)
    if answer.is_proven:
        reason = f"No journey of the hour asked is less on foot, {_SLACK}."
    elif not answer.journeys:
        reason = "No journey was found."
    else:
        reason = "The least on foot of the journeys found; earlier pages and cut off durations prove no more."
    return RankingMessage(criterion=rank, is_proven=answer.is_proven, reason=reason)
