"""What of two mappings is not equal, as sentences."""

import math
from collections.abc import Iterable, Mapping
from typing import Any


def differ(what: str, expected: Mapping[Any, Any], actual: Mapping[Any, Any]) -> Iterable[str]:
    """One sentence for each key whose values are not equal."""
    for key in sorted(expected.keys() | actual.keys(), key=str):
        if key not in actual:
            yield f"{what} {key} is missing: {expected[key]}"
        elif key not in expected:
            yield f"{what} {key} should not be there: {actual[key]}"
        elif not equal(expected[key], actual[key]):
            yield f"{what} {key} " + "; ".join(_unequal(expected[key], actual[key]))


def _unequal(expected: Any, actual: Any) -> Iterable[str]:
    """What of a row is not as it should be."""
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        for name in sorted(expected.keys() | actual.keys()):
            if not equal(expected.get(name), actual.get(name)):
                yield f"{name} is {actual.get(name)}, should be {expected.get(name)}"
    else:
        yield f"is {actual}, should be {expected}"


def equal(one: Any, other: Any) -> bool:
    """Exactly, but for the last digits of floats; True is not 1."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=0, abs_tol=1e-12)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(equal(*pair) for pair in zip(one, other, strict=True))
    return bool(one == other) and (isinstance(one, bool) == isinstance(other, bool))


def keyed(what: str, rows: Iterable[tuple[Any, Any]]) -> tuple[dict[Any, Any], list[str]]:
    """Rows by key, and a difference for each key that stands twice."""
    found: dict[Any, Any] = {}
    twice = []
    for key, value in rows:
        if key in found:
            twice.append(f"{what} {key} stands twice: {found[key]} and {value}")
        found[key] = value
    return found, twice
