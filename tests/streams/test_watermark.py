"""Up to when a stream is complete: each sentence of the rule as a property."""

from datetime import UTC, datetime, timedelta, timezone
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from streams.watermark import PartitionState, as_of, watermark

LATENESS = timedelta(seconds=60)
NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)

MOMENTS = st.integers(-7200, 7200).map(lambda seconds: NOON + timedelta(seconds=seconds))
CAUGHT_UP = st.builds(lambda n, t: PartitionState(n, n, t), st.integers(0, 99), st.none() | MOMENTS)
LAGGING = st.builds(lambda n, lag, t: PartitionState(n, n + lag, t), st.integers(0, 99), st.integers(1, 9), MOMENTS)
LAGGING_WITHOUT_EVENTS = st.builds(
    lambda n, lag: PartitionState(n, n + lag, None), st.integers(0, 9), st.integers(1, 9)
)
ANY = st.lists(CAUGHT_UP | LAGGING | LAGGING_WITHOUT_EVENTS, max_size=5)
PREVIOUS = st.none() | MOMENTS


@given(PREVIOUS, st.lists(CAUGHT_UP, min_size=1, max_size=5), MOMENTS, st.integers(0, 3600))
def test_while_all_partitions_are_caught_up_it_is_the_clock_less_the_lateness(
    previous: datetime | None, partitions: list[PartitionState], clock: datetime, seconds: int
) -> None:
    expected = clock - timedelta(seconds=seconds)
    mark = watermark(previous, partitions, clock, timedelta(seconds=seconds))
    assert mark == (expected if previous is None else max(previous, expected))


@given(st.lists(CAUGHT_UP, max_size=3), st.lists(LAGGING, min_size=1, max_size=4), MOMENTS)
def test_while_a_partition_has_lag_it_is_not_beyond_the_greatest_time_landed_from_it(
    done: list[PartitionState], lagging: list[PartitionState], clock: datetime
) -> None:
    mark = watermark(None, [*done, *lagging], clock, LATENESS)
    assert mark == min([clock - LATENESS, *(one.max_time for one in lagging if one.max_time)])


@given(PREVIOUS, ANY, LAGGING_WITHOUT_EVENTS, MOMENTS, st.integers(0, 5))
def test_while_a_partition_has_lag_and_nothing_landed_from_it_the_watermark_stays(
    previous: datetime | None, others: list[PartitionState], silent: PartitionState, clock: datetime, place: int
) -> None:
    partitions = [*others[:place], silent, *others[place:]]
    assert watermark(previous, partitions, clock, LATENESS) == previous


@given(st.lists(st.tuples(ANY, st.none() | MOMENTS), max_size=8))
def test_it_never_goes_back(rounds: list[tuple[list[PartitionState], datetime | None]]) -> None:
    mark: datetime | None = None
    for partitions, clock in rounds:
        following = watermark(mark, partitions, clock, LATENESS)
        assert mark is None or (following is not None and following >= mark)
        mark = following


@given(PREVIOUS, ANY, MOMENTS, st.randoms())
def test_the_order_of_partitions_does_not_matter(
    previous: datetime | None, partitions: list[PartitionState], clock: datetime, random: Random
) -> None:
    shuffled = random.sample(partitions, len(partitions))
    assert watermark(previous, shuffled, clock, LATENESS) == watermark(previous, partitions, clock, LATENESS)


@given(PREVIOUS, ANY)
def test_without_a_clock_it_stays(previous: datetime | None, partitions: list[PartitionState]) -> None:
    assert watermark(previous, partitions, None, LATENESS) == previous


@given(MOMENTS, st.integers(0, 59_999_999), st.sampled_from([0, 8, -5]))
def test_as_of_is_the_watermark_cut_down_to_the_minute(moment: datetime, microseconds: int, hours: int) -> None:
    minute = moment.replace(second=0, microsecond=0)
    shown = (minute + timedelta(microseconds=microseconds)).astimezone(timezone(timedelta(hours=hours)))
    assert as_of(shown) == minute
    assert as_of(shown).utcoffset() == timedelta(0)
