"""An empty database for event alerts, what may be put into it, and a stage that judges it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from schemas.catalogue import STREAMS
from schemas.event import EventData
from schemas.event_alerts import EventRules
from schemas.indicator import ALWAYS, Dated
from sinks.clickhouse.client import Store
from sinks.clickhouse.identity import settle_all_identities
from sinks.clickhouse.progress import write_watermarks
from streams.event_alerts import EventAlerter
from streams.slots import open_slots
from tests.streams.city import City

T0: Final = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
"""A Friday at 10:00 in Shanghai."""
MINUTE: Final = timedelta(minutes=1)
TOWN: Final = "330681001"


def always_set(value: Any) -> tuple[Dated[Any], ...]:
    return (Dated[Any].model_validate({"from": ALWAYS, "value": value}),)


class Place(City):
    """Tables in which nothing has happened yet, and a stage that judges what is put into them."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.told: list[dict[str, Any]] = []
        self.rules = EventRules()

    def insert(self, table: str, **row: Any) -> None:
        insert(self.writer, table, row)

    def add_school_camera(self) -> None:
        """Camera `cam` of `school`, which is dark from minute 5 to 20 and from minute 30 on."""
        self.insert(
            "camera_bindings", indicator="camera_online", camera_id="cam", operator_id="school", town_code=TOWN,
            first_time=T0 - timedelta(days=1), open=list(open_slots([("06:00", "18:00")])), settled=True, version=T0,
        )  # fmt: skip
        for hour, healthy in ((-1, 4095), (0, 0b000000110001)):
            self.insert(
                "camera_hours", indicator="camera_online", hour=T0 + timedelta(hours=hour), camera_id="cam",
                healthy=healthy, version=T0,
            )  # fmt: skip

    def judge(self, *clocks: datetime, event_clock: bool = True, lateness: timedelta = MINUTE) -> None:
        """Moves all watermarks to each of these minutes, and judges: one alerter, restarted at every other minute."""

        async def work(store: Store) -> None:
            alerter = EventAlerter(store, self.publish, self.rules, event_clock=event_clock)
            for index, clock in enumerate(clocks):
                await write_watermarks(store, dict.fromkeys(STREAMS, clock), clock + lateness, "event", MINUTE)
                if index % 2:
                    alerter.forget()
                await alerter.evaluate()

        self.run(work)

    def settle(self, model: type[EventData]) -> None:
        """Finds out which of several contents each identity has, as landing does."""

        async def work(store: Store) -> None:
            await settle_all_identities(store, model)

        self.run(work)

    async def publish(self, transitions: Sequence[Mapping[str, Any]]) -> None:
        self.told += map(dict, transitions)

    def begin_again(self) -> None:
        for table in ("alert_log", "watermarks"):
            self.writer.command(f"TRUNCATE TABLE yangguang.{table}")
        self.told = []

    def said(self, code: str = "") -> list[tuple[str, str, datetime]]:
        return [
            (one["subject"], one["to_state"], one["as_of"])
            for one in self.told
            if one["to_state"] != "pending" and code in ("", one["indicator"])
        ]


def insert(writer: Client, table: str, row: dict[str, Any]) -> None:
    writer.insert(f"yangguang.{table}", [list(row.values())], column_names=list(row))


def event(name: str, minutes: float) -> dict[str, Any]:
    moment = T0 + timedelta(minutes=minutes)
    return {"event_id": name, "source": "test", "event_time": moment, "landed_at": moment, "town_code": TOWN}
