"""What holds for every answer, whatever was sent."""

from typing import Any, Final, NamedTuple

import orjson

from schemas.catalogue import STREAMS
from schemas.reject import Reason
from tests.hostile.answers import Answer
from tests.hostile.requests import Attempt
from tests.hostile.vendors import VENDOR

_ALLOWED: Final = frozenset({200, 202, 207, 400, 401, 404, 405, 408, 413, 415, 422, 429, 503})
_JUDGED: Final = frozenset({202, 207, 422})
_REASONS: Final = frozenset(one.value for one in Reason)


class Accepted(NamedTuple):
    """An event that the gateway says is durable, and where."""

    topic: str
    partition: int
    offset: int
    id: str


class Told(NamedTuple):
    """What an answer says of events."""

    accepted: list[Accepted]
    rejected: int = 0


class BrokenRuleError(AssertionError):
    """An answer that should never be given."""


def check(attempt: Attempt, answer: Answer) -> Told:
    """What the answer says of events. Raises BrokenRuleError."""
    try:
        return _check(attempt, answer)
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        raise BrokenRuleError(f"{type(error).__name__}: {error}") from error


def _check(attempt: Attempt, answer: Answer) -> Told:
    status, headers = answer.status, answer.headers
    assert status in _ALLOWED, f"{status} is never to be answered"
    if status == 503:
        assert "retry-after" in headers or b'"waiting"' in answer.body, "503 says when to come again"
    else:
        assert attempt.statuses is None or status in attempt.statuses, f"not one of {sorted(attempt.statuses or ())}"
    assert not answer.body or "content-type" in headers, "a body has a type"
    if attempt.bodyless:
        return Told([])
    if status in _JUDGED or (status == 200 and attempt.kind == VENDOR):
        return _told(attempt, answer)
    if status >= 400 and b'"waiting"' not in answer.body:
        _problem(answer)
    return Told([])


def _problem(answer: Answer) -> None:
    assert answer.headers["content-type"] == "application/problem+json"
    body = orjson.loads(answer.body)
    assert body["status"] == answer.status
    assert body["title"]
    assert isinstance(body["detail"], str)
    assert 0 < len(body["detail"]) < 1000, "a problem is one sentence"
    needed = {401: "www-authenticate", 405: "allow", 415: "accept", 429: "retry-after"}.get(answer.status)
    assert needed is None or needed in answer.headers or "accept-encoding" in answer.headers, f"no header {needed}"


def _told(attempt: Attempt, answer: Answer) -> Told:
    assert answer.headers["content-type"] == "application/json"
    body = orjson.loads(answer.body)
    results: list[dict[str, Any]] = body["results"]
    indices = [one["index"] for one in results]
    if attempt.kind == VENDOR:  # of one message there may be several events
        indices = sorted(set(indices))
    assert indices == list(range(len(indices))), "every item has one result"
    assert attempt.items in (None, len(results)), f"{attempt.items} items have {len(results)} results"
    accepted = [_accepted(one) for one in results if one["status"] == "accepted"]
    rejected = [one for one in results if one["status"] == "rejected"]
    ignored = [one for one in results if one["status"] == "ignored"]
    assert not ignored or attempt.kind == VENDOR, "only a vendor's message may carry nothing"
    for one in rejected:
        assert one["reason"] in _REASONS, f"no reason: {one}"
    assert all(one["detail"] for one in rejected + ignored), "what is not taken is told why"
    assert (body["accepted"], body["rejected"]) == (len(accepted), len(rejected))
    assert body.get("ignored", 0) == len(ignored)
    assert len(results) == len(accepted) + len(rejected) + len(ignored) > 0
    expected = (202 if accepted else 200) if not rejected else 207 if accepted else 422
    assert answer.status == expected, f"{expected} is right"
    return Told(accepted, len(rejected))


def _accepted(result: dict[str, Any]) -> Accepted:
    place = Accepted(result["topic"], result["partition"], result["offset"], result["id"])
    assert place.topic in STREAMS
    assert place.partition >= 0
    assert place.offset >= 0
    return place
