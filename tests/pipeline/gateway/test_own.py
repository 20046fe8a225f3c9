"""GET /v1/rejected: a producer sees its own refused events and nobody else's."""

import asyncio
import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from schemas.reject import Reason, Rejection
from sinks.clickhouse.address import Address
from sinks.clickhouse.client import Store
from sinks.clickhouse.rejected import RejectedRow, record_rejected
from streams.rejects import Door, door_headers, from_record, headers
from tests.pipeline.embedded_clickhouse import WRITER_PASSWORD, Server
from tests.pipeline.gateway.stack import Broker, Gateway, give_key
from tests.pipeline.gateway.test_callers import text_of
from tests.pipeline.gateway.test_refusals import problem
from tests.streams.test_rejects import Delivered
from tests.system.parts import wait_for

AT = datetime(2026, 11, 25, 4, tzinfo=UTC)


@pytest.fixture(scope="module")
def key(gateway: Gateway, broker: Broker, clickhouse: Server) -> str:
    """A key of producer `jd`, and one refused event of each kind that might be its own."""
    refusals = [
        (Door("http", "jd"), "/platform/jd", "mine"),
        (Door("mqtt", "jd"), "", "mine without a source"),
        (Door("http", "meituan"), "/platform/jd", "another's that claims to be mine"),
        (None, "/platform/jd/east", "mine by Kafka"),
        (None, "/platform/jdx", "a stranger's by Kafka"),
    ]
    rows = []
    for offset, (door, source, name) in enumerate(refusals):
        why = Rejection(Reason.BAD_VALUE, f"/data: {name}", source, name)
        made = door_headers(door, why) if door else headers("yangguang.seal", 0, offset, why, AT)
        rows.append(from_record(Delivered(made, offset=offset)))
    asyncio.run(_recorded(clickhouse, rows))
    text = give_key(broker.servers, "jd", text_of("ownrejects"), grant={"sources": ["/platform/jd"]})
    wait_for(lambda: ask(gateway, text).status_code == 200, 10, "the key is known")
    return text


async def _recorded(clickhouse: Server, rows: list[RejectedRow]) -> None:
    store = await Store.open(Address("127.0.0.1", clickhouse.port, "writer", WRITER_PASSWORD))
    await record_rejected(store, rows)
    await store.close()


def ask(gateway: Gateway, key: str | None, accept: str = "application/json", **query: Any) -> httpx.Response:
    headers_sent = {"Accept": accept} | ({"Authorization": f"Bearer {key}"} if key else {})
    return httpx.get(f"{gateway.url}/v1/rejected", params=query, headers=headers_sent)


def details(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return sorted(one["detail"].removeprefix("/data: ") for one in answer.json()["rejected"])


def test_own_are_those_that_its_keys_pushed_and_those_of_its_sources_by_kafka(gateway: Gateway, key: str) -> None:
    assert details(ask(gateway, key)) == ["mine", "mine by Kafka", "mine without a source"]


def test_filters_narrow_what_is_shown(gateway: Gateway, key: str) -> None:
    assert details(ask(gateway, key, reason="not_json")) == []
    assert len(details(ask(gateway, key, reason="bad_value", limit="1"))) == 1
    assert details(ask(gateway, key, until="2026-11-25T12:00:01+08:00", since="2026-11-25T12:00:00+08:00")) == [
        "mine by Kafka"
    ]


def test_as_csv_and_ndjson_it_is_the_same(gateway: Gateway, key: str) -> None:
    as_csv = list(csv.DictReader(io.StringIO(ask(gateway, key, "text/csv").text)))
    as_lines = [json.loads(line) for line in ask(gateway, key, "application/x-ndjson").text.splitlines()]
    assert [one["detail"] for one in as_csv] == [one["detail"] for one in as_lines]
    assert len(as_csv) == 3


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"since": "yesterday"}, "since is 'yesterday'"),
        ({"until": "2026-11-25T12:00:00"}, "with its offset"),
        ({"reason": "bad"}, "use one of"),
        ({"limit": "0"}, "from 1 to 10000"),
        ({"limit": "1e3"}, "from 1 to 10000"),
        ({"source": "/platform/jd"}, "there is no parameter source"),
    ],
)
def test_what_cannot_be_asked_is_400(gateway: Gateway, key: str, query: dict[str, str], says: str) -> None:
    answer = ask(gateway, key, **query)
    assert answer.status_code == 400
    assert says in problem(answer)


def test_who_has_no_key_sees_nothing(gateway: Gateway) -> None:
    assert ask(gateway, None).status_code == 401
