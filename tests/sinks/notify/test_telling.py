"""What a message says beyond the numbers: whom to call, what was missed, and nothing that only programs understand."""

from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.reject import Reason
from sinks.clickhouse.briefing import Briefing, WorstOperator
from sinks.notify.envelope import Link
from sinks.notify.message import compose
from sinks.notify.words import REFUSALS
from tests.sinks.notify.test_message import TOWN, condition, count, event, rate, resolved

MEAL = "2026-11-23T04:00:00Z"


def test_the_worst_places_are_named() -> None:
    names = ("scope", "scope_id", "name", "numerator", "denominator", "rate")
    one = ["town", TOWN, "枫桥镇", 93, 183, 93 / 183]
    message = compose(rate(worst=[one]))
    assert "较差：枫桥镇50.8%（93/183）" in message.text
    assert message.body["worst"] == [dict(zip(names, one, strict=True))]


def test_a_place_that_keeps_the_target_is_not_called_bad() -> None:
    worst = [["town", TOWN, "枫桥镇", 1, 2, 0.5], ["town", "330681002", "浣东街道", 9, 10, 0.9]]
    text = compose(rate(worst=worst)).text
    assert "枫桥镇" in text
    assert "浣东街道" not in text


def test_a_number_of_units_of_a_place_is_no_share() -> None:
    worst = [["town", TOWN, "枫桥镇", 2, 0, 2.0]]
    text = compose(count("school_grade_c", numerator=2, rate=2.0, target=0.0, worst=worst)).text
    assert "较差：枫桥镇2个" in text
    assert "%" not in text


@pytest.mark.parametrize(
    ("fields", "called"),
    [
        ({"scope": "town", "scope_id": TOWN, "worst": []}, "联系当地的市场监管所"),
        ({"worst": [["town", TOWN, "枫桥镇", 1, 2, 0.5]]}, "联系较差乡镇的市场监管所"),
        ({"worst": []}, "联系相关乡镇的市场监管所"),
    ],
)
def test_who_is_to_be_called_is_somebody_that_the_message_names(fields: dict[str, Any], called: str) -> None:
    assert called in compose(rate("staffing", **fields)).text


def test_a_school_is_not_called_a_merchant() -> None:
    school = Briefing(operators=(WorstOperator("s-1", "城东小学食堂", 1, 0),))
    assert (
        "未达标单位：城东小学食堂" in compose(count("school_grade_c", numerator=1, rate=1.0, target=0.0), school).text
    )
    shop = Briefing(operators=(WorstOperator("o-1", "小吃店", 0, 1),))
    assert "未达标商户：小吃店" in compose(rate(), shop).text


@pytest.mark.parametrize("reason", list(Reason))
def test_why_events_are_refused_is_said_in_words_with_the_code_to_look_for(reason: Reason) -> None:
    mostly = f"has held for 5 min: 52 of 80 events refused in 10 min, mostly {reason}"
    fields = {"scope": "source", "scope_id": "urn:x", "window": "10m", "numerator": 52, "denominator": 80, "rate": 0.65}
    assert (
        f"主要原因：{REFUSALS[reason]}（{reason}）" in compose(condition("rejects_high", reason=mostly, **fields)).text
    )


@pytest.mark.parametrize("code", ["banquet_unguided", "banquet_cook_uncertified"])
def test_a_meal_that_has_begun_ends_the_alert_and_puts_nothing_right(code: str) -> None:
    over = {"since": MEAL, "as_of": MEAL}
    missed = compose(resolved(event(code, {"held_at": MEAL, "diners": 300}, **over)))
    assert missed.title.startswith("【结束】")
    assert "已开席" in missed.text
    assert "结束于：2026-11-23 12:00" in missed.text
    in_time = compose(resolved(event(code, {"held_at": "2026-11-24T04:00:00Z", "diners": 300}, **over)))
    assert in_time.title.startswith("【恢复】")
    assert "已解除" in in_time.title
    assert "已开席" not in in_time.text


@pytest.mark.parametrize(("review", "result"), [("closed", "已整改"), ("false_positive", "误报")])
def test_a_finding_says_how_it_ended(review: str, result: str) -> None:
    facts = {"operator_name": "枫桥小吃店", "finding": "RODENT", "review": review}
    assert f"结果：{result}" in compose(resolved(event("finding_critical", facts))).text


def test_a_banquet_says_whether_a_cook_is_named_and_which_certificates_are_known() -> None:
    def text(**facts: str) -> str:
        return compose(event("banquet_cook_uncertified", {"held_at": "2026-11-24T04:00:00Z", **facts})).text

    assert "乡厨：未填报" in text()
    unknown = text(cook_id="cook-7")
    assert "乡厨：cook-7" in unknown
    assert unknown.count("无记录") == 2
    assert "健康证有效期至：2026-11-20" in text(cook_id="cook-7", health_valid_until="2026-11-20")


def test_a_certificate_that_has_ended_is_not_about_to() -> None:
    at = datetime(2026, 11, 23, 4, tzinfo=UTC).isoformat()
    facts = {"operator_name": "越州配餐公司"}
    ended = compose(event("supplier_certificate_ending", {**facts, "valid_until": "2026-11-22"}, as_of=at))
    last_day = compose(event("supplier_certificate_ending", {**facts, "valid_until": "2026-11-23"}, as_of=at))
    assert "证书已到期" in ended.title
    assert "即将到期" in last_day.title


def test_without_a_link_to_open_a_message_says_what_commands_want_to_know() -> None:
    acknowledge = Link("确认或静默", "http://x/a/1")
    assert "告警编号：kitchen_build.city.330681.now" in compose(rate()).text
    assert "告警编号" not in compose(rate(), links=[acknowledge]).text
    assert "告警编号" not in compose(resolved(rate())).text


def test_a_camera_is_named_once() -> None:
    facts = {"operator_name": "实验小学食堂", "camera_id": "cam-7", "dark_since": "2026-11-23T03:55:00Z"}
    assert compose(event("school_camera_dark", facts, subject="cam-7")).text.count("cam-7") == 1
