from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.throttle import WINDOW, Attempts, count_try, get_wait_s, list_subjects

NOW = datetime(2026, 5, 20, 11, 0, tzinfo=UTC)
counts = st.integers(0, 2_000_000_000)
seconds = st.floats(0, 4_000)


@given(failure_count=counts, limit=st.integers(1, 500), ago_s=seconds)
def test_a_wait_is_bounded_and_enough(failure_count: int, limit: int, ago_s: float) -> None:
    attempts = Attempts(failure_count=failure_count, last_at=NOW - timedelta(seconds=ago_s))
    wait_s = get_wait_s(attempts, limit, NOW)
    assert 0 <= wait_s <= 900
    assert get_wait_s(attempts, limit, NOW + timedelta(seconds=wait_s)) == 0
    if failure_count < limit:
        assert wait_s == 0


@given(count=counts, more=counts, ago_s=seconds)
def test_more_failures_never_shorten_the_wait(count: int, more: int, ago_s: float) -> None:
    last_at = NOW - timedelta(seconds=ago_s)
    few, many = (
        get_wait_s(Attempts(failure_count=failures, last_at=last_at), 5, NOW)
        for failures in (count, count + more)
    )
    assert few <= many


def test_tries_add_up_within_the_window_and_start_afresh_after_it() -> None:
    once = count_try(Attempts(failure_count=4, last_at=NOW), NOW + timedelta(seconds=1))
    assert once.failure_count == 5
    assert count_try(once, once.last_at + WINDOW).failure_count == 1


def test_subjects_name_nobody_and_are_locked_in_one_order() -> None:
    subjects = list_subjects("hana@example.jp", "192.0.2.7")
    assert [subject.key for subject in subjects] == sorted(subject.key for subject in subjects)
    assert not any("hana" in subject.key or "192.0.2.7" in subject.key for subject in subjects)
