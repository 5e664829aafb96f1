"""Run by test_streets with NUMBA_DISABLE_JIT=1: the street kernels as plain Python against the oracle."""

import random
import sys

import numba

from tests.routing.test_streets import check_against_oracle


def main() -> None:
    assert numba.config.DISABLE_JIT
    for seed in range(12):
        check_against_oracle(random.Random(seed))
    sys.stdout.write("12 maps agree\n")
