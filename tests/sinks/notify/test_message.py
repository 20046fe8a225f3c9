"""What people are told: every message says what, where, how much and what to do, and no person's name."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.indicator import NOT_JUDGED
from schemas.indicators import CATALOGUE
from sinks.clickhouse.briefing import Briefing, TrendPoint, WorstOperator
from sinks.notify.envelope import Link, Message
from sinks.notify.message import Late, Progress, compose, digest, outage, severity, summary, test_message, watchdog
from sinks.notify.words import NAMES, lasted, rate_name, what_to_do

AT = datetime(2026, 11, 23, 4, 11, tzinfo=UTC)
TOWN = "330681109"
CONDITIONS = ("rejects_high", "no_data", "no_activity", "stale", "error")
EVENTS = tuple(sorted(NAMES.keys() - set(CONDITIONS)))


def rate(code: str = "kitchen_build", **fields: Any) -> dict[str, Any]:
    return {
        "alert_id": f"{code}.city.330681.now",
        "transition_id": "5b1f6c0e9d3a4f2784c1e0a9b6d75f32",
        "kind": "rate",
        "indicator": code,
        "scope": "city",
        "scope_id": "330681",
        "window": "now",
        "subject": "",
        "from_state": "pending",
        "to_state": "firing",
        "since": "2026-11-23T04:11:00+00:00",
        "held": 3,
        "as_of": "2026-11-23T04:11:00+00:00",
        "recorded_at": "2026-11-23T04:12:04.512000+00:00",
        "numerator": 3160,
        "denominator": 3599,
        "unknown": 68,
        "rate": 3160 / 3599,
        "target": 0.9,
        "worst": [["town", TOWN, "枫桥镇", 93, 183, 93 / 183]],
        "reason": "",
        "step": 0,
        "inhibited_by": "",
        "facts": "",
        **fields,
    }


def count(code: str, **fields: Any) -> dict[str, Any]:
    return rate(code, **{"denominator": 0, "unknown": 0, "worst": [], **fields})


def condition(code: str, **fields: Any) -> dict[str, Any]:
    nothing = {"kind": "condition", "worst": [], "numerator": 0, "denominator": 0, "unknown": 0, "rate": None}
    return rate(code, **{**nothing, "target": None, "window": "2h", "subject": "yangguang.seal", **fields})


def event(code: str, facts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    place = {"kind": "event", "scope": "town", "scope_id": TOWN, "window": "", "subject": "s-1"}
    return condition(code, **{**place, "facts": json.dumps(facts), **fields})


def resolved(transition: dict[str, Any]) -> dict[str, Any]:
    return {**transition, "from_state": "firing", "to_state": "resolved"}


def test_a_rate_says_what_where_how_much_since_when_and_what_to_do() -> None:
    message = compose(rate(), Briefing(operators=(WorstOperator("op-1", "枫桥小吃店", 0, 1),)))
    assert message.title == "【告警】诸暨市外卖商家阳光厨房建设率 87.8%，低于要求"
    for said in ("87.8%（3160/3599，其中未知68）", "目标：≥90.0%", "起于：2026-11-23 12:11", "枫桥镇50.8%（93/183）"):
        assert said in message.text
    assert "枫桥小吃店" in message.text
    assert what_to_do("kitchen_build", "zh") in message.text


def test_a_resolved_one_says_how_long_it_lasted_and_which_towns_still_fire() -> None:
    message = compose(
        resolved(rate(rate=0.925, numerator=3329)),
        Briefing(fired_at=AT - timedelta(hours=2, minutes=5), still_firing=(("town", TOWN), ("platform", "eleme"))),
    )
    assert message.state == "resolved"
    assert "起于：2026-11-23 10:06。持续：2小时5分" in message.text
    assert "仍在告警：枫桥镇；饿了么" in message.text
    assert "处理" not in message.text


def test_a_rate_that_is_not_whole_is_never_said_to_be() -> None:
    text = compose(rate("supplier_certified", numerator=9999, denominator=10000, rate=0.9999, target=1.0)).text
    assert "99.9%" in text
    assert text.count("100.0%") == 1, "only the target is whole"


def test_a_number_that_has_to_stay_low_is_above_its_target() -> None:
    message = compose(count("school_grade_c", numerator=2, rate=2.0, target=0.0))
    assert "2个，高于要求" in message.title
    assert "≤0" in message.text
    assert "%" not in message.text


def test_a_number_that_has_to_be_reached_is_below_its_target() -> None:
    missed = count("eldercare_kitchens", numerator=12, rate=12.0, target=14.0)
    message = compose(missed, Briefing(deadline=date(2026, 12, 31)))
    assert "期限：2026-12-31，已过" in message.text
    assert "12个，低于要求" in message.title
    assert "≥14" in message.text


def test_silence_says_that_its_rates_cannot_be_judged() -> None:
    text = compose(condition("no_data", scope="town", scope_id=TOWN)).text
    for said in ("外卖封签数据中断", "已超过2小时", "比率无法判断"):
        assert said in text


def test_lateness_says_that_alerts_are_frozen() -> None:
    assert "数据处理滞后，告警已冻结" in compose(condition("stale")).title


def test_refusals_say_who_sends_how_many_and_mostly_why() -> None:
    text = compose(
        condition(
            "rejects_high",
            scope="source",
            scope_id="https://pos.example/seal",
            window="10m",
            numerator=52,
            denominator=80,
            rate=0.65,
            target=0.05,
            reason="has held for 5 min: 52 of 80 events refused in 10 min, mostly bad_value",
        )
    ).text
    for said in ("https://pos.example/seal", "52/80（10分钟）", "bad_value", "65.0%"):
        assert said in text


@pytest.mark.parametrize("code", ["error", "no_activity"])
def test_conditions_of_an_indicator_name_it(code: str) -> None:
    assert "外卖封签使用率" in compose(condition(code, subject="seal_coverage")).title


def test_a_finding_names_the_business_and_what_was_found() -> None:
    message = compose(event("finding_critical", {"operator_name": "枫桥小吃店", "finding": "RODENT"}))
    assert "枫桥小吃店" in message.title
    assert "鼠患" in message.title
    assert "现场核查" in message.text


def test_a_banquet_says_where_and_when_it_is_and_for_how_many() -> None:
    facts = {"held_at": "2026-11-23T10:00:00+00:00", "diners": 260, "village_name": "钟瑛村", "venue": "home"}
    text = compose(event("banquet_unguided", facts)).text
    for said in ("开席时间：2026-11-23 18:00", "就餐人数：260", "村社：钟瑛村", "地点：农户家中"):
        assert said in text


def test_a_dark_camera_says_which_and_since_when() -> None:
    facts = {"operator_name": "实验小学食堂", "camera_id": "cam-7", "dark_since": "2026-11-23T03:55:00Z"}
    text = compose(event("school_camera_dark", facts)).text
    for said in ("实验小学食堂", "摄像头：cam-7", "黑屏起于：2026-11-23 11:55"):
        assert said in text


def test_a_certificate_says_until_when_it_is_valid() -> None:
    facts = {"operator_name": "越州配餐公司", "valid_until": "2026-12-20"}
    assert "有效期至：2026-12-20" in compose(event("supplier_certificate_ending", facts)).text


@pytest.mark.parametrize("facts", ["", "{", "[]", "null", '{"finding": null}', '{"held_at": "soon"}'])
@pytest.mark.parametrize("code", EVENTS)
def test_an_event_with_unreadable_facts_is_told_all_the_same(code: str, facts: str) -> None:
    assert compose({**event(code, {}), "facts": facts}).title


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("code", EVENTS)
def test_no_person_is_in_a_message(code: str, language: Any) -> None:
    persons = {"host_name": "张三", "host_phone": "13800000000", "person_name": "李四", "director": "王五"}
    message = compose(event(code, {**persons, "operator_name": "某店"}), language=language)
    assert not [value for value in persons.values() if value in message.title + message.text + str(message.lines)]


@pytest.mark.parametrize("code", [*CATALOGUE, *CONDITIONS, *EVENTS])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_code_has_a_name_and_something_to_do(code: str, language: Any) -> None:
    assert rate_name(code, language) not in ("", code)
    assert what_to_do(code, language)


@given(
    code=st.sampled_from([*CATALOGUE, *CONDITIONS, *EVENTS, "unheard_of"]),
    kind=st.sampled_from(["rate", "condition", "event"]),
    scope=st.sampled_from([("city", "330681"), ("town", TOWN), ("platform", "meituan"), ("source", "urn:x")]),
    state=st.sampled_from(["firing", "resolved"]),
    share=st.none() | st.floats(0, 1),
    target=st.none() | st.floats(0, 1),
)
def test_every_transition_has_a_message_in_both_languages(
    code: str, kind: str, scope: tuple[str, str], state: str, share: float | None, target: float | None
) -> None:
    one = rate(code, kind=kind, scope=scope[0], scope_id=scope[1], to_state=state, rate=share, target=target)
    chinese, english = compose(one), compose(one, language="en")
    assert chinese.id == english.id == one["transition_id"]
    assert chinese.body["text"] == english.body["text"], "machines get the Chinese text always"
    assert "\n" not in chinese.text + chinese.title
    assert all(mark not in english.title for mark in "【】：，（）")


def test_a_machine_gets_the_columns_with_named_places_and_times_of_shanghai() -> None:
    message = compose(rate(), Briefing(operators=(WorstOperator("op-1", "枫桥小吃店", 3, 9),)), base_url="http://x/")
    assert message.body["since"] == "2026-11-23T12:11:00+08:00"
    assert message.body["worst"][0] == {
        "scope": "town", "scope_id": TOWN, "name": "枫桥镇", "numerator": 93, "denominator": 183, "rate": 93 / 183,
    }  # fmt: skip
    assert message.body["worst_operators"] == [
        {"operator_id": "op-1", "name": "枫桥小吃店", "numerator": 3, "denominator": 9}
    ]
    assert message.body["severity"] == "critical"
    assert set(rate()) - set(message.body) == {"held", "step"}
    assert message.body["text"].endswith("详情：http://x/")
    json.dumps(message.body)


def test_links_are_those_that_were_given_after_the_dashboard() -> None:
    acknowledge = Link("确认", "http://x/ack")
    assert [one.url for one in compose(rate(), base_url="http://x", links=[acknowledge]).links] == [
        "http://x/",
        "http://x/ack",
    ]
    assert compose(rate()).links == ()


def test_a_trend_is_a_picture() -> None:
    trend = (TrendPoint(AT - timedelta(hours=1), 0.95), TrendPoint(AT, 0.88))
    assert compose(rate(), Briefing(trend)).picture.startswith(b"\x89PNG")
    assert compose(rate()).picture == b""


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (rate(), "critical"),
        (rate(scope="town", scope_id=TOWN), "warning"),
        (rate(scope="platform", scope_id="meituan"), "warning"),
        (condition("stale"), "critical"),
        (condition("error"), "critical"),
        (condition("no_data"), "critical"),
        (condition("no_data", scope="town", scope_id=TOWN), "warning"),
        (condition("no_activity"), "warning"),
        (condition("rejects_high", scope="source"), "warning"),
        (event("finding_critical", {}), "critical"),
        (event("supplier_certificate_ending", {}), "warning"),
    ],
)
def test_severity(one: dict[str, Any], expected: str) -> None:
    assert severity(one) == compose(one).severity == expected


def storm(size: int) -> list[Any]:
    return [
        compose(rate(transition_id=f"t{one}", alert_id=f"a{one}", scope="town", scope_id=TOWN)) for one in range(size)
    ]


def test_a_storm_is_one_message_with_the_worst_first() -> None:
    quiet = compose(resolved(rate(transition_id="over", alert_id="another")))
    urgent = compose(event("finding_critical", {"finding": "RODENT"}, transition_id="rat"))
    message = digest([quiet, *storm(14), urgent])
    assert "16项：告警中15，已恢复1" in message.title
    assert next(one for one in message.lines if one.label == "1").value == urgent.title
    assert message.severity == "critical"
    assert set(message.body["ids"]) == {"over", "rat", *(f"t{one}" for one in range(14))}
    assert "其余11条" in message.text


def test_the_same_storm_has_the_same_id_in_any_order() -> None:
    messages = storm(9)
    assert digest(messages).id == digest(messages[::-1]).id != digest(messages[1:]).id


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.booleans()), min_size=2, max_size=9))
def test_a_digest_tells_of_an_alert_once_as_its_last_message_leaves_it(told: list[tuple[str, int, bool]]) -> None:
    messages, standing = [], {}
    for number, (name, minute, fires) in enumerate(sorted(told, key=lambda one: one[1])):
        at = (AT + timedelta(minutes=minute)).isoformat()
        one = rate(alert_id=name, transition_id=f"t{number}", as_of=at, since=at)
        messages.append(compose(one if fires else resolved(one)))
        standing[name] = fires
    firing = sum(standing.values())
    message = digest(messages)
    assert f"{len(standing)}项：告警中{firing}，已恢复{len(standing) - firing}" in message.title
    assert message.state == ("firing" if firing else "resolved")
    assert len(message.body["ids"]) == len(told), "each transition is told, and known as told"
    assert sum("【告警】" in line.value for line in message.lines) == firing


def test_who_is_told_because_nobody_answered_reads_so() -> None:
    told_at = AT + timedelta(minutes=2)
    message = compose(rate(), late=Late("unanswered", told_at))
    assert message.title.startswith("【升级】诸暨市")
    assert "升级原因：2026-11-23 12:13 已通知他人，无人确认" in message.text
    assert "升级原因" in message.body["text"]
    assert message.body["late"] == "unanswered"
    assert "late" not in compose(rate()).body
    assert compose(rate(), language="en", late=Late("unanswered", told_at)).title.startswith("[ESCALATED]")


def test_what_ends_by_a_new_deadline_does_not_read_as_recovered() -> None:
    message = compose(resolved(rate(reason=NOT_JUDGED)))
    assert message.title.startswith("【结束】诸暨市")
    assert "说明：目标另定期限，到期前不作判断" in message.text


def test_what_was_held_back_reads_so_when_it_is_told_at_last() -> None:
    message = compose(rate(), late=Late("held_back", AT))
    assert message.title.startswith("【仍在告警】诸暨市")
    assert "说明：2026-11-23 12:11 维护或静默期间未发送" in message.text


def test_a_digest_carries_no_link_that_acts_on_one_alert() -> None:
    one = compose(rate(), base_url="http://x", links=[Link("确认", "http://x/ack")])
    other = compose(rate(transition_id="u"), links=[Link("确认", "http://x/ack2")])
    assert [link.url for link in digest([one, other]).links] == ["http://x/"]


def test_the_summary_measures_the_year_against_a_straight_line() -> None:
    message = summary(
        date(2026, 11, 25),
        [{**rate(), "status": "below"}, {**rate("staffing"), "status": "ok"}],
        [{**rate(), "state": "firing"}],
        [rate(), resolved(rate())],
        [Progress("eldercare_kitchens", 12, 14, date(2026, 12, 31))],
    )
    assert message.id == "summary-2026-11-25"
    assert "养老机构食堂阳光厨房：12/14，按时间应达 12.6，落后" in message.text
    assert "新告警1，恢复1" in message.text
    assert message.body["below"] == message.body["firing"] == message.body["behind"] == 1
    assert "总监" not in message.text


def test_the_summary_names_the_city_and_counts_the_towns_and_says_each_number_once() -> None:
    late = date(2026, 12, 31)
    rates = [
        {**rate(), "status": "below"},
        {**rate(scope="town", scope_id=TOWN), "status": "below"},
        {**rate("seal_coverage", window="24h"), "status": "below"},
        {**count("eldercare_kitchens", numerator=12, rate=12.0, target=14.0), "status": "below"},
    ]
    silent = {**condition("no_data", scope="town", scope_id=TOWN), "state": "firing"}
    message = summary(late, rates, [silent], [], [Progress("eldercare_kitchens", 12, 14, late)])
    assert message.body["below"] == 1
    assert "乡镇和平台未达标：1项" in message.text
    assert "封签使用率" not in message.text, "judged on the last hour"
    assert message.text.count("养老机构食堂阳光厨房") == 1
    assert "告警中：枫桥镇外卖封签数据中断，起于2026-11-23 12:11" in message.text
    assert "按时间应达 14.0，落后" in message.text


@given(st.dates(date(2026, 1, 1), date(2026, 12, 31)), st.dates(date(2026, 1, 1), date(2026, 12, 31)))
def test_what_is_expected_grows_to_the_target(one: date, other: date) -> None:
    progress = Progress("eldercare_kitchens", 12, 14, date(2026, 12, 31))
    assert 0 <= progress.expected(min(one, other)) <= progress.expected(max(one, other)) <= 14
    assert progress.expected(date(2026, 12, 31)) == 14


def test_messages_about_the_pipeline_say_when_and_repeat_their_ids() -> None:
    begin, over = outage("Kafka", AT), outage("Kafka", AT, AT + timedelta(minutes=7))
    assert begin.id == outage("Kafka", AT).id
    assert (begin.id.endswith("-begin"), over.id.endswith("-over")) == (True, True)
    assert (begin.state, over.state) == ("firing", "resolved")
    assert "2026-11-23 12:11" in begin.text
    assert "7分" in over.text
    assert watchdog(AT).id == watchdog(AT + timedelta(seconds=59)).id != watchdog(AT + timedelta(minutes=1)).id
    assert "duty" in test_message("duty", AT).text


def test_that_nobody_judges_is_said_with_what_to_do_under_a_name_that_machines_can_carry() -> None:
    message = outage("worker", AT)
    assert message.title == "【故障】告警判断（worker） 中断"
    assert "检查 worker 是否在运行" in message.text
    assert message.id.isascii()


@pytest.mark.parametrize(
    "build",
    [
        partial(outage, "Kafka", AT),
        partial(outage, "Kafka", AT, AT + timedelta(minutes=7)),
        partial(watchdog, AT),
        partial(summary, date(2026, 11, 23), [], [], [], []),
    ],
)
def test_people_read_their_language_and_machines_get_the_chinese_text(build: Callable[..., Message]) -> None:
    chinese, english = build(language="zh"), build(language="en")
    assert english.text != chinese.text
    assert dict(english.body) == dict(chinese.body)
    assert chinese.body["text"] == chinese.text


@pytest.mark.parametrize(
    ("seconds", "zh", "en"),
    [(7500, "2小时5分", "2 h 5 min"), (30, "不到1分", "under 1 min"), (90000, "1天1小时", "1 d 1 h")],
)
def test_lengths_are_said_as_people_say_them(seconds: int, zh: str, en: str) -> None:
    assert (lasted(seconds, "zh"), lasted(seconds, "en")) == (zh, en)
