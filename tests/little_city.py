"""A database with a little of everything: real events, landed and computed as the pipeline does it, ending now.

Few enough to count by hand, so a test can say which numbers a page or a command has to show."""

import asyncio
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from schemas.catalogue import EVENT_TYPES, STREAMS
from schemas.columns import LANDED_AT, BlockEncoder
from schemas.decode import Decoder
from schemas.event import Event
from schemas.fields import microseconds
from schemas.indicators import INDICATORS
from schemas.personal import Tokeniser
from sinks.clickhouse.address import Address
from sinks.clickhouse.alerts import LOG_COLUMNS
from sinks.clickhouse.catalogue import sync_catalogue
from sinks.clickhouse.client import Store
from sinks.clickhouse.migrate import Migrator
from sinks.clickhouse.progress import write_watermarks
from sinks.clickhouse.raw import DATABASE, raw_table
from streams.rebuild import Rebuilder, adopt
from tests.pipeline.embedded_clickhouse import WRITER_PASSWORD, Server
from tests.schemas import events as sample

HOME: Final = "330681001"
OTHER: Final = "330681109"
HOURS: Final = 30
"""Orders come in each of the last so many hours."""
HEARTBEATS: Final = 180
"""Minutes of heartbeats; the camera is dark in those that `DARK` holds, counted back from now."""
DARK: Final = range(40, 75)
ACTIVE_DAYS: Final = 30


def clock() -> datetime:
    """The present minute."""
    return datetime.now(UTC).replace(second=0, microsecond=0)


class _Teller:
    """Makes events; each has an id of its own."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._count = 0

    def ago(self, **length: float) -> str:
        """A moment that lies so far back, as events hold it."""
        return (self._now - timedelta(**length)).isoformat()

    def event(self, kind: str, source: str, time: str, /, **data: Any) -> dict[str, Any]:
        """A valid event with these fields, and of the rest those that are required."""
        self._count += 1
        return sample.attributes(sample.least(kind, **data), id=f"e-{self._count}", source=source, time=time)


def events(now: datetime) -> Iterator[dict[str, Any]]:
    """Everything that has happened in the little city."""
    tell = _Teller(now)
    yield from _registry(tell)
    yield from _kitchens(tell)
    yield from _orders(tell)
    yield from _findings(tell)
    yield from _banquets(tell)
    yield from _duties(tell)


def _registry(tell: _Teller) -> Iterator[dict[str, Any]]:
    def operator(code: str, kind: str, **data: Any) -> dict[str, Any]:
        return tell.event(
            sample.OPERATOR, "/licensing/zhuji", tell.ago(days=40), operator_id=code, kind=kind,
            **{"name": f"{code}号", "town_code": HOME, "director": True, "officers": 1, **data},
        )  # fmt: skip

    open_always = [{"from": "00:00", "to": "00:00"}]
    certificate = [{"scheme": "HACCP", "valid_until": tell.ago(days=-30)[:10]}]
    yield operator("op-1", "takeaway", platforms=["meituan", "eleme"], open_hours=open_always)
    yield operator("op-2", "takeaway", platforms=["meituan"], town_code=OTHER, officers=0)
    yield operator("op-3", "takeaway", platforms=["jd"], town_code=OTHER)
    yield operator("op-school", "school_canteen", grade="C", accepted=["6H"])
    yield operator("op-elder", "eldercare_canteen", grade="A")
    yield operator("op-canteen", "caring_canteen")
    yield operator("op-supplier", "school_supplier", certificates=certificate)
    yield operator("op-unit", "delivery_unit", grade="B", certificates=certificate)
    yield operator("op-cook", "banquet_cook", training_valid_until="2099-12-31", health_valid_until="2099-12-31")
    yield operator("op-street", "dining_street")
    for code, served_by in (("v-1", "op-canteen"), ("v-2", None), ("v-3", None)):
        yield tell.event(
            sample.VILLAGE, "/civil-affairs/zhuji", tell.ago(days=30), village_id=code, served_by=served_by
        )


def _kitchens(tell: _Teller) -> Iterator[dict[str, Any]]:
    states = (("op-1", HOME, "pending", 20), ("op-1", HOME, "active", 10), ("op-elder", HOME, "active", 9),
              ("op-2", OTHER, "degraded", 3))  # fmt: skip
    for code, town, state, days in states:
        yield tell.event(
            sample.KITCHEN, "/platform/kitchens", tell.ago(days=days), operator_id=code, town_code=town, state=state
        )
    for minute in range(HEARTBEATS, 0, -1):
        dark = minute in DARK
        yield tell.event(
            sample.HEARTBEAT, "/vendor/box-7", tell.ago(minutes=minute, seconds=-5), camera_id="c-1", online=not dark
        )


def _orders(tell: _Teller) -> Iterator[dict[str, Any]]:
    """Two merchants, each an order every ten minutes; of the second one's every third has no evidence of its seal."""
    for number in range(HOURS * 6):
        for operator, town, platform in (("op-1", HOME, "meituan"), ("op-2", OTHER, "meituan")):
            known = operator == "op-1" or number % 3
            delivered = tell.ago(minutes=20 + 10 * number)
            yield tell.event(
                sample.ORDER, f"/platform/{platform}", delivered, order_id=f"{operator}-{number}", operator_id=operator,
                platform=platform, town_code=town, delivered_at=delivered, evidence_level=2 if known else 0,
                seal_state="intact" if known else "unknown",
            )  # fmt: skip
    for hours, source in ((5, "/platform/jd"), (6, "/rider/jd")):
        yield tell.event(
            sample.ORDER, source, tell.ago(hours=5), order_id="o-conflict", operator_id="op-3", platform="jd",
            town_code=OTHER, delivered_at=tell.ago(hours=hours),
        )  # fmt: skip


def _findings(tell: _Teller) -> Iterator[dict[str, Any]]:
    found = (("f-1", "NO_MASK", "closed", 5), ("f-2", "606", "confirmed", 6), ("f-3", "RODENT", "closed", 30),
             ("f-4", "vendor-4711", "confirmed", 50), ("f-5", "SMOKING", "false_positive", 20))  # fmt: skip
    for code, finding, review, hours in found:
        yield tell.event(
            sample.FINDING, "/vendor/box-7", tell.ago(hours=hours), finding_id=code, finding=finding, vendor="box-7",
            review=review, found_at=tell.ago(hours=hours + 24), due_at=tell.ago(hours=hours),
            closed_at=tell.ago(hours=hours + 1) if review == "closed" else None,
        )  # fmt: skip


def _banquets(tell: _Teller) -> Iterator[dict[str, Any]]:
    held = (("b-1", 2, 5, "op-cook", True), ("b-2", 4, 1, None, None), ("b-3", 9, 6, "op-cook", False))
    for code, days, ahead, cook, samples in held:
        yield tell.event(
            sample.BANQUET, "/app/jiayan", tell.ago(days=days), banquet_id=code, status="held", cook_id=cook,
            samples_retained=samples, declared_at=tell.ago(days=days + ahead), held_at=tell.ago(days=days),
            guided_at=tell.ago(days=days, hours=2) if samples else None,
        )  # fmt: skip
    yield tell.event(
        sample.BANQUET, "/app/jiayan", tell.ago(hours=1), banquet_id="b-soon", declared_at=tell.ago(hours=1),
        held_at=tell.ago(days=-3), cook_id=None,
    )  # fmt: skip


def _duties(tell: _Teller) -> Iterator[dict[str, Any]]:
    duties = (("m-1", "guarantee_relation", "done"), ("m-2", "guarantee_relation", "due"), ("m-3", "pledge", "done"),
              ("m-4", "supervision_visit", "done"), ("m-5", "supervision_visit", "due"))  # fmt: skip
    for code, measure, status in duties:
        yield tell.event(
            sample.MEASURE, "/food-office/zhuji", tell.ago(days=3), measure_id=code, measure=measure, status=status,
            operator_id="op-1", due_at=tell.ago(days=2), done_at=tell.ago(days=3) if status == "done" else None,
        )  # fmt: skip


def fill(server: Server, now: datetime) -> None:
    """Makes the database, lands the events and computes every rate as a worker would, up to a minute before `now`."""
    client = server.client()
    migrator = Migrator(client)
    migrator.prepare()
    migrator.apply(migrator.plan())
    sync_catalogue(client, INDICATORS)
    client.command(
        f"INSERT INTO {DATABASE}.raw_rejected (topic, partition, offset, reason, detail, source, time, raw_partition, "
        "raw_offset) VALUES ('yangguang.seal', 0, 1, 'bad_value', '/data/packages: too few', '/platform/jd', "
        "now64(6), 0, 0)"
    )
    client.insert(f"{DATABASE}.alert_log", [_alert(now)], column_names=LOG_COLUMNS)
    client.command(
        f"INSERT INTO {DATABASE}.raw_alert_deliveries (transition_id, channel, attempt, outcome, detail, at) VALUES "
        "('t-1', 'duty', 1, 'failed', 'no answer within 10 s', now64(6))"
    )
    client.close()
    asyncio.run(_land_and_compute(server, now))


def _alert(now: datetime) -> list[Any]:
    row = {
        "alert_id": f"seal_coverage.town.{OTHER}.1h", "transition_id": "t-1", "kind": "rate",
        "indicator": "seal_coverage", "scope": "town", "scope_id": OTHER, "window": "1h", "from_state": "pending",
        "to_state": "firing", "since": now, "held": 0, "as_of": now, "recorded_at": now, "numerator": 4,
        "denominator": 6, "unknown": 2, "rate": 4 / 6, "target": 0.9, "worst": [], "reason": "has held for 10 min",
        "step": 1, "subject": "", "inhibited_by": "", "facts": "",
    }  # fmt: skip
    return [row[name] for name in LOG_COLUMNS]


async def _land_and_compute(server: Server, now: datetime) -> None:
    store = await Store.open(Address("127.0.0.1", server.port, "writer", WRITER_PASSWORD))
    try:
        await _land(store, events(now), now)
        marks = dict.fromkeys(STREAMS, now - timedelta(seconds=60))
        await write_watermarks(store, marks, now, "event", timedelta(seconds=60))  # however slow the tests, never stale
        await adopt(store, INDICATORS, ACTIVE_DAYS)
        async for _ in Rebuilder(store, INDICATORS, ACTIVE_DAYS).run():
            pass
    finally:
        await store.close()


async def _land(store: Store, told: Iterable[dict[str, Any]], now: datetime) -> None:
    decoder = Decoder(None)
    encoders = {kind: BlockEncoder(model, Tokeniser(bytes(16))) for kind, model in EVENT_TYPES.items()}
    rows: dict[str, list[Any]] = {}
    for one in told:
        event = decoder.decode(sample.to_bytes(one), now + timedelta(days=1))
        assert isinstance(event, Event), event
        rows.setdefault(event.type, []).append(BlockEncoder.row(event))
    for kind, several in rows.items():
        columns = [*encoders[kind].columns, LANDED_AT]
        values = [*encoders[kind].encode(several), [microseconds(now)] * len(several)]
        await store.insert(
            raw_table(EVENT_TYPES[kind]), [one.name for one in columns], [one.type for one in columns], values
        )
