"""The pages of on-call staff in a real browser: the one behind a message's link, and the alerts of the dashboard."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from schemas.action import acknowledgement, silence
from streams.action_links import link_key
from tests.pipeline.embedded_clickhouse import Server
from tests.pipeline.gateway.chromium import Chromium
from tests.pipeline.gateway.stack import Broker, Gateway, Tape
from tests.pipeline.gateway.test_acting import MASTER, SINCE, actions, done, insert_alert, link, write_down
from tests.system.parts import wait_for

__all__ = ["actions"]

NAMES = ("event", "quiet", "seen", "city", "held", "left", "pending", "over")


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory, broker: Broker, clickhouse: Server) -> Iterator[Gateway]:
    running = Gateway(tmp_path_factory.mktemp("door"), broker.servers, clickhouse.port, signing_key=MASTER)
    running.wait_for("/readyz", 200)
    yield running
    running.kill()


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    running = Chromium()
    yield running
    running.end()


def test_whoever_has_the_link_acknowledges_and_a_second_click_does_no_more(
    browser: Chromium, door: Gateway, clickhouse: Server, actions: Tape
) -> None:
    insert_alert(clickhouse, "browser-1", kind="event", indicator="finding_critical", subject="f-1")
    browser.open(door.url + link("browser-1"))
    assert "重大风险" in browser.text
    browser.click("button[value=acknowledge]")
    assert "处理告警" in browser.text, "without a name nothing is sent"
    assert done(actions) == []
    browser.type("#by", "王")
    browser.type("#why", "去现场")
    browser.click("button[value=acknowledge]", twice=True)
    browser.says("王 正在处理")
    found = done(actions)
    assert {(one.action, one.alert_id, one.by, one.why, one.via) for one in found} == {
        ("acknowledge", "browser-1", "王", "去现场", "link")
    }
    assert len({one.action_id for one in found}) == 1
    write_down(clickhouse, found)
    client = clickhouse.client()
    rows = client.query(
        "SELECT `by`, why, via FROM yangguang.acknowledgements WHERE alert_id = 'browser-1'"
    ).result_rows
    client.close()
    assert rows == [("王", "去现场", "link")]
    browser.open(door.url + link("browser-1"))
    assert "已确认\n王" in browser.text


def test_a_link_that_has_expired_or_was_altered_says_so_and_offers_nothing(
    browser: Chromium, door: Gateway, clickhouse: Server, actions: Tape
) -> None:
    insert_alert(clickhouse, "browser-2")
    for address, says in (
        (link("browser-2", hours=-1), "链接已过期"),
        (link("browser-2", key=link_key(b"other")), "链接无效"),
        (link("browser-2", since=SINCE - timedelta(days=1)), "告警已结束"),
    ):
        browser.open(door.url + address)
        assert browser.text.startswith(says)
        assert browser.value("document.querySelectorAll('form, button, input').length") == 0
    assert done(actions) == []


def test_the_dashboard_shows_who_sees_to_what_until_when(browser: Chromium, door: Gateway, clickhouse: Server) -> None:
    now = datetime.now(UTC)
    minute = now.replace(second=0, microsecond=0)
    until, quiet_since = minute + timedelta(hours=2), minute - timedelta(minutes=90)
    facts = json.dumps({"operator_name": "老街面馆", "finding": "RODENT", "found_at": "2026-11-23T04:00:00Z"})
    insert_alert(clickhouse, "shown-event", kind="event", indicator="finding_critical", window="", facts=facts)
    insert_alert(
        clickhouse, "shown-quiet", kind="condition", indicator="no_data", window="2h", subject="yangguang.seal",
        scope="platform", scope_id="jd", since=quiet_since,
    )  # fmt: skip
    insert_alert(clickhouse, "shown-seen")
    insert_alert(clickhouse, "shown-city", indicator="seal_evidence", scope="city", scope_id="330681")
    insert_alert(clickhouse, "shown-held", inhibited_by="shown-city")
    insert_alert(clickhouse, "shown-left", inhibited_by="shown-over")
    insert_alert(clickhouse, "shown-pending", "pending")
    insert_alert(clickhouse, "shown-over", "resolved")
    seen = acknowledgement("shown-seen", SINCE, "王", "去看", now, "link")
    write_down(clickhouse, [seen, silence({"alert_id": "shown-quiet"}, until, "李", "检修", now, "cli")])

    def row(name: str) -> list[str]:
        cells = browser.value(
            f"[...(document.querySelector('tr[title=shown-{name}]')?.cells ?? [])].map(td => td.innerText)"
        )
        return [str(one) for one in cells]

    def shown(kind: str) -> set[str]:
        browser.value(f"(state.allAlerts = true, choose({{ kind: '{kind}' }}))")
        return {name for name in NAMES if row(name)}

    browser.open(door.url + "/")
    wait_for(lambda: browser.value("state.alerts !== null"), 10, "the alerts are there")
    assert shown("all") == set(NAMES) - {"over"}
    status, what, place, since, handling, *_ = row("event")
    assert status == "已触发\n事件"
    assert what == "重大风险\n老街面馆 · 问题：鼠患 · 发现时间：2026-11-23 12:00"
    assert (place, handling) == ("暨阳", "无人处理")
    assert since.startswith("11-23 12:00\n已 ")
    local = until + timedelta(hours=8)
    assert row("quiet")[0:3] == ["已触发\n数据状况", "数据中断\n外卖封签 · 2 小时", "京东"]
    began, lasting = row("quiet")[3].split("\n")
    assert began == f"{quiet_since + timedelta(hours=8):%m-%d %H:%M}"
    most = (datetime.now(UTC) - quiet_since) // timedelta(minutes=1)  # minutes pass while the page is read
    assert lasting in {f"已 1 小时 {minutes - 60} 分" for minutes in range(90, most + 1)}
    assert row("quiet")[4] == f"静默至 {local:%m-%d %H:%M}"
    assert row("seen")[4] == "王 已确认至本次恢复"
    assert row("held")[4] == "由全市告警代发"
    assert [row("pending")[index] for index in (0, 4)] == ["待触发\n指标", ""]
    assert shown("unattended") == {"event", "city", "left"}
    assert shown("condition") == {"quiet"}
    assert shown("event") == {"event"}
    assert shown("rate") == {"seen", "city", "held", "left", "pending"}
