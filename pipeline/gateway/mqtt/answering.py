"""Telling producers what became of their messages."""

import logging
import time
from collections.abc import Callable
from typing import Final

from pipeline.gateway.intake import Outcome
from pipeline.gateway.mqtt.outlet import LostError, Outlet
from pipeline.gateway.mqtt.packets import Received
from pipeline.gateway.mqtt.reach import QUIET_SECONDS, Reach
from pipeline.gateway.mqtt.reading import Unreadable, answer_to, door_of
from pipeline.gateway.mqtt.topics import answer_topic, sent_to, usual_answers

log: Final = logging.getLogger(__name__)

_PATIENCE_SECONDS: Final = 10.0
"""For a connection on which to answer. Events come first: a message that cannot be answered is acknowledged then."""


class Answering:
    """Gives answers where the broker takes them.

    :param broker: what it is called in the log.
    """

    def __init__(self, broker: str, outlet: Outlet) -> None:
        self._broker = broker
        self._outlet = outlet
        self._reach = Reach()

    async def tell(
        self, received: Received, unreadable: Unreadable | None, outcome: Outcome, wanted: Callable[[], bool]
    ) -> bool:
        """Returns when the broker has the answer, or there is nothing to say, or it cannot be given. Whether that is
        the end of it: not where it is not wanted any more, as the message will come again.

        :param unreadable: why it is refused as a whole, if it is.
        """
        producer = sent_to(received.topic).producer
        places = answer_topic(received.response_topic, producer), usual_answers(producer)
        given_up = time.monotonic() + _PATIENCE_SECONDS
        while (now := time.monotonic()) < given_up:
            topic = self._reach.place(*places, now)
            if topic is None:
                return True
            answer = answer_to(received, topic, unreadable, outcome, self._outlet.packet_bytes)
            if answer is None:
                return True
            if not await self._outlet.wait(given_up - now):
                break
            if not wanted():
                return False
            try:
                reason = await self._outlet.answer(answer)
            except LostError as error:
                if error.connection is not None and self._reach.lost(topic, error.connection, now):
                    self._say_refused(topic, "the connection is lost each time")
                continue
            if not reason.is_failure:
                self._reach.taken(topic)
                return True
            self._reach.refused(topic, now)
            self._say_refused(topic, str(reason))
        if wanted():
            producer = door_of(received).producer
            log.warning("MQTT broker %s: a message of %s is taken, and not answered", self._broker, producer)
        return wanted()

    def _say_refused(self, topic: str, why: str) -> None:
        log.error(
            "MQTT broker %s does not take an answer on %r (%s): none goes there or to the like of it for %.0f s; let "
            "the gateway's user write there",
            self._broker,
            topic[:200],
            why,
            QUIET_SECONDS,
        )
