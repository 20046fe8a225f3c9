"""Events that have to be refused: for each reason some ways to break a good event, one break at a time.

One break at a time, so that there is no doubt which reason is the first that holds.
"""

from collections.abc import Callable
from random import Random
from typing import Any, Final, NamedTuple

import orjson

from schemas.catalogue import EVENT_TYPES, STREAMS
from schemas.event import MAX_BYTES
from schemas.reject import Reason


class Broken(NamedTuple):
    """What arrives instead: the topic, the value, and the reason with which it has to be refused."""

    topic: str
    value: bytes
    reason: Reason


Event = dict[str, Any]


def break_event(event: Event, topic: str, rng: Random, reason: str | None = None) -> Broken:
    """A copy of a good event with one thing wrong; of any reason, or of the one that is named.

    Raises KeyError for a reason that no event can be given."""
    ways = _WAYS if reason is None else {reason: _WAYS[reason]}
    kind = rng.choice(list(ways))
    copy: Event = {**event, "data": dict(event["data"])}
    if kind == Reason.WRONG_TOPIC:
        other = rng.choice([one for one in STREAMS if one != topic])
        return Broken(other, orjson.dumps(copy), Reason.WRONG_TOPIC)
    value = rng.choice(ways[kind])(copy, rng)
    return Broken(topic, value if isinstance(value, bytes) else orjson.dumps(copy), Reason(kind))


def _fat(event: Event, rng: Random) -> bytes:
    event["data"]["extensions"] = {"trace": "x" * (MAX_BYTES + rng.randrange(1000))}
    return orjson.dumps(event)


def _torn(event: Event, rng: Random) -> bytes:
    value = orjson.dumps(event)
    return value[: rng.randrange(1, len(value) - 1)]


def _nan(event: Event, _rng: Random) -> bytes:
    return orjson.dumps(event)[:-2] + b',"extensions":{"signal":NaN}}}'


def _gbk(event: Event, _rng: Random) -> bytes:
    event["data"]["extensions"] = {"note": "#"}
    return orjson.dumps(event).replace(b'"#"', '"诸暨"'.encode("gbk"))


def _without(name: str) -> Callable[[Event, Random], None]:
    def change(event: Event, _rng: Random) -> None:
        del event[name]

    return change


def _with(name: str, value: Any) -> Callable[[Event, Random], None]:
    def change(event: Event, _rng: Random) -> None:
        event[name] = value

    return change


def _naive(event: Event, _rng: Random) -> None:
    event["time"] = event["time"][:19]


def _required(event: Event) -> list[str]:
    model = EVENT_TYPES[event["type"]]
    fields = model.model_fields
    return [fields[name].alias or name for name in fields if fields[name].is_required()]


def _lost(event: Event, rng: Random) -> None:
    del event["data"][rng.choice(_required(event))]


def _null(event: Event, rng: Random) -> None:
    event["data"][rng.choice(_required(event))] = None


def _number_as_text(event: Event, _rng: Random) -> None:
    data = event["data"]
    for name, wrong in (
        ("packages", "3"),
        ("diners", 180.0),
        ("online", 1),
        ("confidence", "0.9"),
        ("status", "ACTIVE"),
    ):
        if name in data:
            data[name] = wrong
            return
    data["extensions"] = ["a list"]


def _too_many_sealed(event: Event, rng: Random) -> None:
    if "sealed_packages" in event["data"]:
        event["data"]["sealed_packages"] = event["data"]["packages"] + 1
    else:
        _number_as_text(event, rng)


def _fat_extensions(event: Event, _rng: Random) -> None:
    event["data"]["extensions"] = {"trace": "y" * 4096}


def _typo(event: Event, rng: Random) -> None:
    data = event["data"]
    name = rng.choice(list(data))
    data[f"{name}_"] = data[name]


def _nested_typo(event: Event, rng: Random) -> None:
    data = event["data"]
    for name in ("host", "person"):
        if name in data:
            data[name] = {**data[name], "wechat": "x"}
            return
    _typo(event, rng)


def _no_such_town(event: Event, _rng: Random) -> None:
    event["data"]["town_code"] = "330681999"


def _bad_id(event: Event, rng: Random) -> None:
    name = EVENT_TYPES[event["type"]].entity
    event["data"][name] = rng.choice(("", "诸暨-1", "a b", "x" * 65))


def _bad_number(event: Event, rng: Random) -> None:
    data = event["data"]
    if data.get("license_kind") == "food_license":
        data["license_no"] = "JY4" + data["license_no"][3:]
    elif "uscc" in data:
        data["uscc"] = data["uscc"][:-1] + ("A" if data["uscc"][-1] != "A" else "B")
    else:
        _bad_id(event, rng)


_WAYS: Final[dict[str, tuple[Callable[[Event, Random], bytes | None], ...]]] = {
    Reason.TOO_LARGE: (_fat,),
    Reason.NOT_JSON: (
        _torn,
        _nan,
        _gbk,
        lambda _event, _rng: b"",
        lambda event, _rng: b"\xef\xbb\xbf" + orjson.dumps(event),
    ),
    Reason.NOT_CLOUDEVENT: (
        _without("id"),
        _without("source"),
        _without("type"),
        _without("specversion"),
        _with("specversion", "0.3"),
        _with("id", "x" * 129),
        _with("id", "tab\there"),
        _with("source", ""),
    ),
    Reason.UNKNOWN_TYPE: (_with("type", "yangguang.seal.order.v9"), _with("type", "com.example.ping")),
    Reason.WRONG_TOPIC: (),
    Reason.MISSING_FIELD: (_without("time"), _without("data"), _lost, _lost),
    Reason.BAD_VALUE: (
        _naive,
        _with("time", "1999-12-31T23:59:59+08:00"),
        _with("data", []),
        _null,
        _number_as_text,
        _too_many_sealed,
        _fat_extensions,
    ),
    Reason.FUTURE_TIME: (_with("time", "2099-01-01T00:00:00+08:00"),),
    Reason.UNKNOWN_FIELD: (_typo, _nested_typo),
    Reason.BAD_IDENTIFIER: (_no_such_town, _bad_id, _bad_number),
}
