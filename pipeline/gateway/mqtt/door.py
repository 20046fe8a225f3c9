"""What is done with messages of MQTT: judged as they came, stored in Kafka, answered, and only then acknowledged."""

import asyncio
import logging
import random
import signal
import time
from collections import deque
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

from pipeline.gateway.background import background
from pipeline.gateway.callers import Caller, Callers
from pipeline.gateway.intake import Intake, Message, Outcome, TooManyError
from pipeline.gateway.items import NotEventsError
from pipeline.gateway.judge import Judged
from pipeline.gateway.limits import Budget, BusyError, Lease, Limits
from pipeline.gateway.mqtt.acknowledgements import Acknowledgements
from pipeline.gateway.mqtt.answering import Answering
from pipeline.gateway.mqtt.charging import charge
from pipeline.gateway.mqtt.inlet import Inlet
from pipeline.gateway.mqtt.outlet import Outlet
from pipeline.gateway.mqtt.packets import Received
from pipeline.gateway.mqtt.reading import Unreadable, door_of, message_of, too_large, without_events
from pipeline.gateway.mqtt.room import Room
from pipeline.gateway.mqtt.topics import SHARED_SUBSCRIPTION, SUBSCRIPTION, sent_to
from pipeline.gateway.producer import AwayError, UncertainError
from pipeline.keys.ring import KeyRing
from pipeline.mqtt_settings import MqttAddress

log: Final = logging.getLogger(__name__)

_ROOM_SHARE: Final = 4
"""Of what the gateway may hold: so much more is held of messages that nobody works on yet."""
_BATCH_MESSAGES: Final = 500
_BATCH_BYTES: Final = 128 * 1024
"""Of messages that are stored together. So small that their events, be they of two bytes each, fit into what the
gateway may hold."""
_BACKOFF_FIRST_SECONDS: Final = 0.2
_BACKOFF_MAX_SECONDS: Final = 3.0
_STOP_SECONDS: Final = 0.7
_EMPTY_SECONDS: Final = 5.0


class MqttOptions(NamedTuple):
    """What the settings say of MQTT."""

    address: MqttAddress
    name: str
    """Of this gateway: the broker keeps a session for each."""
    shared: bool = False
    """Whether the gateways of the broker take its messages between them, or each takes all."""
    leave: bool = False
    """Whether it only takes what the broker still has for it, and then ends."""

    @property
    def subscription(self) -> str | None:
        """What it asks the broker for."""
        if self.leave:
            return None
        return SHARED_SUBSCRIPTION if self.shared else SUBSCRIPTION


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
        self._inlet = Inlet(options.address, client_id, options.subscription, self, self._room)
        self._outlet = Outlet(options.address, f"{client_id}-answers")
        self._answering = Answering(self._broker, self._outlet)
        self._acknowledgements = Acknowledgements(self._inlet.acknowledge)
        self._queues: dict[str, deque[Received]] = {}
        self._work: set[asyncio.Task[None]] = set()
        self._limited: set[str] = set()
        """Producers that are over their rate."""
        self._kafka_away = False
        self._ending = False
        self._leave = options.leave
        self.left = False
        """Whether it has taken all that the broker had for it, and asked for no more."""
        self._leaving: asyncio.Task[None] | None = None
        self._arrival = time.monotonic()

    def start(self) -> None:
        """Begins to connect to the broker."""
        self._inlet.start()
        self._outlet.start()
        if self._leave:
            self._leaving = background(self._end_when_empty(), "leaving the MQTT broker")

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
        if self._leaving is not None:
            self._leaving.cancel()
        await asyncio.gather(self._inlet.stop(), self._outlet.stop())

    @property
    def ready(self) -> bool:
        """Whether the broker delivers to us."""
        return self._inlet.ready

    def arrived(self, message: Received) -> None:
        """The broker has delivered a message."""
        sent = sent_to(message.topic)
        self._arrival = time.monotonic()
        self._acknowledgements.expect(message)
        if sent.is_answer:
            self._drop(message)
            self._acknowledgements.done(message)
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

    async def _end_when_empty(self) -> None:
        """Ends the process when the broker has had nothing for it for some seconds, and all that came is done."""
        while not self._inlet.ready or self._queues or time.monotonic() - self._arrival < _EMPTY_SECONDS:
            if not self._inlet.ready:
                self._arrival = time.monotonic()
            await asyncio.sleep(_EMPTY_SECONDS / 10)
        self.left = True
        signal.raise_signal(signal.SIGTERM)

    def _begin(self, producer: str) -> None:
        task = asyncio.create_task(self._work_for(producer))
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _work_for(self, producer: str) -> None:
        """Works on a producer's messages until there are none."""
        await self._ring.loaded.wait()
        while not self._ending and self._queues[producer]:
            await self._settle(_first_of(self._queues[producer]), producer)
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
                due, wait = charge(self._callers, callers, len(judged) if due is None else due)
                if not wait:
                    outcome = await self._intake.store(judged, lease)
                    break
            except (BusyError, AwayError, UncertainError) as error:
                if isinstance(error, BusyError):
                    batch = self._fewer(batch, producer)
                else:
                    self._say_away()
                wait = delay * random.uniform(0.5, 1)
                delay = min(delay * 2, _BACKOFF_MAX_SECONDS)
            except Exception:
                self._give_up(batch)
                return
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
        ends = [0, *accumulate(len(read.judged) for read in reads)]
        parts = [Outcome(outcome.judged[begin:end], outcome.stored[begin:end]) for begin, end in pairwise(ends)]
        await asyncio.gather(*(self._conclude(read, part) for read, part in zip(reads, parts, strict=True)))

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

    def _hold_back(self, producer: str, batch: list[Received]) -> None:
        """The producer's messages, those that come from now on too, do not hold up those of others."""
        self._limited.add(producer)
        for one in (*batch, *self._queues[producer]):
            self._acknowledgements.set_aside(one)

    async def _conclude(self, read: Read, outcome: Outcome) -> None:
        """Everything of the message is stored: it is answered, where there is something to say, and acknowledged."""
        received = read.received
        try:
            told = await self._answering.tell(received, read.unreadable, outcome, lambda: self._wants(received))
        except Exception:
            self._give_up([received])
            return
        if told:
            self._acknowledgements.done(received)
        self._drop(received)

    def _give_up(self, messages: list[Received]) -> None:
        """A fault of the gateway: it holds nothing else up, and the broker keeps the messages until it is mended."""
        producer = door_of(messages[0]).producer
        log.critical("MQTT broker %s: messages of %s are not taken", self._broker, producer, exc_info=True)
        for one in messages:
            self._acknowledgements.set_aside(one)
            self._drop(one)

    def _wants(self, message: Received) -> bool:
        """Whether it can still be acknowledged, or need not be."""
        return not self._ending and (not message.qos or self._inlet.is_present(message.connection))

    def _present(self, messages: "list[Received] | deque[Received]") -> list[Received]:
        """Those that can still be acknowledged, or need not be."""
        present = []
        for one in messages:
            if not one.qos or self._inlet.is_present(one.connection):
                present.append(one)
            else:
                self._drop(one)
        return present

    def _drop(self, message: Received) -> None:
        """It is not held any more."""
        self._room.give_back(message.size)

    def _say_away(self) -> None:
        if not self._kafka_away:
            log.warning(
                "MQTT broker %s keeps what it has: it is not acknowledged, as Kafka does not answer", self._broker
            )
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
