"""Which refused events are meant, as SQL over the view `rejected`: pure, for commands and for the gateway."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, Self

from schemas.fields import microseconds
from sinks.clickhouse.raw import DATABASE
from sinks.clickhouse.rejected import RejectedRow

_NAME: Final = re.compile(r"([A-Za-z0-9._-]{1,249})/(-?\d{1,9})/(-?\d{1,18})", re.ASCII)
_MICRO: Final = "fromUnixTimestamp64Micro({{{name}:Int64}}, 'UTC')"
NEWEST_FIRST: Final = "time DESC, raw_partition DESC, raw_offset DESC"

OWN_COLUMNS: Final = (
    "time", "reason", "detail", "id", "type", "source", "topic", "partition", "offset", "vendor", "replayed_at",
)  # fmt: skip
"""What a producer is told of its refused events."""


class Name(NamedTuple):
    """One refused event, by where its record stands; the gateway's are at `http/-1/` and the offset of their bytes."""

    topic: str
    partition: int
    offset: int

    @classmethod
    def parsed(cls, text: str) -> Self:
        """Reads `TOPIC/PARTITION/OFFSET`. Raises ValueError."""
        match = _NAME.fullmatch(text)
        if match is None:
            raise ValueError(
                f"{text!r} names no refused event: write TOPIC/PARTITION/OFFSET as yangguang rejected list shows it"
            )
        return cls(match[1], int(match[2]), int(match[3]))

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class Question(NamedTuple):
    """A statement with its parameters, as clickhouse-connect takes them."""

    sql: str
    parameters: dict[str, Any]


class Selection(NamedTuple):
    """Which refused events are meant: those that every given condition holds for, and of a condition any value."""

    names: Sequence[Name] = ()
    reasons: Sequence[str] = ()
    sources: Sequence[str] = ()
    producers: Sequence[str] = ()
    topics: Sequence[str] = ()
    types: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    waiting: bool = False
    """Only those that were not replayed yet."""

    def __bool__(self) -> bool:
        """Whether anything is said of which ones."""
        return any((*self[:6], self.since, self.until))

    def __str__(self) -> str:
        """In words, for the record of who did what."""
        lists = zip(("event", "reason", "source", "producer", "topic", "type"), self[:6], strict=True)
        words = [f"{name} {', '.join(map(str, values))}" for name, values in lists if values]
        words += [f"since {self.since.isoformat()}"] if self.since else []
        words += [f"until {self.until.isoformat()}"] if self.until else []
        return "; ".join(words) or "all"

    def where(self) -> Question:
        """The WHERE clause, empty where everything is meant."""
        conditions: list[str] = []
        parameters: dict[str, Any] = {}
        for column in ("reason", "source", "producer", "topic", "type"):
            values = getattr(self, f"{column}s")
            if values:
                conditions.append(f"{column} IN {{{column}:Array(String)}}")
                parameters[column] = list(values)
        for name, sign, moment in (("since", ">=", self.since), ("until", "<", self.until)):
            if moment is not None:
                conditions.append(f"time {sign} {_MICRO.format(name=name)}")
                parameters[name] = microseconds(moment)
        if self.waiting:
            conditions.append("replayed_at IS NULL")
        if self.names:
            places = []
            for number, one in enumerate(self.names):
                kinds = (("topic", "String"), ("partition", "Int32"), ("offset", "Int64"))
                parts = [f"{part} = {{{part}_{number}:{kind}}}" for part, kind in kinds]
                places.append(f"({' AND '.join(parts)})")
                parameters |= {f"{part}_{number}": value for part, value in one._asdict().items()}
            conditions.append(f"({' OR '.join(places)})")
        return Question(f" WHERE {' AND '.join(conditions)}" if conditions else "", parameters)


def own_rejected(
    producer: str,
    sources: Sequence[str],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    reasons: Sequence[str] = (),
    types: Sequence[str] = (),
    limit: int = 100,
) -> Question:
    """A producer's own refused events, the newest first, for `GET /v1/rejected`.

    Its own are what its key pushed, and what came by Kafka directly under one of its sources; a producer without
    listed sources has no such.

    :param sources: as an API key has them: a prefix up to a `/`, or any beginning before a `*`.
    :param limit: the most rows."""
    if not producer:
        raise ValueError("a producer without a name has no refused events of its own")
    where = Selection(reasons=reasons, types=types, since=since, until=until).where()
    parameters: dict[str, Any] = {**where.parameters, "own": producer, "limit": limit}
    direct = []
    for number, source in enumerate(sources):
        below = source.removesuffix("*") if source.endswith(("*", "/")) else f"{source}/"
        if not below:
            continue  # any source is nobody's own
        direct.append(f"startsWith(source, {{below_{number}:String}})")
        parameters[f"below_{number}"] = below
        if not source.endswith(("*", "/")):
            direct.append(f"source = {{source_{number}:String}}")
            parameters[f"source_{number}"] = source
    by_kafka = f" OR (producer = '' AND ({' OR '.join(direct)}))" if direct else ""
    clause = f"{where.sql} AND" if where.sql else " WHERE"
    return Question(
        f"SELECT {', '.join(OWN_COLUMNS)} FROM {DATABASE}.rejected{clause} (producer = {{own:String}}{by_kafka})\n"
        f"ORDER BY {NEWEST_FIRST} LIMIT {{limit:UInt32}}",
        parameters,
    )


def row_of(shown: Mapping[str, Any]) -> RejectedRow:
    """A row as the view shows it, as it is recorded."""
    moments = {name: shown[name] and microseconds(shown[name]) for name in ("time", "replayed_at")}
    return RejectedRow(**{name: shown[name] for name in RejectedRow._fields} | moments)
