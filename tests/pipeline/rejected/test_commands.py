"""`yangguang rejected` and `yangguang audit` on the whole stack: found, shown, sent again once, and written down."""

import base64
import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient

from pipeline.keys.key import new_key
from pipeline.keys.topic import write_key
from pipeline.rejected.raw import RawBytes
from pipeline.rejected.replay import Judge, Sender
from pipeline.rejected.selection import row_of
from schemas.decode import Decoder
from schemas.reject import Reason, Rejection
from streams.kafka_address import KafkaAddress
from streams.rejects import Door
from streams.topics import ensure_topics
from tests.pipeline.rejected.conftest import Run, now, recorded, refused, rows
from tests.schemas.events import BANQUET, ORDER, attributes, to_bytes, whole
from tests.system.records import SEAL, Record
from tests.system.stack import Stack, wait_for

Told = Callable[..., Any]

MAPPING = """
description = "A vendor of these tests"
events = '''
{
  "specversion": "1.0", "id": no, "source": "/vendor/acme", "type": "yangguang.seal.order.v1", "time": at,
  "data": {
    "order_id": no, "operator_id": "op-1", "platform": "jd", "town_code": "330681001", "delivered_at": at,
    "fulfilment": "delivered", "packages": count, "sealed_packages": count, "seal_state": "intact", "evidence_level": 1
  }
}
'''
"""


def order(identity: str, **changes: Any) -> bytes:
    """An order with an id of its own."""
    event = attributes(whole(ORDER, order_id=identity, delivered_at=now(), **changes), id=identity, time=now())
    return to_bytes(event)


def refusal(raw: bytes, reason: Reason = Reason.BAD_VALUE) -> Rejection:
    """What some other version would have said of it."""
    known = json.loads(raw)
    return Rejection(reason, "/data/code: is not liked", known["source"], known["id"], known["type"])


def refuse(stack: Stack, *raws: bytes, door: Door = Door(), reason: Reason = Reason.BAD_VALUE) -> list[str]:  # noqa: B008 # it cannot be written to
    """Puts events on the topic of the refused, as a version did that did not know them, and returns their names."""
    return recorded(stack, stack.push(refused(raw, refusal(raw, reason), door) for raw in raws))


def events(stack: Stack, identity: str) -> int:
    """How often an event counts."""
    return len(stack.rows(f"SELECT * FROM events WHERE id = '{identity}'"))


def sent(stack: Stack, identity: str) -> int:
    """How often it stands on its topic."""
    return sum(identity.encode() in (one.value or b"") for one in stack.records(SEAL).values())


def audited(told: Told, action: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = told("audit", "--action", action)
    return found


def wait_replayed(stack: Stack, *names: str) -> None:
    offsets = ", ".join(name.rpartition("/")[2] for name in names)
    wait_for(lambda: all(row["replayed_at"] for row in rows(stack, f"raw_offset IN ({offsets})")), 30, "the marks")


# list


def test_refused_events_are_listed_and_counted_by_what_they_have_in_common(stack: Stack, run: Run, told: Told) -> None:
    names = refuse(
        stack,
        *(order(f"listed-{number}") for number in range(3)),
        reason=Reason.UNKNOWN_FIELD,
        door=Door("http", "lister"),
    )
    found = told("rejected", "list", "--producer", "lister")
    assert [row["event"] for row in found] == names[::-1]
    assert {row["reason"] for row in found} == {"unknown_field"}
    text = run("rejected", "list", "--producer", "lister").stdout
    assert all(name in text for name in names)
    assert "/data/code: is not liked" in text
    (counted,) = told("rejected", "list", "--producer", "lister", "--by", "reason")
    assert (counted["reason"], counted["count"], counted["replayed"]) == ("unknown_field", 3, 0)
    (by_day,) = told("rejected", "list", "--producer", "lister", "--by", "day")
    assert by_day["count"] == 3
    assert "unknown_field" in run("rejected", "list", "--by", "reason").stdout
    assert run("rejected", "list", "--producer", "nobody").stdout == "no refused events\n"
    assert told("rejected", "list", "--producer", "nobody") == []


def test_what_a_stranger_wrote_neither_steers_the_terminal_nor_is_read_as_markup(stack: Stack, run: Run) -> None:
    evil = Rejection(Reason.BAD_VALUE, "/data/[/red]\x1b[31m: bad", "/x[/bold]\x1b]0;title\x07", "1", ORDER)
    recorded(stack, stack.push([refused(b"{}", evil, Door("http", "evil"))]))
    text = run("rejected", "list", "--producer", "evil").stdout
    assert "\x1b" not in text
    assert "/data/[/red]" in text
    assert "/x[/bold]" in text


# show


def test_a_refused_event_is_shown_without_what_is_personal(stack: Stack, run: Run, told: Told) -> None:
    raw = to_bytes(attributes(whole(BANQUET, diners=0, host={"name": "张三丰", "phone": "13800138000"}), id="shown-1"))
    (name,) = refuse(stack, raw)
    text = run("rejected", "show", name).stdout
    assert '"diners": 0' in text
    assert "/data/code: is not liked" in text
    assert "张三丰" not in text
    assert "13800138000" not in text
    shown = told("rejected", "show", name)
    assert shown["payload"]["data"]["host"] == "***"
    assert (shown["event"], shown["bytes"], shown["reason"]) == (name, len(raw), "bad_value")


def test_bytes_that_are_no_json_are_only_measured(stack: Stack, run: Run) -> None:
    (name,) = recorded(stack, stack.push([refused("张三丰, 13800138000".encode(), Rejection(Reason.NOT_JSON, ": no"))]))
    text = run("rejected", "show", name).stdout
    assert "22 bytes that are no JSON, SHA-256 " in text
    assert "13800138000" not in text


def test_raw_bytes_are_shown_to_who_says_why_after_that_is_written_down(stack: Stack, run: Run, told: Told) -> None:
    raw = b'{"broken": "13800138000", \xff\x00'
    (name,) = recorded(stack, stack.push([refused(raw, Rejection(Reason.NOT_JSON, ": no"))]))
    denied = run("rejected", "show", name, "--raw", status=2)
    assert "--why" in denied.output
    assert "13800138000" not in denied.output
    assert audited(told, "rejected show --raw") == []
    shown = run("rejected", "show", name, "--raw", "--why", "ticket 4711: vendor asks")
    assert shown.stdout_bytes == raw
    assert base64.b64decode(told("rejected", "show", name, "--raw", "--why", "again")["raw"]) == raw
    latest, first = audited(told, "rejected show --raw")
    assert (first["subject"], first["why"]) == (name, "ticket 4711: vendor asks")
    assert latest["why"] == "again"
    assert first["user"]
    assert first["host"]
    assert name in run("audit").stdout


def test_what_is_not_there_is_said_in_one_sentence(stack: Stack, run: Run) -> None:
    del stack
    assert "there is no refused event http/-1/999999" in run("rejected", "show", "http/-1/999999", status=1).output
    assert "there is no refused event" in run("rejected", "replay", "http/-1/999999", status=1).output
    assert "TOPIC/PARTITION/OFFSET" in run("rejected", "show", "77", status=2).output
    assert "--all" in run("rejected", "replay", status=2).output


# replay


def test_a_dry_run_says_what_would_happen_and_nothing_happens(stack: Stack, run: Run, told: Told) -> None:
    names = refuse(stack, order("dry-1"), order("dry-2", packages=0))
    before = len(audited(told, "rejected replay"))
    assert told("rejected", "replay", *names, "--dry-run") == {
        "dry_run": True, "selected": 2, "replayed": 1, "events": 1, "gone": 0, "refused": {"bad_value": 1}
    }  # fmt: skip
    assert "1 of 2 refused events would be accepted" in run("rejected", "replay", *names, "--dry-run").stdout
    assert sent(stack, "dry-1") == 0
    assert len(audited(told, "rejected replay")) == before


def test_what_is_accepted_now_counts_once_however_often_it_is_replayed(stack: Stack, run: Run, told: Told) -> None:
    (good, bad) = refuse(stack, order("again-1"), order("again-2", packages=0), door=Door("mqtt"))
    good, bad = (name.replace("http", "mqtt") for name in (good, bad))
    text = run("rejected", "replay", good, bad).stdout
    assert "1 of 2 refused events accepted, and on their topics" in text
    assert "bad_value" in text
    assert bad in text
    wait_replayed(stack, good)
    wait_for(lambda: events(stack, "again-1") == 1, 30, "the event counts")
    (row,) = rows(stack, f"raw_offset = {good.rpartition('/')[2]}")
    assert (row["topic"], row["partition"], row["offset"]) == ("mqtt", -1, row["raw_offset"])
    assert row["detail"] == "/data/code: is not liked"
    assert rows(stack, f"raw_offset = {bad.rpartition('/')[2]}")[0]["replayed_at"] is None
    assert told("rejected", "replay", good)["selected"] == 0
    assert told("rejected", "replay", good, "--again")["replayed"] == 1
    stack.wait_committed()
    assert sent(stack, "again-1") == 2
    assert events(stack, "again-1") == 1
    (newest, *_) = audited(told, "rejected replay")
    assert newest["subject"].startswith(f"event {good}; until ")
    assert newest["subject"].endswith("; 1 events")


def test_an_event_of_a_topic_is_replayed_from_its_bytes_and_the_row_keeps_its_place(
    stack: Stack, run: Run, told: Told
) -> None:
    ahead = to_bytes(
        attributes(
            whole(ORDER, order_id="early-1", delivered_at=now()),
            id="early-1",
            time=(datetime.now(UTC) + timedelta(minutes=5, seconds=4)).isoformat(),
        )
    )
    (place,) = stack.push([Record(SEAL, ahead)])
    name = f"{SEAL}/{place.partition}/{place.offset}"
    wait_for(lambda: rows(stack, "id = 'early-1'"), 30, "the row of what was refused")
    (before,) = rows(stack, "id = 'early-1'")
    assert before["reason"] == "future_time"
    decoder = Decoder(SEAL)
    wait_for(
        lambda: not isinstance(decoder.decode(ahead, datetime.now(UTC) + timedelta(minutes=5)), Rejection),
        30,
        "its time",
    )
    assert told("rejected", "replay", name)["replayed"] == 1
    wait_replayed(stack, f"x/0/{before['raw_offset']}")
    (after,) = rows(stack, "id = 'early-1'")
    assert {**after, "replayed_at": None} == before
    wait_for(lambda: events(stack, "early-1") == 1, 30, "the event counts")
    assert run("rejected", "list", "--source", "/platform/meituan", "--waiting").stdout.count("early-1") == 0


def test_a_crash_between_sending_and_marking_counts_once(stack: Stack, told: Told) -> None:
    raw = order("crash-1")
    (name,) = refuse(stack, raw)
    (shown,) = rows(stack, f"raw_offset = {name.rpartition('/')[2]}")
    verdict = Judge().judge(row_of(shown), raw, datetime.now(UTC) + timedelta(minutes=5))
    sender = Sender(KafkaAddress(stack.servers))
    sender.send(verdict.accepted, [], datetime.now(UTC))  # and here the process ends
    sender.close()
    assert told("rejected", "replay", name)["replayed"] == 1
    wait_replayed(stack, name)
    stack.wait_committed()
    assert sent(stack, "crash-1") == 2
    assert events(stack, "crash-1") == 1


def test_what_was_replayed_stays_so_when_its_rejection_is_written_once_more(stack: Stack, told: Told) -> None:
    bad = order("twice-1", packages=0)
    (place,) = stack.push([Record(SEAL, bad)])
    wait_for(lambda: rows(stack, "id = 'twice-1'"), 30, "the row of what was refused")
    (before,) = rows(stack, "id = 'twice-1'")
    record = stack.records("yangguang.rejected")
    (original,) = [one for one in record.values() if one.value == bad]
    (mend,) = refuse(stack, order("twice-2"))
    assert told("rejected", "replay", mend)["replayed"] == 1
    # a mark of the first one too, as if it were accepted now, and then a worker that reads its topic again
    sender = Sender(KafkaAddress(stack.servers))
    sender.send([], [row_of(before)], datetime.now(UTC))
    sender.close()
    stack.push([Record("yangguang.rejected", bad, headers=tuple(original.headers))])
    stack.wait_committed()
    (after,) = rows(stack, "id = 'twice-1'")
    assert after["replayed_at"] is not None
    assert (after["topic"], after["partition"], after["offset"]) == (SEAL, place.partition, place.offset)
    assert after["raw_offset"] > before["raw_offset"]


def test_what_a_key_of_its_producer_allows_now_is_accepted(stack: Stack, told: Told) -> None:
    (mine, other) = refuse(
        stack, order("allowed-1"), order("allowed-2", town_code="330681002"), door=Door("http", "keyed"),
        reason=Reason.NOT_PERMITTED,
    )  # fmt: skip
    assert told("rejected", "replay", mine, other)["refused"] == {"not_permitted": 2}
    granted = {"sources": ("/platform/meituan",), "streams": ("seal",), "towns": ("330681001",)}
    write_key(KafkaAddress(stack.servers), new_key("keyed", datetime.now(UTC), grant=granted).key)
    found = told("rejected", "replay", mine, other)
    assert (found["replayed"], found["refused"]) == (1, {"not_permitted": 1})
    wait_replayed(stack, mine)
    wait_for(lambda: events(stack, "allowed-1") == 1, 30, "the event counts")
    assert sent(stack, "allowed-2") == 0


def test_a_vendors_message_goes_through_the_mapping_that_there_is_now(
    stack: Stack, run: Run, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = json.dumps({"no": "mapped-1", "count": 2, "at": now()}).encode()
    door = Door("http", "", "acme")
    (name,) = recorded(stack, stack.push([refused(message, Rejection(Reason.NOT_MAPPED, ": no field"), door)]))
    assert told("rejected", "replay", name)["refused"] == {"not_mapped": 1}
    (tmp_path / "acme.toml").write_text(MAPPING, encoding="utf-8")
    (tmp_path / "yangguang.toml").write_text('[vendor.acme]\nmapping = "acme.toml"\n', encoding="utf-8")
    monkeypatch.setenv("YANGGUANG_CONFIG", str(tmp_path / "yangguang.toml"))
    assert told("rejected", "replay", name)["replayed"] == 1, run("rejected", "replay", name).output
    wait_replayed(stack, name)
    wait_for(lambda: events(stack, "mapped-1") == 1, 30, "the event counts")


@pytest.mark.parametrize("reason", [Reason.NOT_PERMITTED, Reason.BAD_VALUE])
def test_what_a_producer_without_a_key_pushed_is_not_accepted_because_it_is_valid(
    stack: Stack, told: Told, reason: Reason
) -> None:
    (name,) = refuse(stack, order(f"foreign-{reason.value}"), door=Door("http", "stranger"), reason=reason)
    assert told("rejected", "replay", name)["refused"] == {"not_permitted": 1}
    assert sent(stack, f"foreign-{reason.value}") == 0


def test_a_selection_replays_all_that_it_means_and_nothing_else(stack: Stack, told: Told) -> None:
    source = "/platform/selected"
    raws = [to_bytes(json.loads(order(f"many-{number}")) | {"source": source}) for number in range(1_200)]
    refuse(stack, *raws[:600])
    refuse(stack, *raws[600:], reason=Reason.UNKNOWN_FIELD)
    before = datetime.now(UTC).isoformat()
    assert told("rejected", "replay", "--source", source, "--until", "2026-01-01")["selected"] == 0
    chosen = told("rejected", "replay", "--source", source, "--reason", "unknown_field", "--until", before)
    assert (chosen["selected"], chosen["replayed"]) == (600, 600)
    wait_for(lambda: len(rows(stack, f"source = '{source}' AND replayed_at IS NOT NULL")) == 600, 60, "the marks")
    rest = told("rejected", "replay", "--source", source)
    assert (rest["selected"], rest["replayed"]) == (600, 600)
    wait_for(lambda: len(rows(stack, f"source = '{source}' AND replayed_at IS NOT NULL")) == 1_200, 60, "the marks")
    stack.wait_committed()
    counts = stack.rows(f"SELECT count() AS n, uniqExact(id) AS ids FROM events WHERE source = '{source}'")
    assert counts == [{"n": 1_200, "ids": 1_200}]


# export


def test_a_producers_file_has_its_rows_and_no_bytes(stack: Stack, run: Run, tmp_path: Path) -> None:
    names = refuse(stack, order("file-1", code="13800138000"), order("file-2"), door=Door("http", "filer"))
    assert "2 refused events are in" in run("rejected", "export", "out.csv", "--producer", "filer").stdout
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    assert [f"http/-1/{row['offset']}" for row in found] == names
    assert [row["id"] for row in found] == ["file-1", "file-2"]
    lines = run("rejected", "export", "-", "--producer", "filer").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["file-1", "file-2"]
    assert "13800138000" not in "".join(lines) + (tmp_path / "out.csv").read_text(encoding="utf-8")
    assert "--format" in run("rejected", "export", "out.txt", status=2).output
    assert not (tmp_path / "out.txt").exists()


# what cannot be had any more; these come last


def test_bytes_that_are_gone_are_told(stack: Stack, run: Run, told: Told) -> None:
    (name,) = refuse(stack, order("gone-1"))
    (kept,) = refuse(stack, order("kept-1"))
    admin = KafkaAdminClient(bootstrap_servers=stack.servers)
    admin.delete_records({TopicPartition("yangguang.rejected", 0): int(kept.rpartition("/")[2])})
    admin.close()
    found = told("rejected", "replay", name, kept)
    assert (found["selected"], found["replayed"], found["gone"]) == (2, 1, 1)
    assert "gone" in run("rejected", "show", name).stdout
    assert told("rejected", "show", name)["payload"] is None
    assert "gone" in run("rejected", "show", name, "--raw", "--why", "test", status=1).output


def test_another_record_at_that_place_is_not_taken_for_the_rows_bytes(stack: Stack) -> None:
    (name,) = refuse(stack, order("other-1"))
    (shown,) = rows(stack, f"raw_offset = {name.rpartition('/')[2]}")
    row = row_of(shown)
    with RawBytes(KafkaAddress(stack.servers)) as kept:
        found = list(kept.read([row, row._replace(time=row.time + 1), row._replace(topic="mqtt"), row]))
    assert [one.raw is not None for one in found] == [True, False, False, True]


def test_nothing_is_shown_or_sent_that_cannot_be_written_down(stack: Stack, run: Run) -> None:
    raw = order("unseen-1", code="13800138000")
    (name,) = refuse(stack, raw)
    admin = KafkaAdminClient(bootstrap_servers=stack.servers)
    admin.delete_topics(["yangguang.audit"])
    wait_for(lambda: "yangguang.audit" not in admin.list_topics(), 30, "the topic is gone")
    admin.close()
    try:
        shown = run("rejected", "show", name, "--raw", "--why", "test", status=1)
        assert "does not record who does what" in shown.output
        assert "13800138000" not in shown.output
        assert run("rejected", "replay", name, status=1)
        assert sent(stack, "unseen-1") == 0
    finally:
        ensure_topics(KafkaAddress(stack.servers))
