"""Only what is finished without a gap may be committed: the ledger of lists against a plain reference."""

from typing import Final

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streams.offsets import OffsetLedger

PARTITIONS: Final = (0, 1)


class Handed:
    """One list that was handed out; the object itself is its token."""

    def __init__(self, first: int, last: int) -> None:
        self.first, self.last, self.finished = first, last, False


class Ledger(RuleBasedStateMachine):
    """Lists are handed out, finished in any order, fail, are revoked and read again."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger: OffsetLedger[int] = OffsetLedger()
        self.lists: dict[int, list[Handed]] = {partition: [] for partition in PARTITIONS}
        self.old: list[tuple[int, Handed]] = []
        self.position = dict.fromkeys(PARTITIONS, 0)
        self.committed = dict.fromkeys(PARTITIONS, 0)

    @rule(partition=st.sampled_from(PARTITIONS), gap=st.integers(0, 3), size=st.integers(1, 5))
    def hand_out(self, partition: int, gap: int, size: int) -> None:
        first = self.position[partition] + gap
        handed = Handed(first, first + size - 1)
        self.position[partition] = first + size
        self.lists[partition].append(handed)
        self.ledger.handed_out(partition, handed.first, handed.last, handed)

    @precondition(lambda self: any(self.lists.values()))
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        candidates = [(partition, one) for partition in PARTITIONS for one in self.lists[partition]]
        partition, handed = data.draw(st.sampled_from(candidates))
        handed.finished = True
        self.ledger.finished(partition, handed)

    @precondition(lambda self: self.old)
    @rule(data=st.data())
    def finish_what_was_revoked(self, data: st.DataObject) -> None:
        partition, handed = data.draw(st.sampled_from(self.old))
        self.ledger.finished(partition, handed)

    @rule(partition=st.sampled_from(PARTITIONS))
    def commit(self, partition: int) -> None:
        offset = self.ledger.committable(partition)
        if offset is not None:
            assert offset >= self.committed[partition], "a commit went back"
            self.committed[partition] = offset

    def _read_again(self, partition: int) -> None:
        self.old += [(partition, one) for one in self.lists[partition]]
        self.lists[partition] = []
        self.position[partition] = self.committed[partition]

    @rule(partition=st.sampled_from(PARTITIONS))
    def revoke(self, partition: int) -> None:
        self.ledger.forget(partition)
        self._read_again(partition)

    @rule()
    def revoke_all(self) -> None:
        self.ledger.forget_all()
        for partition in PARTITIONS:
            self._read_again(partition)

    @invariant()
    def the_longest_finished_prefix_is_what_may_be_committed(self) -> None:
        for partition in PARTITIONS:
            prefix = None
            for handed in self.lists[partition]:
                if not handed.finished:
                    break
                prefix = handed.last + 1
            assert self.ledger.committable(partition) == prefix
            assert (partition in self.ledger.partitions()) is (prefix is not None)


TestLedger = Ledger.TestCase


class _Equal:
    """A token that equals every other, as two messages with the same offsets may."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Equal)

    def __hash__(self) -> int:
        return 1


def test_a_list_that_fails_holds_back_all_that_follow_it() -> None:
    ledger: OffsetLedger[str] = OffsetLedger()
    failed, *others = [object() for _ in range(4)]
    for number, token in enumerate([failed, *others]):
        ledger.handed_out("p", number * 10, number * 10 + 9, token)
    for token in others:
        ledger.finished("p", token)
    assert ledger.committable("p") is None
    ledger.finished("p", failed)
    assert ledger.committable("p") == 40


def test_a_list_that_is_read_again_is_not_finished_by_its_forgotten_twin() -> None:
    ledger: OffsetLedger[str] = OffsetLedger()
    before, again = _Equal(), _Equal()
    ledger.handed_out("p", 0, 9, before)
    ledger.forget("p")
    ledger.handed_out("p", 0, 9, again)
    ledger.finished("p", before)
    assert ledger.committable("p") is None
    ledger.finished("p", again)
    assert ledger.committable("p") == 10


def test_partitions_do_not_hold_each_other_back() -> None:
    ledger: OffsetLedger[str] = OffsetLedger()
    token = object()
    ledger.handed_out("slow", 0, 9, object())
    ledger.handed_out("fast", 5, 7, token)
    ledger.finished("fast", token)
    assert ledger.partitions() == ["fast"]
    assert (ledger.committable("fast"), ledger.committable("slow")) == (8, None)


@pytest.mark.parametrize("partition", ["never seen"])
def test_what_is_not_known_changes_nothing(partition: str) -> None:
    ledger: OffsetLedger[str] = OffsetLedger()
    ledger.finished(partition, object())
    ledger.forget(partition)
    assert ledger.committable(partition) is None
    assert ledger.partitions() == []
