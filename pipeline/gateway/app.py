"""The gateway's routes, and what lives as long as the application: the producer and the reader."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import orjson
from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from pipeline.gateway.acting import Acting
from pipeline.gateway.background import background, ended
from pipeline.gateway.callers import Access, Callers
from pipeline.gateway.dashboard import page
from pipeline.gateway.entrance import Entrance
from pipeline.gateway.events import Events
from pipeline.gateway.intake import Intake
from pipeline.gateway.limits import Budget, Limits
from pipeline.gateway.mqtt import MqttDoor, MqttOptions
from pipeline.gateway.own import own_rejected_answer
from pipeline.gateway.pages import add_pages
from pipeline.gateway.problems import ProblemError, problem
from pipeline.gateway.producer import Producer
from pipeline.gateway.reading import ALERT_FLAGS, Reader, filters_of, flags_of
from pipeline.keys.ring import KeyRing
from pipeline.vendors import Vendor
from schemas.json_schema import event_schemas
from sinks.clickhouse.address import Address
from streams.action_links import link_key
from streams.kafka_address import KafkaAddress

_RATE_FILTERS: Final = ("indicator", "scope", "scope_id", "window", "status")
_ALERT_FILTERS: Final = ("state", "kind", "indicator", "scope", "scope_id", *ALERT_FLAGS)
_RATE_ORDER: Final = ("indicator", "scope", "scope_id", "window")
_ALERT_ORDER: Final = ("since", "alert_id")


class Options(NamedTuple):
    """All that a gateway is told by the settings."""

    kafka: KafkaAddress
    clickhouse: Address
    """With the user that may only read."""
    access: Access = Access()
    vendors: Mapping[str, Vendor] = {}  # never written to
    limits: Limits = Limits()
    mqtt: MqttOptions | None = None
    """None: there is no door for MQTT."""


def create_gateway(options: Options) -> FastAPI:
    """The application. Kafka and ClickHouse are waited for while it runs; until then /readyz and those who need them
    are told 503."""
    gateway = _Gateway(options)
    app = FastAPI(
        title="yangguang gateway",
        lifespan=gateway.lifespan,
        openapi_url=None,  # these have pages of our own
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # it would lead to whatever host the request names
        exception_handlers={ProblemError: _answer_problem, HTTPException: _answer_http, Exception: _answer_bug},
    )
    app.state.gateway = gateway
    app.add_middleware(Entrance, limits=options.limits)
    app.add_api_route("/v1/events", gateway.events, methods=["POST"], response_class=Response)
    app.add_api_route("/v1/vendors/{name}", gateway.vendor_messages, methods=["POST"], response_class=Response)
    app.add_api_route("/v1/rates", gateway.rates, response_class=Response)
    app.add_api_route("/v1/alerts", gateway.alerts, response_class=Response)
    for path, acted in (("ack", gateway.acknowledge), ("silence", gateway.silence)):  # an alert of a source has slashes
        app.add_api_route(f"/v1/alerts/{{alert_id:path}}/{path}", acted, methods=["POST"], response_class=Response)
    app.add_api_route("/a/{token}", gateway.show_link, response_class=Response, include_in_schema=False)
    app.add_api_route("/a/{token}", gateway.act, methods=["POST"], response_class=Response, include_in_schema=False)
    app.add_api_route("/v1/rejected", gateway.rejected, response_class=Response)
    app.add_api_route("/v1/schemas", gateway.schemas, response_class=Response)
    app.add_api_route("/v1/schemas/{kind}", gateway.schema, response_class=Response)
    app.add_api_route("/", gateway.dashboard, response_class=Response, include_in_schema=False)
    app.add_api_route("/healthz", gateway.healthz, response_class=Response)
    app.add_api_route("/readyz", gateway.readyz, response_class=Response)
    add_pages(app, options.limits, authentication=options.access.required)
    return app


class _Gateway:
    def __init__(self, options: Options) -> None:
        self._options = options
        self._mqtt: MqttDoor | None = None
        self._schemas = event_schemas()
        self._page = page()

    @asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        options = self._options
        self._producer = Producer(options.kafka, options.limits)
        self._reader = Reader(options.clickhouse)
        self._ring = KeyRing(options.kafka)
        self._callers = Callers(self._ring, options.access)
        intake, budget = Intake(self._producer, options.limits), Budget(options.limits.held_bytes)
        self._events = Events(intake, self._callers, options.vendors, options.limits, budget)
        links = link_key(options.access.signing_key)
        self._acting = Acting(self._producer, self._reader, self._callers, links, options.limits, budget)
        self._producer.start()
        self._reader.start()
        if options.mqtt is not None:
            self._mqtt = MqttDoor(options.mqtt, intake, self._callers, self._ring, options.limits, budget)
            self._mqtt.start()
        following = background(self._ring.follow(), "following the API keys")
        try:
            yield
        finally:
            if self._mqtt is not None:
                await self._mqtt.stop()
            await asyncio.gather(ended(following), self._reader.stop(), self._producer.stop())

    @property
    def left(self) -> bool:
        """Whether it was to leave the MQTT broker, and has."""
        return self._mqtt is not None and self._mqtt.left

    def hurry(self, seconds: float) -> None:
        """The gateway is about to end: requests that wait for Kafka are answered within so many seconds."""
        if self._mqtt is not None:
            self._mqtt.hurry()
        self._producer.hurry(seconds)

    async def events(self, request: Request) -> Response:
        """Takes one event, a list of events, one event a line, or an event in binary mode."""
        return await self._events.post(request)

    async def vendor_messages(self, request: Request, name: str) -> Response:
        """Takes a vendor's own messages, of which the mapping of that name makes events."""
        return await self._events.post(request, name)

    async def rates(self, request: Request) -> Response:
        """Every rate as it is now: view rates_now."""
        filters = filters_of(request.query_params.multi_items(), _RATE_FILTERS)
        return _json({"rates": await self._reader.select("rates_now", filters, _RATE_ORDER)})

    async def alerts(self, request: Request) -> Response:
        """Every alert in its present state: view alerts."""
        filters = filters_of(request.query_params.multi_items(), _ALERT_FILTERS)
        flags = flags_of(filters, ALERT_FLAGS)
        return _json({"alerts": await self._reader.select("alerts", filters, _ALERT_ORDER, flags)})

    async def acknowledge(self, request: Request, alert_id: str) -> Response:
        """Acknowledges the firing of an alert."""
        return await self._acting.acknowledge(request, alert_id)

    async def silence(self, request: Request, alert_id: str) -> Response:
        """Silences an alert."""
        return await self._acting.silence(request, alert_id)

    async def show_link(self, token: str) -> Response:
        """The page behind the link of a message."""
        return await self._acting.show(token)

    async def act(self, request: Request, token: str) -> Response:
        """Does what was chosen on that page."""
        return await self._acting.act(request, token)

    async def rejected(self, request: Request) -> Response:
        """The refused events of the producer whose API key is sent."""
        return await own_rejected_answer(request, self._callers.of_request(request.headers), self._reader)

    async def schemas(self) -> Response:
        """JSON Schema of every event type."""
        return _json({"schemas": self._schemas})

    async def schema(self, kind: str) -> Response:
        """JSON Schema of one event type."""
        if kind not in self._schemas:
            raise ProblemError(
                HTTPStatus.NOT_FOUND, f"there is no event type {kind[:80]}: use one of {', '.join(self._schemas)}"
            )
        return _json(self._schemas[kind])

    async def dashboard(self) -> Response:
        """The page for people."""
        return self._page

    async def healthz(self) -> Response:
        """The process lives."""
        return _json({"status": "alive"})

    async def readyz(self) -> Response:
        """Kafka and ClickHouse answer, and the MQTT broker where there is one."""
        parts = {
            "kafka": self._producer.ready,
            "keys": self._ring.loaded.is_set(),
            "clickhouse": self._reader.ready,
            **({} if self._mqtt is None else {"mqtt": self._mqtt.ready}),
        }
        missing = [name for name, ready in parts.items() if not ready]
        body = {"status": "waiting" if missing else "ready", "missing": missing}
        return _json(body, HTTPStatus.SERVICE_UNAVAILABLE if missing else HTTPStatus.OK)


def _json(body: Any, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Moments as ISO 8601 with their offset."""
    return Response(orjson.dumps(body), status.value, {"Cache-Control": "no-store"}, "application/json")


async def _answer_problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return error.response()


async def _answer_http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem(HTTPStatus(error.status_code), str(error.detail), error.headers)


async def _answer_bug(_request: Request, _error: Exception) -> Response:
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "this is a fault of the gateway; its log says more")
