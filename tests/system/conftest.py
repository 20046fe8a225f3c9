"""Stacks for the tests of the whole."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.stack import Stack

StackMaker = Callable[..., Stack]


@pytest.fixture
def make_stack(tmp_path: Path) -> Iterator[StackMaker]:
    """Makes started stacks that end with the test."""
    made: list[Stack] = []

    def make(workers: int = 1, clock: str = "event") -> Stack:
        stack = Stack(tmp_path / f"stack-{len(made)}", workers, clock=clock)
        made.append(stack)
        stack.start()
        return stack

    yield make
    for stack in made:
        stack.stop()
