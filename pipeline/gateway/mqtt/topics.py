"""Topics: where events are taken from, and where answers may go. Pure."""

from typing import Final, NamedTuple

from pipeline.keys.key import SHORT_STREAMS
from schemas.catalogue import STREAMS

ROOT: Final = "yangguang/v1"
SUBSCRIPTION: Final = f"{ROOT}/+/+"
"""What one gateway takes: everything."""
SHARED_SUBSCRIPTION: Final = f"$share/yangguang/{SUBSCRIPTION}"
"""What several take between them: each message goes to one of them."""
ANSWERS: Final = "answers"
_OURS: Final = ROOT.partition("/")[0]


class Sent(NamedTuple):
    """What the topic of a message says."""

    word: str
    """What stands where the stream's name should."""
    producer: str
    """Whom the broker let publish there; the broker's own rules have to see to it that it was nobody else."""

    @property
    def stream(self) -> str | None:
        """The stream, by its short or its full name; None where there is none of that name."""
        return SHORT_STREAMS.get(self.word) or (self.word if self.word in STREAMS else None)

    @property
    def is_answer(self) -> bool:
        """Whether it is an answer of a gateway: the subscription has those too, as it takes streams of any name."""
        return self.word == ANSWERS


def sent_to(topic: str) -> Sent:
    """What a topic that the subscription takes says."""
    word, _, producer = topic.removeprefix(f"{ROOT}/").partition("/")
    return Sent(word, producer)


def usual_answers(producer: str) -> str:
    """Where a producer is answered that does not say where."""
    return f"{ROOT}/{ANSWERS}/{producer}"


def answer_topic(wanted: str, producer: str) -> str:
    """Where a message of the producer is answered: on the response topic that it wanted, where that is fit for it.

    Under our own root only the producer's answers are: an event's topic would make a loop of answers to answers, and
    another producer's could be told that its events were taken."""
    usual = usual_answers(producer)
    ours = wanted.split("/", 1)[0] == _OURS
    if not wanted or not wanted.isprintable() or wanted.startswith("$") or "+" in wanted or "#" in wanted:
        return usual
    if ours and wanted != usual and not wanted.startswith(f"{usual}/"):
        return usual
    return wanted
