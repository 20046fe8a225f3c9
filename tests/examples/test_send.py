"""The retry loop in shell: whatever dies meanwhile, each event arrives, and counts once."""

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.examples.scripts import command, environment, ids, run, start
from tests.examples.test_push import answer_to
from tests.pipeline.embedded_clickhouse import ROOT, Server
from tests.pipeline.gateway.samples import REJECTED, SEAL, order
from tests.pipeline.gateway.stack import Broker, Gateway, Tape, free_port, give_key
from tests.system.parts import Part, wait_for

ORDER = "yangguang.seal.order.v1"


class Producer:
    """Somebody with events, a bad network, and this script."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder = folder
        self.env = env

    def put(self, number: int, **data: object) -> str:
        """Puts one order into the folder, and returns the event's id."""
        shown = json.dumps(order(number, **data)["data"], indent=1)
        done = run(command("send.sh", "put", ORDER), self.folder, self.env, shown)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def waiting(self) -> list[str]:
        """The ids of the events that wait."""
        return sorted(path.stem for path in (self.folder / "spool/waiting").iterdir())

    def refused(self) -> dict[str, str]:
        """What was set aside: the answer to each event, by its id."""
        aside = self.folder / "spool/refused"
        answers = {path.name.removesuffix(".answer.json"): path.read_text() for path in aside.glob("*.answer.json")}
        assert {path.name for path in aside.iterdir()} == {
            f"{one}{end}" for one in answers for end in (".json", ".answer.json")
        }
        return answers


@pytest.fixture(name="producer")
def _producer(gateway: Gateway, tmp_path: Path) -> Producer:
    return Producer(tmp_path, environment(gateway.url, source="/platform/jd"))


def test_what_is_put_is_pushed_and_leaves_the_folder(producer: Producer, tape: Tape) -> None:
    put = [producer.put(number) for number in range(3)]
    assert producer.waiting() == sorted(put)
    done = run(command("send.sh", "push"), producer.folder, producer.env)
    assert done.returncode == 0, done.stderr
    assert producer.waiting() == []
    assert ids(tape.new()) == sorted(put)


def test_what_is_refused_is_set_aside_with_the_reason_and_the_rest_goes_on(producer: Producer, tape: Tape) -> None:
    first, bad, last = producer.put(1), producer.put(2, evidence_level=9), producer.put(3)
    done = run(command("send.sh", "push"), producer.folder, producer.env)
    assert done.returncode == 0
    assert f"refused: ./spool/refused/{bad}.json: " in done.stderr
    assert "/data/evidence_level: Input should be less than or equal to 4" in done.stderr
    [(aside, answer)] = producer.refused().items()
    assert aside == bad
    assert json.loads(answer)["results"][0]["reason"] == "bad_value"
    found = tape.new()
    assert ids(one for one in found if one.topic == SEAL) == sorted([first, last])
    assert ids(one for one in found if one.topic == REJECTED) == [bad]


def test_with_a_key_that_is_not_known_everything_waits(producer: Producer) -> None:
    put = producer.put(1)
    done = run(command("send.sh", "push"), producer.folder, producer.env | {"YANGGUANG_API_KEY": "yg_nobody_1"})
    assert done.returncode == 1
    assert "answered 401, all that waits stays in ./spool/waiting" in done.stderr
    assert producer.waiting() == [put]


def test_events_may_hold_what_is_personal_so_the_folder_is_its_owners(producer: Producer) -> None:
    put = producer.put(1)
    for path in (producer.folder / "spool", producer.folder / f"spool/waiting/{put}.json"):
        assert path.stat().st_mode & 0o077 == 0


def test_a_rate_that_is_used_up_is_waited_for(producer: Producer, gateway: Gateway, broker: Broker, tape: Tape) -> None:
    key = give_key(broker.servers, "slow", f"yg_slowly_{'3' * 64}", rate="2/second")
    wait_for(lambda: "not known" not in answer_to(gateway, key), 20, "the key is known")
    put = [producer.put(number) for number in range(5)]
    traced = ["sh", "-x", *command("send.sh", "push")]
    done = run(traced, producer.folder, producer.env | {"YANGGUANG_API_KEY": key})
    assert done.returncode == 0
    assert "status=429" in done.stderr
    assert "sleep 1" in done.stderr  # what Retry-After said
    assert ids(tape.new()) == sorted(put)


class Mortal(NamedTuple):
    """A gateway that can be killed, and started again at its address."""

    part: Part
    url: str


@pytest.fixture(name="mortal")
def _mortal(broker: Broker, clickhouse: Server, tmp_path: Path) -> Iterator[Mortal]:
    port = free_port()
    env = environment(
        home=str(tmp_path / "home"),
        kafka=broker.servers,
        clickhouse=f"http://127.0.0.1:{clickhouse.port}",
        http_port=str(port),
    )
    part = Part("gateway", [sys.executable, "-m", "pipeline", "gateway"], tmp_path / "gateway.log", env, ROOT)
    yield Mortal(part, f"http://127.0.0.1:{port}")
    if part.running:
        part.end(signal.SIGKILL)


def pushed(producer: Producer) -> bool:
    """Pushes, and tells whether nothing waits any more; a push does nothing while another is at it."""
    assert run(command("send.sh", "push"), producer.folder, producer.env).returncode == 0
    return not producer.waiting()


def test_no_event_is_lost_or_doubled_while_kafka_and_the_gateway_are_killed(
    mortal: Mortal, broker: Broker, tape: Tape, tmp_path: Path
) -> None:
    producer = Producer(tmp_path, environment(mortal.url, source="/platform/jd"))
    put = [producer.put(number) for number in range(80)]
    pushing = start(command("send.sh", "push"), producer.folder, producer.env)  # before there is a gateway

    def left(number: int) -> bool:
        assert pushing.poll() in (None, 0), pushing.communicate()
        return len(producer.waiting()) <= number

    try:
        mortal.part.start()
        wait_for(lambda: left(60), 60, "a quarter is taken")
        mortal.part.end(signal.SIGKILL)
        assert producer.waiting(), "all was taken before the gateway died"
        mortal.part.start()
        wait_for(lambda: left(40), 60, "a half is taken")
        broker.kill()
        assert producer.waiting(), "all was taken before Kafka died"
        broker.start()
        wait_for(lambda: left(20), 60, "most is taken")
        pushing.kill()  # and the script itself
        pushing.wait(10)
        wait_for(lambda: pushed(producer), 60, "the rest is taken")
    finally:
        pushing.kill()
        pushing.wait(10)
    assert producer.waiting() == []
    assert producer.refused() == {}
    found = [json.loads(one.value) for one in tape.new()]
    identities = {(one["type"], one["source"], one["id"]) for one in found}
    assert identities == {(ORDER, "/platform/jd", one) for one in put}
    assert len({json.dumps(one, sort_keys=True) for one in found}) == len(put)  # a repeat is the same to the byte
    assert {one["data"]["order_id"] for one in found} == {f"o-{number}" for number in range(80)}


def test_two_that_push_at_once_do_not_disturb_each_other(producer: Producer, tape: Tape) -> None:
    put = [producer.put(number, **({"packages": 0} if number % 3 == 0 else {})) for number in range(9)]
    both = [start(command("send.sh", "push"), producer.folder, producer.env) for _ in range(2)]
    for one in both:
        assert one.wait(60) == 0
    assert producer.waiting() == []
    assert sorted(producer.refused()) == sorted(put[::3])
    assert ids(one for one in tape.new() if one.topic == SEAL) == sorted(set(put) - set(put[::3]))
