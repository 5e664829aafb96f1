"""Searches in which interchanges take longer than the network says.

Problem   Somebody with a pram, or who will not run, wants more time at each interchange; to drop tight ones
          from an answer would lose the journeys that take the next train.
Idea      A router of the same arrays with longer walks and changes. Bounds hold on, since nothing gets
          faster; the order of a stop's walks stays, since none overtakes another.
Not here  The walks at both ends of a journey. Staying seated is no interchange.
"""

from dataclasses import dataclass, replace

import numpy as np

from routing.kernels.arrays import NOT_REACHED, Int32, Walks
from routing.raptor import Router


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRule:
    """What an interchange takes: `factor` times its own seconds and `additional_s`, but `min_s` at least.

    None may make one shorter: factor >= 1, the others >= 0.
    """

    factor: float = 1.0
    additional_s: int = 0
    min_s: int = 0

    def apply(self, own_s: Int32) -> Int32:
        """int32[n] seconds under the rule, begun seconds counted; where there was no way there is none."""
        seconds = np.maximum(np.ceil(own_s * self.factor) + self.additional_s, self.min_s)
        return np.where(own_s == NOT_REACHED, NOT_REACHED, np.minimum(seconds, NOT_REACHED - 1)).astype(
            np.int32
        )


AS_PLANNED = TransferRule()


def build_with_rule(router: Router, rule: TransferRule) -> Router:
    """A router of the same network, less what is cancelled, under this rule."""
    assert rule.factor >= 1, "an interchange never gets shorter"
    assert min(rule.additional_s, rule.min_s) >= 0, "an interchange never gets shorter"
    timetable = replace(
        router.timetable,
        walks=_longer(router.timetable.walks, rule),
        mirror_walks=_longer(router.timetable.mirror_walks, rule),
    )
    slower = Router(
        timetable,
        router.cancellations.list_trips(),
        moved=router.cancellations.moved,
        bounds=router.bounds,
        gain_s=router.gain_s,
    )
    slower.workspaces = router.workspaces
    return slower


def _longer(walks: Walks, rule: TransferRule) -> Walks:
    return walks._replace(walk_s=rule.apply(walks.walk_s), change_s=rule.apply(walks.change_s))
