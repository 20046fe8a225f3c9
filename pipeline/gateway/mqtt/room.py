"""How much of what the broker sends is held in memory: the reading of the network stops while there is no room."""

import threading


class Room:
    """Bytes, taken by the thread that reads the network and given back by the one that works.

    While the first waits nothing is read, so the connection's flow control holds the broker back, for messages of QoS 0
    too, which MQTT itself does not limit. If that lasts so long that the broker gives the connection up, it delivers
    again on the next what was not acknowledged."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._closed = False
        self._changed = threading.Condition()

    @property
    def held(self) -> int:
        """The bytes that are taken now."""
        return self._held

    def take(self, size: int) -> None:
        """Waits until there is room. Something always fits when nothing else is held, and all when it is closed."""
        with self._changed:
            while self._held and self._held + size > self._limit and not self._closed:
                self._changed.wait()
            self._held += size

    def give_back(self, size: int) -> None:
        """Frees what was taken."""
        with self._changed:
            self._held -= size
            self._changed.notify()

    def close(self) -> None:
        """Lets go who waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
