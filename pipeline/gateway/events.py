"""POST /v1/events: nothing is answered 202 before all replicas have it, and nothing that arrives is lost."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from pipeline.gateway.answers import outcome
from pipeline.gateway.binary import attributes_of, is_binary, structured
from pipeline.gateway.bodies import read_body
from pipeline.gateway.items import MEDIA_TYPES, BrokenTextError, Form, NotEventsError, form_of, items
from pipeline.gateway.judge import Judge, Judged, refused
from pipeline.gateway.limits import Budget, BusyError, Lease, Limits
from pipeline.gateway.problems import ProblemError, unavailable
from pipeline.gateway.producer import AwayError, Producer, UncertainError
from schemas.event import latest_acceptable
from schemas.reject import Reason, Rejection

Item = TypeVar("Item")

_PAUSE_EVERY: Final = 100
_NOTHING_STORED: Final = "nothing of the request is stored: send it again"


class Intake:
    """Takes the requests of one process."""

    def __init__(self, producer: Producer, limits: Limits) -> None:
        self._producer = producer
        self._limits = limits
        self._judge = Judge()
        self._budget = Budget(limits.held_bytes)

    async def post(self, request: Request) -> Response:
        """The answer to one request. Raises ProblemError for every answer but 202, 207 and 422."""
        lease = self._budget.lease()
        try:
            judged = await self._judged(request, lease)
            lease.take(sum(one.outgoing.size() for one in judged))
            stored = await self._producer.send([one.outgoing for one in judged], lease)
            return outcome(judged, stored)
        except BusyError:
            raise unavailable(f"the gateway holds as many events as it may; {_NOTHING_STORED}") from None
        except AwayError:
            raise unavailable(f"Kafka does not answer; {_NOTHING_STORED}") from None
        except UncertainError:
            raise unavailable(
                f"Kafka did not acknowledge everything within {self._limits.acknowledge_seconds:g} s; events of the "
                "request may or may not be stored: send it again, what was stored already counts once"
            ) from None
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody reads it
        finally:
            lease.close()

    async def _judged(self, request: Request, lease: Lease) -> list[Judged]:
        attributes = attributes_of(request.headers.raw)
        content_type = request.headers.get("content-type", "")
        form = form_of(content_type, is_binary(attributes))
        if form is None:
            raise ProblemError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"Content-Type is {content_type[:80] or 'missing'}: send UTF-8 as one of {', '.join(MEDIA_TYPES)}",
                {"Accept": ", ".join(MEDIA_TYPES)},
            )
        body = await read_body(request, self._limits, lease)
        if form is Form.BINARY:
            return [self._binary(attributes, content_type, body)]
        latest = latest_acceptable(datetime.now(UTC))
        try:
            texts = [one async for one in self._few_enough(items(form, body))]
        except NotEventsError as error:
            raise ProblemError(HTTPStatus.BAD_REQUEST, str(error)) from None
        except BrokenTextError as error:
            return [self._kept(refused(body, Rejection(Reason.NOT_JSON, f": {error}")))]
        return [self._kept(self._judge.judge(one, latest)) async for one in _in_turns(iter(texts))]

    def _binary(self, attributes: dict[str, str], content_type: str, body: bytes) -> Judged:
        raw, rejection = structured(attributes, content_type, body)
        if rejection is not None:
            return self._kept(refused(raw, rejection))
        return self._kept(self._judge.judge(raw, latest_acceptable(datetime.now(UTC))))

    async def _few_enough(self, texts: Iterator[bytes]) -> AsyncIterator[bytes]:
        """Raises ProblemError at the event that is one too many."""
        number = 0
        async for one in _in_turns(texts):
            number += 1
            if number > self._limits.events:
                raise ProblemError(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    f"the request has more than {self._limits.events} events: send fewer a request",
                )
            yield one

    def _kept(self, judged: Judged) -> Judged:
        """A refused item as the topic of the rejected takes it: what is greater is cut, and its reason says so."""
        greatest = self._producer.raw_bytes
        if judged.rejection is None or len(judged.outgoing.value) <= greatest:
            return judged
        rejection = judged.rejection
        note = f"{rejection.detail[:400]}; only the first {greatest} bytes of it are kept"
        return refused(judged.outgoing.value[:greatest], rejection._replace(detail=note))


async def _in_turns(values: Iterator[Item]) -> AsyncIterator[Item]:
    """The values, with a turn for other requests after every hundred."""
    for number, value in enumerate(values, 1):
        yield value
        if not number % _PAUSE_EVERY:
            await asyncio.sleep(0)
