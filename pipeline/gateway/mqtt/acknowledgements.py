"""Acknowledgements in the order in which messages came, as MQTT wants them, though the work on them ends in another."""

from collections.abc import Callable

from pipeline.gateway.mqtt.packets import Received


class Acknowledgements:
    """Which messages of the present connection are not acknowledged yet.

    A message that is set aside, as its producer has to wait, is overtaken by those behind it: one producer does not
    hold up the others. Brokers tell messages by their numbers, so they take that too.

    Numbers are good on one connection only: on the next the same number may be another message, so what came on an
    earlier one is never acknowledged. The broker sends it again.

    :param send: is given connection and number of what is to be acknowledged now.
    """

    def __init__(self, send: Callable[[int, int], None]) -> None:
        self._send = send
        self._connection = 0
        self._done: dict[int, bool] = {}  # by number, in the order of arrival
        self._aside: set[int] = set()

    def expect(self, message: Received) -> None:
        """A message has come."""
        if not message.qos:
            return
        if message.connection != self._connection:
            self._connection = message.connection
            self._done.clear()
            self._aside.clear()
        self._done[message.number] = False

    def set_aside(self, message: Received) -> None:
        """It will take its time."""
        if self._waits_for(message) and self._done.pop(message.number, None) is not None:
            self._aside.add(message.number)
            self._release()

    def done(self, message: Received) -> None:
        """It may be acknowledged, and is as soon as all before it are."""
        if not self._waits_for(message):
            return
        if message.number in self._aside:
            self._aside.discard(message.number)
            self._send(self._connection, message.number)
        elif message.number in self._done:
            self._done[message.number] = True
            self._release()

    def _waits_for(self, message: Received) -> bool:
        return bool(message.qos) and message.connection == self._connection

    def _release(self) -> None:
        while self._done:
            number = next(iter(self._done))
            if not self._done[number]:
                return
            del self._done[number]
            self._send(self._connection, number)
