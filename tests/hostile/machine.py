"""Sends attempts over several connections at once, and holds each answer to the rules."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Final, NamedTuple

from tests.hostile.answers import Answer, NotHttpError, read_answer
from tests.hostile.attempts import attempt as made
from tests.hostile.requests import Attempt, Keys
from tests.hostile.rules import Accepted, BrokenRuleError, check

CONNECTIONS: Final = 24
_ANSWER_SECONDS: Final = 60.0
_QUIET_SECONDS: Final = 0.03
_END_SECONDS: Final = 30.0
_HEAD_MAX: Final = 1 << 16
_SHOWN: Final = 3000


class FaultError(AssertionError):
    """The gateway did what it should never do."""


class Tried(NamedTuple):
    """What came of many attempts."""

    accepted: list[Accepted]
    rejected: int
    statuses: Counter[int]
    kinds: Counter[str]
    """Attempts of each kind."""


class Machine:
    """The client. One and the same seed makes the same attempts."""

    def __init__(self, port: int, seed: str, keys: Keys) -> None:
        self._port = port
        self._seed = seed
        self._keys = keys

    async def run(self, numbers: range, tick: Callable[[int], None] = lambda _: None) -> Tried:
        """Makes these attempts. Raises FaultError.

        :param tick: is called after each attempt with the number of those that are done.
        """
        tried = Tried([], 0, Counter(), Counter())
        rejected = 0
        left = iter(numbers)

        async def work() -> None:
            nonlocal rejected
            line = _Line(self._port)
            try:
                for number in left:
                    attempt = made(self._seed, number, self._keys)
                    tried.kinds[attempt.kind] += 1
                    for answer in await self._answers(line, number, attempt):
                        tried.statuses[answer.status] += 1
                        told = self._held(number, attempt, answer)
                        tried.accepted.extend(told[0])
                        rejected += told[1]
                    tick(tried.kinds.total())
            finally:
                line.close()

        tasks = [asyncio.create_task(work()) for _ in range(CONNECTIONS)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        return tried._replace(rejected=rejected)

    async def _answers(self, line: "_Line", number: int, attempt: Attempt) -> list[Answer]:
        ask: Callable[[Attempt], Awaitable[list[Answer]]] = line.ended if attempt.answers is None else line.answered
        try:
            return await ask(attempt)
        except TimeoutError:
            raise self._fault(number, attempt, "no answer and no end of the connection") from None
        except (NotHttpError, OSError) as error:
            raise self._fault(number, attempt, str(error)) from error

    def _held(self, number: int, attempt: Attempt, answer: Answer) -> tuple[list[Accepted], int]:
        try:
            return check(attempt, answer)
        except BrokenRuleError as error:
            got = f"{error}: {answer.status} {answer.headers} {answer.body[:_SHOWN]!r}"
            raise self._fault(number, attempt, got) from error

    def _fault(self, number: int, attempt: Attempt, why: str) -> FaultError:
        shown = f"{attempt.raw[:_SHOWN]!r}{'...' if len(attempt.raw) > _SHOWN else ''} ({len(attempt.raw)} bytes)"
        again = f"HOSTILE_SEED={self._seed} HOSTILE_FIRST={number} HOSTILE_INPUTS=1 make fuzz"
        return FaultError(
            f"attempt {number} of seed {self._seed}, {attempt.kind}: {why}\nsent: {shown}\nagain: {again}"
        )


class _Line:
    """One connection after the other."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def answered(self, attempt: Attempt) -> list[Answer]:
        """As many answers as there have to be; on the connection of the attempt before, where that is still open.

        Raises TimeoutError, NotHttpError and OSError."""
        fresh = self._writer is None
        reader, writer = await self._open()
        assert attempt.answers is not None
        answers: list[Answer] = []
        async with asyncio.timeout(_ANSWER_SECONDS):
            writer.write(attempt.raw)
            while len(answers) < attempt.answers:
                answer = await self._next(reader, attempt, fresh)
                if answer is None:  # an open connection may be closed at any time between two requests
                    self.close()
                    return await self.answered(attempt)
                answers.append(answer)
        if answers[-1].closes:
            self.close()
        return answers

    @staticmethod
    async def _next(reader: asyncio.StreamReader, attempt: Attempt, fresh: bool) -> Answer | None:
        try:
            answer = await read_answer(reader, attempt.bodyless)
        except ConnectionResetError:
            answer = None
        if answer is None and fresh:
            raise NotHttpError("the connection has ended without an answer")
        return answer

    async def ended(self, attempt: Attempt) -> list[Answer]:
        """All answers until the connection ends, which it has to do when nothing more is sent.

        Raises TimeoutError and NotHttpError."""
        self.close()
        reader, writer = await self._open()
        got, torn = bytearray(), False
        try:
            writer.write(attempt.raw)
            with suppress(TimeoutError):
                await _read(reader, got, _QUIET_SECONDS, each=True)
            writer.write_eof()
            await _read(reader, got, _END_SECONDS)
        except OSError as error:  # who breaks off may be broken off
            torn = not isinstance(error, TimeoutError)
            if not torn:
                raise
        finally:
            self.close()
        return await _all_answers(bytes(got), torn)

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._reader is None or self._writer is None or self._writer.is_closing() or self._reader.at_eof():
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=_HEAD_MAX)
        return self._reader, self._writer

    def close(self) -> None:
        """Leaves the connection at once."""
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None


async def _read(reader: asyncio.StreamReader, got: bytearray, seconds: float, each: bool = False) -> None:
    """Adds what comes until the end. Raises TimeoutError after so many seconds, with `each` of silence."""
    async with asyncio.timeout(seconds) as limit:
        while piece := await reader.read(_HEAD_MAX):
            got += piece
            if each:
                limit.reschedule(asyncio.get_running_loop().time() + seconds)


async def _all_answers(got: bytes, torn: bool) -> list[Answer]:
    reader = asyncio.StreamReader(limit=_HEAD_MAX)
    reader.feed_data(got)
    reader.feed_eof()
    answers: list[Answer] = []
    try:
        while (answer := await read_answer(reader)) is not None:
            answers.append(answer)
    except NotHttpError:
        if not torn:
            raise
    return answers


def batches(first: int, inputs: int, size: int) -> Iterator[range]:
    """The numbers of attempts in batches."""
    for begin in range(first, first + inputs, size):
        yield range(begin, min(begin + size, first + inputs))
