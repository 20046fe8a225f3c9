"""`yangguang produce` against a real Kafka: all of a file arrives, whatever ends a run in the middle."""

import hashlib
import io
import os
import pty
import re
import signal
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from kafka.errors import KafkaError

from pipeline.produce.bookmark import Bookmark, Place
from pipeline.produce.sending import PORTION, Sender, send_file
from streams.kafka_address import KafkaAddress
from tests.pipeline.gateway.samples import SEAL
from tests.pipeline.gateway.stack import Broker, Tape, free_port
from tests.pipeline.produce.runs import Runs, lines, numbers_in
from tests.system.parts import wait_for

MANY = 8 * PORTION


@pytest.fixture
def runs(tmp_path: Path, broker: Broker) -> Runs:
    return Runs(tmp_path, broker.servers)


def test_every_event_of_a_file_is_on_its_topic_under_its_entity(runs: Runs, tape: Tape) -> None:
    runs.write(range(2000))
    assert runs.told() == {"sent": 2000, "sent_before": 0, "lines": 2000}
    found = tape.new()
    assert numbers_in(found) == list(range(2000))
    assert {(one.topic, one.key == f"o-{number}".encode()) for one in found for number in numbers_in([one])} == {
        (SEAL, True)
    }
    assert not runs.bookmarked


def test_a_finished_file_is_sent_again_when_that_is_asked_for(runs: Runs, tape: Tape) -> None:
    runs.write(range(5))
    runs.told()
    assert runs.told()["sent"] == 5  # the data of a Kafka may be gone; what is there counts once
    assert numbers_in(tape.new()) == sorted([*range(5), *range(5)])


def interrupt(runs: Runs, number: signal.Signals) -> "subprocess.Popen[str]":
    """Ends a run after it has begun, and before it is done."""
    run = runs.start()
    wait_for(lambda: runs.bookmarked or run.poll() is not None, 60, "a first portion is sent")
    run.send_signal(number)
    run.wait(30)
    return run


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_run_that_was_ended_in_the_middle_goes_on_where_it_was(
    runs: Runs, tape: Tape, number: signal.Signals
) -> None:
    runs.write(range(MANY))
    run = interrupt(runs, number)
    before = len(numbers_in(tape.new()))
    assert before < MANY, "it was not ended in the middle"
    if number is signal.SIGINT:
        assert run.returncode == 1
        assert run.stderr is not None
        said = run.stderr.read()
        assert re.fullmatch(r"Error: interrupted after \d+ events: run the same again, it goes on there\n", said)

    done = runs.run()
    assert done.returncode == 0, done.stderr
    assert re.search(r"an earlier run ended after line \d+, gone on there \(--restart: all\)", done.stderr)
    sent, earlier = map(int, re.findall(r"(\d+) (?:events|more)", done.stdout))
    assert sent + earlier == MANY
    assert earlier >= PORTION
    after = numbers_in(tape.new())
    assert len(after) == sent
    assert before >= earlier
    assert before + len(after) <= MANY + PORTION  # at most a portion twice
    assert not runs.bookmarked


def test_no_event_of_an_interrupted_file_is_missing(runs: Runs, tape: Tape) -> None:
    runs.write(range(MANY))
    for _ in range(3):
        interrupt(runs, signal.SIGKILL)
    runs.run()
    assert set(numbers_in(tape.new())) == set(range(MANY))


def test_restart_sends_all(runs: Runs) -> None:
    runs.write(range(MANY))
    interrupt(runs, signal.SIGKILL)
    assert runs.told("--restart") == {"sent": MANY, "sent_before": 0, "lines": MANY}


def test_a_file_that_was_changed_after_the_interruption_is_sent_anew_and_that_is_said(runs: Runs) -> None:
    runs.write(range(MANY))
    interrupt(runs, signal.SIGKILL)
    runs.write(range(1, MANY))
    done = runs.run("--json")
    assert done.returncode == 0
    assert re.search(r"its first \d+ lines are not those that an earlier run sent: all of it is sent", done.stderr)
    assert f'"sent": {MANY - 1}' in done.stdout


def test_a_kafka_that_dies_in_the_middle_and_comes_back_is_waited_for(runs: Runs, broker: Broker, tape: Tape) -> None:
    runs.write(range(MANY))
    run = runs.start("--json")
    wait_for(lambda: runs.bookmarked or run.poll() is not None, 60, "a first portion is sent")
    broker.kill()
    assert run.poll() is None, "it was done before Kafka died"
    broker.start()
    out, error = run.communicate(timeout=90)
    assert run.returncode == 0, error
    assert f'"sent": {MANY}' in out
    assert set(numbers_in(tape.new())) == set(range(MANY))


def test_a_kafka_that_stays_away_ends_the_run_which_goes_on_when_it_is_back(
    runs: Runs, broker: Broker, tape: Tape
) -> None:
    address = KafkaAddress(broker.servers)
    runs.write(range(3 * PORTION))
    reached: list[Place] = []

    def die_after_the_first(place: Place) -> None:
        reached.append(place)
        if len(reached) == 1:
            broker.kill()

    with closing(Sender(address, patience=2)) as sender, runs.file.open("rb") as file:
        bookmark = Bookmark.of(runs.folder / "home", runs.file, sender.cluster(), None)
        bookmark.prepare()
        with pytest.raises(KafkaError):
            send_file(file, None, sender, bookmark, None, die_after_the_first)
    assert [place.events for place in reached] == [PORTION]
    broker.start()
    assert runs.told()["sent_before"] == PORTION
    assert set(numbers_in(tape.new())) == set(range(3 * PORTION))


def test_a_kafka_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    runs = Runs(tmp_path, f"127.0.0.1:{free_port()}")
    runs.write([1])
    done = runs.run()
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "does not answer (nothing listens): start it, or set YANGGUANG_KAFKA" in done.stderr


def test_a_line_that_cannot_be_sent_ends_the_run_and_once_mended_it_goes_on_there(runs: Runs, tape: Tape) -> None:
    good = lines(range(10))
    runs.file.write_bytes(good + b'{"type":"yangguang.seal.order.v9"}\n' + lines([11]))
    done = runs.run()
    assert done.returncode == 1
    assert "events.ndjson: line 11 is no event of a published type" in done.stderr
    assert "the 10 events before it are on Kafka" in done.stderr
    runs.file.write_bytes(good + lines([10, 11]))
    assert runs.told() == {"sent": 2, "sent_before": 10, "lines": 12}
    assert numbers_in(tape.new()) == list(range(12))


def test_a_last_line_without_its_end_is_never_taken_for_sent(runs: Runs, broker: Broker) -> None:
    runs.file.write_bytes(lines([1]) + b'{"half":')
    places: list[Place] = []
    with closing(Sender(KafkaAddress(broker.servers))) as sender, runs.file.open("rb") as file:
        bookmark = Bookmark.of(runs.folder / "home", runs.file, sender.cluster(), SEAL)
        bookmark.prepare()

        def still_unmarked(place: Place) -> None:
            places.append(place)
            assert bookmark.read(io.BytesIO(runs.file.read_bytes())) is None

        send_file(file, SEAL, sender, bookmark, None, still_unmarked)
    assert [place.line for place in places] == [2]


def test_standard_input_is_sent_and_leaves_no_bookmark(runs: Runs, tape: Tape) -> None:
    done = runs.run(file="-", stdin=lines(range(3)).decode())
    assert done.stdout == "3 events are on Kafka\n"
    assert numbers_in(tape.new()) == [0, 1, 2]
    assert not runs.bookmarked


def test_a_home_that_cannot_be_written_costs_the_bookmark_only(runs: Runs) -> None:
    (runs.folder / "home").write_text("a file where a folder should be")
    runs.write([1])
    done = runs.run()
    assert done.returncode == 0
    assert "a run that is interrupted begins anew: set YANGGUANG_HOME" in done.stderr


def test_a_bookmark_holds_nothing_of_the_events(runs: Runs) -> None:
    runs.write(range(MANY))
    interrupt(runs, signal.SIGKILL)
    [kept] = runs.bookmarks.glob("*.json")
    place = Place(*map(int, re.findall(r'"(?:position|line|events)": (\d+)', kept.read_text())))
    assert place.events == place.line
    content = runs.file.read_bytes()[: place.position]
    assert content.count(b"\n") == place.line
    assert hashlib.sha256(content).hexdigest() in kept.read_text()
    assert "o-1" not in kept.read_text()


def test_a_terminal_shows_how_far_it_is_in_bytes_and_events(runs: Runs) -> None:
    runs.write(range(MANY))
    own, other = pty.openpty()
    run = subprocess.Popen(
        runs.command(), cwd=runs.folder, env=runs.env | {"TERM": "xterm", "COLUMNS": "120"}, stdout=other, stderr=other
    )
    os.close(other)
    shown = b""
    try:
        while piece := os.read(own, 65_536):
            shown += piece
    except OSError:  # the other end is closed
        pass
    finally:
        os.close(own)
    assert run.wait(30) == 0
    plain = re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", shown).decode()
    assert re.search(r"events\.ndjson .* \d+\.\d/\d+\.\d MB .* \d+ events, \d+/s", plain)
    assert f"{MANY} events are on Kafka" in plain
