"""`produce --check`: what a worker would say, said before anything is sent."""

import json
from pathlib import Path

import pytest

from pipeline.produce.lines import LONGEST
from schemas.reject import Reason
from tests.pipeline.gateway.samples import text
from tests.pipeline.gateway.stack import free_port
from tests.pipeline.produce.runs import Runs, lines


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    """Where no Kafka is: nothing of this needs one."""
    return Runs(tmp_path, f"127.0.0.1:{free_port()}")


def test_each_line_that_would_be_refused_is_told_with_its_reason_and_place(runs: Runs) -> None:
    bad = [text(1, evidence_level=9), text(2), b"", text(3, paid=True), text(4, evidence_level=True), b'{"a":']
    runs.file.write_bytes(b"\n".join(bad))
    done = runs.run("--check", "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["accepted"] == 1
    assert {reason: one["count"] for reason, one in told["refused"].items()} == {
        "bad_value": 2,
        "unknown_field": 1,
        "not_json": 1,
    }
    first, second = told["refused"]["bad_value"]["first"]
    assert (first["line"], second["line"]) == (1, 5)
    assert first["detail"].startswith("/data/evidence_level: ")
    assert told["refused"]["unknown_field"]["first"][0]["line"] == 4


def test_people_read_the_same_as_a_table(runs: Runs) -> None:
    runs.file.write_bytes(lines([1, 2]) + text(3, evidence_level=9) + b"\n[]\n")
    done = runs.run("--check")
    assert done.returncode == 1
    assert "2 of 4 events would be refused" in done.stdout
    assert "/data/evidence_level: Input should be less than or equal to 4" in done.stdout
    assert "ends at line 4, which cannot be sent" in done.stdout


def test_a_file_without_faults_is_status_0(runs: Runs) -> None:
    runs.write(range(1000))
    done = runs.run("--check")
    assert done.returncode == 0
    assert done.stdout == "events.ndjson: all 1000 events would be accepted\n"
    assert not runs.bookmarked


def test_only_the_first_lines_of_a_reason_are_told_and_all_are_counted(runs: Runs) -> None:
    runs.file.write_bytes(b"".join(text(one, packages=0) + b"\n" for one in range(500)))
    refused = json.loads(runs.run("--check", "--json").stdout)["refused"]
    assert refused["bad_value"]["count"] == 500
    assert [one["line"] for one in refused["bad_value"]["first"]] == [1, 2, 3]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (text(1, padding="x" * 70_000), Reason.TOO_LARGE),
        (b" " * LONGEST + text(1), Reason.TOO_LARGE),
        (b"not json", Reason.NOT_JSON),
        (b"[]", Reason.NOT_CLOUDEVENT),
        (b'{"topic":"yangguang.seal","key":1,"value_base64":""}', Reason.NOT_CLOUDEVENT),
        (text(1).replace(b"order.v1", b"order.v9"), Reason.UNKNOWN_TYPE),
        (b'{"topic":"yangguang.alerts","key":null,"value_base64":"e30="}', Reason.WRONG_TOPIC),
        (text(1).replace(b"2026-11-23T12:00:31.250+08:00", b"2126-11-23T12:00:31.250+08:00", 1), Reason.FUTURE_TIME),
        (text(1, town_code="110000001"), Reason.BAD_IDENTIFIER),
    ],
)
def test_the_reason_is_the_one_that_would_be_recorded(runs: Runs, line: bytes, reason: Reason) -> None:
    runs.file.write_bytes(lines([1]) + line + b"\n" + lines([2]))
    told = json.loads(runs.run("--check", "--json").stdout)
    assert told["accepted"] == 2
    assert {name: one["count"] for name, one in told["refused"].items()} == {reason.value: 1}
    assert told["refused"][reason.value]["first"][0]["line"] == 2


def test_a_named_topic_is_where_nameless_lines_are_judged(runs: Runs) -> None:
    runs.file.write_bytes(b"not json\n")
    told = json.loads(runs.run("--check", "--json", "--topic", "yangguang.seal").stdout)
    assert told["refused"]["not_json"]["count"] == 1
    assert told["stops_at"] is None


def test_standard_input_is_checked_too(runs: Runs) -> None:
    done = runs.run("--check", file="-", stdin=(lines([1]) + b"x\n").decode())
    assert done.returncode == 1
    assert done.stdout.startswith("standard input: 1 of 2 events would be refused")


def test_nothing_that_a_person_sent_is_repeated(runs: Runs) -> None:
    event = json.loads(text(1))
    event["type"] = "yangguang.registry.operator.v1"
    event["data"] = {"operator_id": "o", "person": {"name": "王小明", "phone": 10000000001, "13800138000": 1}}
    runs.file.write_text(json.dumps(event, ensure_ascii=False), encoding="utf-8")
    done = runs.run("--check")
    assert done.returncode == 1
    assert "1 of 1 events would be refused" in done.stdout
    assert not [one for one in ("王小明", "10000000001", "13800138000") if one in done.stdout + done.stderr]
