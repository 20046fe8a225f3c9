"""Where the broker lets the gateway answer. Pure.

A broker may end the connection of who publishes where it must not (mosquitto does), and then delivers the message again
that is to be answered there. So a device could stop all others by the response topic it names, and a broker whose ACL
was forgotten stops everything with the first refused event. Events come first: what was refused once is left alone for
a while."""

from typing import Final

from pipeline.gateway.mqtt.topics import ROOT

QUIET_SECONDS: Final = 600.0
_LOSSES: Final = 3
"""So many connections in a row that were lost before the broker had an answer are taken for a refusal."""


class Reach:
    """Topics are of two kinds: the producers' under our own root, and all others."""

    def __init__(self) -> None:
        self._until = {True: float("-inf"), False: float("-inf")}
        self._losses: dict[bool, set[int]] = {True: set(), False: set()}

    def place(self, wanted: str, usual: str, now: float) -> str | None:
        """Where to answer: where it is wanted, else on the producer's usual topic, else not at all.

        :param now: seconds of a clock that never goes back.
        """
        for topic in (wanted, usual):
            if now >= self._until[_is_ours(topic)]:
                return topic
        return None

    def taken(self, topic: str) -> None:
        """The broker has taken an answer there."""
        self._losses[_is_ours(topic)].clear()

    def refused(self, topic: str, now: float) -> None:
        """The broker has refused an answer there."""
        self._until[_is_ours(topic)] = now + QUIET_SECONDS

    def lost(self, topic: str, connection: int, now: float) -> bool:
        """The connection was lost before the broker had the answer. Whether that is taken for a refusal."""
        losses = self._losses[_is_ours(topic)]
        losses.add(connection)
        if len(losses) < _LOSSES:
            return False
        losses.clear()
        self.refused(topic, now)
        return True


def _is_ours(topic: str) -> bool:
    return topic.startswith(f"{ROOT}/")
