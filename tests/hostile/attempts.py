"""All attempts: which there are, how often each comes, and how one is made again."""

from collections.abc import Callable
from random import Random
from typing import Final

from tests.hostile import framing, requests, vendors
from tests.hostile.requests import Attempt, Keys

Maker = Callable[[Random, Keys], Attempt]

_MAKERS: Final[dict[Maker, float]] = {
    requests.of_body: 52,
    requests.binary: 9,
    vendors.of_vendor: 4,
    requests.odd_headers: 6,
    requests.odd_key: 5,
    requests.signed: 3,
    requests.asked: 8,
    requests.piped: 1,
    requests.garbage: 3,
    framing.chunked: 3,
    framing.broken_chunks: 1.5,
    framing.two_ends: 1.5,
    framing.wrong_length: 1.5,
    framing.cut: 1.5,
    requests.of_huge_body: 0.1,
}


def attempt(seed: str, number: int, keys: Keys) -> Attempt:
    """Attempt `number` of a seed: always the same."""
    chance = Random(f"{seed}:{number}")
    [make] = chance.choices(list(_MAKERS), list(_MAKERS.values()))
    return make(chance, keys)
