"""What is done with messages of MQTT: judged as they came, stored in Kafka, answered, and only then acknowledged."""

import asyncio
import logging
import random
import time
from collections import deque
from http import HTTPStatus
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

from pipeline.gateway.callers import Caller, Callers
from pipeline.gateway.intake import Intake, Message, Outcome, TooManyError
from pipeline.gateway.items import NotEventsError
from pipeline.gateway.judge import Judged
from pipeline.gateway.limits import Budget, BusyError, Lease, Limits
from pipeline.gateway.mqtt.acknowledgements import Acknowledgements
from pipeline.gateway.mqtt.connection import Connection, LostError
from pipeline.gateway.mqtt.packets import Received
from pipeline.gateway.mqtt.reach import QUIET_SECONDS, Reach
from pipeline.gateway.mqtt.reading import Unreadable, answer_to, door_of, message_of, too_large, without_events
from pipeline.gateway.mqtt.room import Room
from pipeline.gateway.mqtt.topics import answer_topic, sent_to, usual_answers
from pipeline.gateway.problems import ProblemError
from pipeline.gateway.producer import AwayError, UncertainError
from pipeline.keys.ring import KeyRing
from pipeline.mqtt_settings import MqttAddress

log: Final = logging.getLogger(__name__)

_ROOM_SHARE: Final = 4
"""Of what the gateway may hold: so much more is held of messages that nobody works on yet."""
_BATCH_MESSAGES: Final = 500
_BATCH_BYTES: Final = 64 * 1024
"""Of messages that are stored together. So small that their events, be they of two bytes each, fit into what the
gateway may hold."""
_BACKOFF_FIRST_SECONDS: Final = 0.2
_BACKOFF_MAX_SECONDS: Final = 3.0
_STOP_SECONDS: Final = 0.7


class MqttOptions(NamedTuple):
    """What the settings say of MQTT."""

    address: MqttAddress
    name: str
    """Of this gateway: the broker keeps a session for each."""
    shared: bool = False
    """Whether several gateways share what the broker has."""


class Read(NamedTuple):
    """A message and what became of its events; where it holds none that could be judged, it is refused as a whole."""

    received: Received
    judged: list[Judged]
    unreadable: Unreadable | None = None


class MqttDoor:
    """Takes the messages of one broker. Those of one producer are worked on in the order in which they came, a batch
    after the other; different producers do not wait for each other."""

    def __init__(
        self, options: MqttOptions, intake: Intake, callers: Callers, ring: KeyRing, limits: Limits, budget: Budget
    ) -> None:
        self._intake = intake
        self._callers = callers
        self._ring = ring
        self._limits = limits
        self._budget = budget
        self._broker = str(options.address)
        self._room = Room(limits.held_bytes // _ROOM_SHARE)
        client_id = f"yangguang-{options.name}"
        self._connection = Connection(options.address, client_id, options.shared, self, self._room)
        self._acknowledgements = Acknowledgements(self._connection.acknowledge)
        self._queues: dict[str, deque[Received]] = {}
        self._work: set[asyncio.Task[None]] = set()
        self._limited: set[str] = set()
        """Producers that are over their rate."""
        self._kafka_away = False
        self._reach = Reach()
        self._ending = False

    def start(self) -> None:
        """Begins to connect to the broker."""
        self._connection.start()

    def hurry(self) -> None:
        """The gateway is about to end: nothing new is begun."""
        self._ending = True

    async def stop(self) -> None:
        """Ends. What is not acknowledged by then the broker delivers again, to whom it likes."""
        self.hurry()
        if self._work:
            await asyncio.wait(self._work, timeout=_STOP_SECONDS)
        for one in tuple(self._work):
            one.cancel()
        await self._connection.stop()

    @property
    def ready(self) -> bool:
        """Whether the broker delivers to us."""
        return self._connection.ready

    def arrived(self, message: Received) -> None:
        """The broker has delivered a message."""
        sent = sent_to(message.topic)
        self._acknowledgements.expect(message)
        if sent.is_answer:
            self._finish(message)
        elif not self._ending:
            if sent.producer in self._limited:
                self._acknowledgements.set_aside(message)
            queue = self._queues.get(sent.producer)
            if queue is None:
                self._queues[sent.producer] = deque([message])
                self._begin(sent.producer)
            else:
                queue.append(message)

    def lost(self) -> None:
        """What came until now cannot be acknowledged any more. What waits here comes again, but for QoS 0."""
        for producer, queue in self._queues.items():
            self._queues[producer] = deque(self._present(queue))

    def _begin(self, producer: str) -> None:
        task = asyncio.create_task(self._work_for(producer))
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _work_for(self, producer: str) -> None:
        """Works on a producer's messages until there are none."""
        await self._ring.loaded.wait()
        while not self._ending and self._queues[producer]:
            batch = _first_of(self._queues[producer])
            try:
                await self._settle(batch, producer)
            except Exception:
                log.critical("MQTT broker %s: messages of %s are not worked on", self._broker, producer, exc_info=True)
                for one in batch:
                    self._acknowledgements.set_aside(one)
                    self._drop(one)
        self._limited.discard(producer)
        del self._queues[producer]

    async def _settle(self, batch: list[Received], producer: str) -> None:
        """Returns when everything of these messages is stored, answered and acknowledged, or is to come again."""
        due: int | None = None
        delay = _BACKOFF_FIRST_SECONDS
        while batch := self._present(batch):
            lease = self._budget.lease()
            wait = 0.0
            try:
                callers = self._callers.of_producer(producer)
                reads = [await self._read(one, callers, lease) for one in batch]
                judged = [one for read in reads for one in read.judged]
                due, wait = self._charge(callers, len(judged) if due is None else due)
                if not wait:
                    outcome = await self._intake.store(judged, lease)
                    break
            except (BusyError, AwayError, UncertainError) as error:
                if isinstance(error, BusyError):
                    batch = self._fewer(batch, producer)
                self._say_away(error)
                wait = delay * random.uniform(0.5, 1)
                delay = min(delay * 2, _BACKOFF_MAX_SECONDS)
            finally:
                lease.close()
            if self._ending:
                return
            if due:
                self._hold_back(producer, batch)
            await asyncio.sleep(min(wait, _BACKOFF_MAX_SECONDS))  # its keys may have another rate by then
        else:
            return
        self._limited.discard(producer)
        self._say_back()
        await self._tell(reads, outcome)

    async def _read(self, received: Received, callers: list[Caller], lease: Lease) -> Read:
        """The message's events, each judged. Raises BusyError."""
        message = message_of(received, [one.grant for one in callers])
        if isinstance(message, Message):
            if len(received.payload) > self._limits.body_bytes:
                message = too_large(self._limits.body_bytes)
            else:
                try:
                    return Read(received, await self._intake.judge(message, lease))
                except (NotEventsError, TooManyError) as error:
                    message = without_events(received, error)
        refused = self._intake.refuse(received.payload, message.rejection, door_of(received), lease)
        return Read(received, [refused], message)

    def _fewer(self, batch: list[Received], producer: str) -> list[Received]:
        """The first half; the rest has its turn later."""
        half = (len(batch) + 1) // 2
        self._queues[producer].extendleft(reversed(batch[half:]))
        return batch[:half]

    def _charge(self, callers: list[Caller], due: int) -> tuple[int, float]:
        """Counts events against the producer's rate, as many as it has room for: how many are still due, and after how
        many seconds to try again. A message may have more events than the rate allows at once."""
        rates = [one.rate for one in callers]
        if not rates or None in rates:
            return 0, 0
        caller = max(callers, key=_per_second)
        most = caller.rate.amount if caller.rate else due
        while due:
            try:
                self._callers.charge(caller, min(due, most))
            except ProblemError as error:
                if error.status is not HTTPStatus.TOO_MANY_REQUESTS:
                    raise
                return due, float((error.headers or {}).get("Retry-After", 1))
            due -= min(due, most)
        return 0, 0

    def _hold_back(self, producer: str, batch: list[Received]) -> None:
        """The producer's messages, those that come from now on too, do not hold up those of others."""
        self._limited.add(producer)
        for one in (*batch, *self._queues[producer]):
            self._acknowledgements.set_aside(one)

    async def _tell(self, reads: list[Read], outcome: Outcome) -> None:
        """Answers, where there is something to say, and acknowledges."""
        ends = [0, *accumulate(len(read.judged) for read in reads)]
        answers = []
        for read, (begin, end) in zip(reads, pairwise(ends), strict=True):
            part = Outcome(outcome.judged[begin:end], outcome.stored[begin:end])
            answers.append(self._answered(read, part))
        told = await asyncio.gather(*answers)
        for read, one in zip(reads, told, strict=True):
            if one:
                self._finish(read.received)
            else:
                self._drop(read.received)

    async def _answered(self, read: Read, outcome: Outcome) -> bool:
        """Whether the broker has the answer, or there is none; one that was lost is given again, with its message."""
        received, now = read.received, time.monotonic()
        producer = sent_to(received.topic).producer
        topic = self._reach.place(answer_topic(received.response_topic, producer), usual_answers(producer), now)
        if topic is None:
            return True
        answer = answer_to(received, topic, read.unreadable, outcome, self._connection.answer_bytes)
        if answer is None:
            return True
        try:
            reason = await self._connection.answer(answer)
        except LostError:
            if self._reach.lost(topic, now):
                self._say_refused(topic, "the connection is lost each time")
            return False
        if reason.is_failure:
            self._reach.refused(topic, now)
            self._say_refused(topic, str(reason))
        else:
            self._reach.taken(topic)
        return True

    def _say_refused(self, topic: str, why: str) -> None:
        log.error(
            "MQTT broker %s does not take an answer on %r (%s): none goes there or to the like of it for %.0f s; let "
            "the gateway's user write there",
            self._broker,
            topic[:200],
            why,
            QUIET_SECONDS,
        )

    def _present(self, messages: "list[Received] | deque[Received]") -> list[Received]:
        """Those that can still be acknowledged, or need not be."""
        present = []
        for one in messages:
            if not one.qos or self._connection.is_present(one.connection):
                present.append(one)
            else:
                self._drop(one)
        return present

    def _finish(self, message: Received) -> None:
        self._acknowledgements.done(message)
        self._drop(message)

    def _drop(self, message: Received) -> None:
        """It is not held any more."""
        self._room.give_back(message.size)

    def _say_away(self, error: Exception) -> None:
        if not self._kafka_away:
            why = "the gateway holds as much as it may" if isinstance(error, BusyError) else "Kafka does not answer"
            log.warning("MQTT broker %s keeps what it has: it is not acknowledged, as %s", self._broker, why)
        self._kafka_away = True

    def _say_back(self) -> None:
        if self._kafka_away:
            log.info("MQTT broker %s: its messages are taken again", self._broker)
        self._kafka_away = False


def _first_of(queue: deque[Received]) -> list[Received]:
    """Messages to be stored together: at least one."""
    batch = [queue.popleft()]
    size = len(batch[0].payload)
    while queue and len(batch) < _BATCH_MESSAGES and (size := size + len(queue[0].payload)) <= _BATCH_BYTES:
        batch.append(queue.popleft())
    return batch


def _per_second(caller: Caller) -> float:
    return caller.rate.amount / caller.rate.get_expiry() if caller.rate else 0
