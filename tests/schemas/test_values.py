"""What a value in `data` may be: strict types, null, text, times, dates, lists, nested objects."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from schemas.reject import Reason
from tests.schemas.events import (
    BANQUET,
    FINDING,
    HEARTBEAT,
    KITCHEN,
    MEASURE,
    OPERATOR,
    OPTIONAL,
    ORDER,
    REQUIRED,
    VILLAGE,
    accepted,
    attributes,
    kept,
    reason,
    whole,
)

_REQUIRED = [(kind, name) for kind, data in REQUIRED.items() for name in data]
_OPTIONAL = [(kind, name) for kind, data in OPTIONAL.items() for name in data]


@pytest.mark.parametrize(("kind", "name"), _REQUIRED)
def test_null_in_a_required_field_is_a_bad_value(kind: str, name: str) -> None:
    assert reason(whole(kind, **{name: None})) is Reason.BAD_VALUE


@pytest.mark.parametrize(("kind", "name"), _REQUIRED)
def test_a_required_field_that_is_not_there_is_missing(kind: str, name: str) -> None:
    event = whole(kind)
    del event["data"][name]
    assert reason(event) is Reason.MISSING_FIELD


@pytest.mark.parametrize(("kind", "name"), [*_OPTIONAL, (ORDER, "extensions"), (VILLAGE, "extensions")])
def test_null_in_an_optional_field_is_as_if_absent(kind: str, name: str) -> None:
    event = whole(kind)
    event["data"].pop(name, None)
    assert accepted(whole(kind, **{name: None})).data == accepted(event).data


_WRONG: dict[tuple[str, str], tuple[object, ...]] = {
    (ORDER, "packages"): ("3", 3.0, 3.5, True, [3], {}, 0, 51, -1, 1e0),
    (ORDER, "sealed_packages"): ("2", 2.0, True, False, -1, 3),
    (ORDER, "evidence_level"): ("2", 2.0, True, -1, 5),
    (HEARTBEAT, "online"): (1, 0, "true", "True", 1.0, "yes"),
    (BANQUET, "samples_retained"): (1, "true", 0),
    (BANQUET, "diners"): (0, 20_001, "180", 180.0, True),
    (BANQUET, "tables"): ("18", 18.0, True, -1),
    (OPERATOR, "director"): (1, "true"),
    (OPERATOR, "officers"): ("2", 2.0, True, -1),
    (FINDING, "confidence"): ("0.5", True, -0.01, 1.01, []),
    (ORDER, "order_id"): (1001, True, ["o"]),
    (OPERATOR, "name"): (7, True, ["x"]),
    (OPERATOR, "uscc"): (92330681, True),
    (OPERATOR, "platforms"): ("meituan", {"meituan": 1}, ["uber"], [1], [None], [["jd"]]),
    (OPERATOR, "person"): ("李四", [], 1),
    (OPERATOR, "extensions"): ([], "x", 1, True),
    (BANQUET, "host"): ("张三", [], {"name": 1}, {"phone": 13800138000}),
}


@pytest.mark.parametrize(
    ("kind", "name", "value"), [(*field, value) for field, values in _WRONG.items() for value in values]
)
def test_types_are_strict_and_ranges_are_kept(kind: str, name: str, value: object) -> None:
    assert reason(whole(kind, **{name: value})) is Reason.BAD_VALUE


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (ORDER, "packages", 50),
        (ORDER, "sealed_packages", 0),
        (ORDER, "evidence_level", 4),
        (BANQUET, "diners", 1),
        (BANQUET, "diners", 20_000),
        (BANQUET, "samples_retained", False),
        (FINDING, "confidence", 0),
        (FINDING, "confidence", 1),
        (OPERATOR, "officers", 0),
    ],
)
def test_the_ends_of_a_range_belong_to_it(kind: str, name: str, value: object) -> None:
    assert kept(kind, **{name: value}) == value


@pytest.mark.parametrize(
    ("kind", "name"),
    [(ORDER, "platform"), (ORDER, "seal_state"), (KITCHEN, "state"), (BANQUET, "status"), (BANQUET, "venue"),
     (OPERATOR, "kind"), (OPERATOR, "grade"), (HEARTBEAT, "picture"), (FINDING, "review"), (OPERATOR, "license_kind"),
     (MEASURE, "status")],
)  # fmt: skip
def test_enumerations_are_taken_as_they_are(kind: str, name: str) -> None:
    good = str(whole(kind)["data"][name])
    for value in (f" {good}", f"{good}\n", good.swapcase(), "", 1):
        assert reason(whole(kind, **{name: value})) is Reason.BAD_VALUE, value


@pytest.mark.parametrize(("given", "expected"), [("  店 ", "店"), ("\u3000店\u00a0\n", "店"), ("Cafe\u0301", "Café")])
def test_text_is_trimmed_and_nfc(given: str, expected: str) -> None:
    assert kept(OPERATOR, name=given) == expected


@pytest.mark.parametrize("text", ["店", "店" * 256, " " * 300 + "店" + " " * 300, "e\u0301" * 256, "𠀀" * 256])
def test_text_has_1_to_256_code_points_after_trim_and_nfc(text: str) -> None:
    assert 1 <= len(kept(OPERATOR, name=text)) <= 256
    assert 1 <= len(kept(ORDER, code=text)) <= 256


@pytest.mark.parametrize("text", ["", " ", "\u3000", "店" * 257, "e\u0301" * 257])
def test_text_that_is_empty_or_too_long_is_a_bad_value(text: str) -> None:
    assert reason(whole(OPERATOR, name=text)) is Reason.BAD_VALUE
    assert reason(whole(FINDING, zone=text)) is Reason.BAD_VALUE
    assert reason(whole(BANQUET, host={"name": text})) is Reason.BAD_VALUE


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2026-11-23T12:00:31.250+08:00", (2026, 11, 23, 4, 0, 31, 250_000)),
        ("2026-11-23T04:00:31Z", (2026, 11, 23, 4, 0, 31, 0)),
        ("2026-11-23t04:00:31z", (2026, 11, 23, 4, 0, 31, 0)),
        ("2026-11-22T23:30:31-04:30", (2026, 11, 23, 4, 0, 31, 0)),
        ("2026-11-23T04:00:31.1234569Z", (2026, 11, 23, 4, 0, 31, 123_456)),
        ("2026-11-23T03:59:59.9999999999Z", (2026, 11, 23, 3, 59, 59, 999_999)),
        ("2026-11-23T04:00:31.000000999999999999999999Z", (2026, 11, 23, 4, 0, 31, 0)),
        ("2000-01-01T00:00:00Z", (2000, 1, 1, 0, 0, 0, 0)),
    ],
)
def test_a_time_is_kept_to_the_microsecond_and_further_digits_are_cut(given: str, expected: tuple[int, ...]) -> None:
    moment = datetime(*expected, tzinfo=UTC)  # type: ignore[misc, arg-type]  # seven numbers
    assert accepted(attributes(whole(ORDER), time=given)).time == moment
    assert kept(ORDER, delivered_at=given) == moment


@pytest.mark.parametrize(
    "time",
    ["2026-11-23T12:00:31", "2026-11-23", "2026-11-23T12:00+08:00:00", "1763870431", "1763870431.5", 1763870431,
     1763870431.5, None, True, [], "", "now", "1999-12-31T00:00:00Z", "1970-01-01T00:00:00Z", "2026-02-29T00:00:00Z",
     "2026-13-01T00:00:00Z", "2026-11-23T24:01:00Z", "2026-11-23T12:60:00Z", "2026-11-23T12:00:61Z",
     "2026-11-23T12:00:00+24:00", "2026-11-23T12:00:00+08:60", "2026-11-23T12:00:00 Asia/Shanghai",
     " 2026-11-23T04:00:00Z", "2026-11-23T04:00:00Z ", "２０２６-11-23T04:00:00Z", "2026-11-23T04:00:00.Z",
     "0000-01-01T00:00:00Z", "20261123T040000Z"],
)  # fmt: skip
def test_what_is_no_time_with_an_offset_is_a_bad_value(time: object) -> None:
    assert reason(attributes(whole(ORDER), time=time)) is Reason.BAD_VALUE
    assert reason(whole(ORDER, delivered_at=time)) is Reason.BAD_VALUE


@pytest.mark.parametrize("time", ["2016-12-31T23:59:60Z", "2017-01-01T07:59:60+08:00"])
def test_a_leap_second_is_the_second_before_or_after_or_a_bad_value(time: str) -> None:
    outcome = attributes(whole(ORDER), time=time)
    try:
        moment = accepted(outcome).time
    except AssertionError:
        assert reason(outcome) is Reason.BAD_VALUE
    else:
        assert abs(moment - datetime(2017, 1, 1, tzinfo=UTC)) <= timedelta(seconds=1)


@pytest.mark.parametrize("name", ["training_valid_until", "health_valid_until"])
def test_a_date_is_a_calendar_day(name: str) -> None:
    assert kept(OPERATOR, **{name: "2028-02-29"}) == date(2028, 2, 29)
    assert kept(OPERATOR, **{name: "9999-12-31"}) == date(9999, 12, 31)


@pytest.mark.parametrize(
    "day",
    ["2027-02-29", "2027-1-31", "20270131", "2027/01/31", "", "1699920000", "1699920000000", "0", 1699920000,
     1699920000.0, "2027-01-31T00:00:00Z", "2027-01-31T00:00:00", " 2027-01-31", "2027-01-31 ", "２０２７-01-31", True],
)  # fmt: skip
def test_what_is_no_date_is_a_bad_value(day: object) -> None:
    assert reason(whole(OPERATOR, health_valid_until=day)) is Reason.BAD_VALUE
    assert reason(whole(OPERATOR, certificates=[{"scheme": "HACCP", "valid_until": day}])) is Reason.BAD_VALUE


@pytest.mark.parametrize("time", ["00:00", "09:30", "23:59"])
def test_open_hours_are_hours_and_minutes(time: str) -> None:
    (span,) = kept(OPERATOR, open_hours=[{"from": time, "to": "02:00"}])
    assert (span.from_, span.to) == (time, "02:00")


@pytest.mark.parametrize("time", ["24:00", "9:30", "09:60", "0930", "", "09:30:00", "1٣:00", "09:３0", 930, None])
def test_what_is_no_hour_and_minute_is_a_bad_value(time: object) -> None:
    assert reason(whole(OPERATOR, open_hours=[{"from": "10:00", "to": time}])) is Reason.BAD_VALUE
    assert reason(whole(OPERATOR, open_hours=[{"from": time, "to": "10:00"}])) is Reason.BAD_VALUE


@pytest.mark.parametrize("part", [{"scheme": "HACCP"}, {"valid_until": "2027-01-31"}, {}])
def test_both_parts_of_a_certificate_are_required(part: dict[str, Any]) -> None:
    assert reason(whole(OPERATOR, certificates=[part])) is Reason.MISSING_FIELD


@pytest.mark.parametrize("part", [{"from": "10:00"}, {"to": "10:00"}, {}])
def test_both_parts_of_open_hours_are_required(part: dict[str, Any]) -> None:
    assert reason(whole(OPERATOR, open_hours=[part])) is Reason.MISSING_FIELD


@pytest.mark.parametrize("person", [{}, {"name": "张三"}, {"phone": "13800138000"}, {"name": None, "phone": None}])
def test_nothing_inside_host_and_person_is_required(person: dict[str, Any]) -> None:
    accepted(whole(BANQUET, host=person))
    accepted(whole(OPERATOR, person=person))


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        *((kind, {"pakages": 1}) for kind in REQUIRED),
        (OPERATOR, {"person": {"name": "张三", "wechat": "x"}}),
        (OPERATOR, {"certificates": [{"scheme": "HACCP", "valid_until": "2027-01-31", "no": 1}]}),
        (OPERATOR, {"open_hours": [{"from": "10:00", "to": "11:00", "day": 1}]}),
        (OPERATOR, {"open_hours": [{"from_": "10:00", "from": "10:00", "to": "11:00"}]}),
        (BANQUET, {"host": {"Name": "张三"}}),
        (ORDER, {"Packages": 2}),
        (ORDER, {"pac\u212aages": 2}),
        (ORDER, {"": None}),
    ],
)
def test_an_unknown_field_at_any_depth_is_refused(kind: str, changes: dict[str, Any]) -> None:
    assert reason(whole(kind, **changes)) is Reason.UNKNOWN_FIELD


def test_lists_are_sets() -> None:
    assert kept(OPERATOR, platforms=["jd", "meituan", "jd"]) == {"jd", "meituan"}
    assert kept(OPERATOR, accepted=["6H", "6H"]) == {"6H"}
    assert kept(OPERATOR, platforms=[]) == set()


def test_what_a_vendor_adds_in_extensions_is_kept_as_it_is() -> None:
    added = {"Any field": [1, 2.5, None, True, {"x": " e\u0301 "}], "": {}}
    assert accepted(whole(ORDER, extensions=added)).data.extensions == added


@pytest.mark.parametrize("filler", ["x", "诸", "𠀀", "\u0001"])
def test_extensions_have_at_most_4096_bytes_of_compact_utf8_json(filler: str) -> None:
    size = 6 if filler == "\u0001" else len(filler.encode())
    count, rest = divmod(4096 - len('{"a":""}'), size)
    full = filler * count + "x" * rest
    assert kept(ORDER, extensions={"a": full}) == {"a": full}
    assert reason(whole(ORDER, extensions={"a": full + "x"})) is Reason.BAD_VALUE
