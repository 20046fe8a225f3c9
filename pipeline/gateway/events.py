"""POST of events: nothing is answered 202 before all replicas have it, and nothing that arrives is lost."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from pipeline.gateway.answers import outcome
from pipeline.gateway.binary import attributes_of, is_binary
from pipeline.gateway.bodies import read_body
from pipeline.gateway.callers import Caller, Callers
from pipeline.gateway.intake import Intake, Message, TooManyError
from pipeline.gateway.items import MEDIA_TYPES, Form, NotEventsError, form_of
from pipeline.gateway.judge import Passed
from pipeline.gateway.limits import Budget, BusyError, Lease, Limits
from pipeline.gateway.problems import ProblemError, unavailable
from pipeline.gateway.producer import AwayError, UncertainError
from pipeline.gateway.signatures import Seen
from pipeline.vendors import Vendor
from streams.rejects import Door

_NOTHING_STORED: Final = "nothing of the request is stored: send it again"


class Events:
    """Takes the requests of one process."""

    def __init__(
        self, intake: Intake, callers: Callers, vendors: Mapping[str, Vendor], limits: Limits, budget: Budget
    ) -> None:
        self._intake = intake
        self._callers = callers
        self._vendors = vendors
        self._limits = limits
        self._budget = budget
        self._seen = Seen()

    async def post(self, request: Request, vendor: str | None = None) -> Response:
        """The answer to one request. Raises ProblemError for every answer but 200, 202, 207 and 422.

        :param vendor: the mapping that makes events of what is sent; None where events are sent.
        """
        caller = self._callers.of_request(request.headers)
        lease = self._budget.lease()
        mark = None
        answered = False
        try:
            mapping = self._vendor(vendor)
            message, mark = await self._message(request, caller, mapping, lease)
            passed: list[Passed] = []
            if mapping is None:
                judged = await self._intake.judge(message, lease)
            else:
                judged, passed = await self._intake.judge_vendors(message, mapping, lease)
            self._callers.charge(caller, len(judged))
            answer = outcome(await self._intake.store(judged, lease, passed))
            answered = True
            return answer
        except (NotEventsError, TooManyError) as error:
            too_many = isinstance(error, TooManyError)
            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE if too_many else HTTPStatus.BAD_REQUEST
            raise ProblemError(status, str(error)) from None
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
            if not answered:
                self._seen.forget(mark)

    def _vendor(self, name: str | None) -> Vendor | None:
        if name is None:
            return None
        if name not in self._vendors:
            known = ", ".join(self._vendors) or "none"
            raise ProblemError(
                HTTPStatus.NOT_FOUND, f"there is no vendor {name[:80]}: yangguang.toml names these: {known}"
            )
        return self._vendors[name]

    async def _message(
        self, request: Request, caller: Caller, vendor: Vendor | None, lease: Lease
    ) -> tuple[Message, bytes | None]:
        """The request's message, and the mark of its signature where it is signed."""
        content_type = request.headers.get("content-type", "")
        attributes = {} if vendor else attributes_of(request.headers.raw)
        form = form_of(content_type, is_binary(attributes))
        if form is None:
            raise ProblemError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"Content-Type is {content_type[:80] or 'missing'}: send UTF-8 as one of {', '.join(MEDIA_TYPES)}",
                {"Accept": ", ".join(MEDIA_TYPES)},
            )
        signature = self._callers.signature(caller, request.headers)
        if signature is not None and form is Form.BINARY:
            raise ProblemError(
                HTTPStatus.BAD_REQUEST, "a signature does not cover ce- headers: send signed events in structured mode"
            )
        body = await read_body(request, self._limits, lease, signature.digest if signature else None)
        mark = self._seen.take(signature) if signature else None
        door = Door("http", caller.producer, vendor.name if vendor else "")
        return Message(body, form, door, [caller.grant], content_type, attributes), mark
