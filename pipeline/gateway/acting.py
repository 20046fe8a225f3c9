"""What people do about alerts through the gateway: with an API key, or by the link that a message had.

Opening a link changes nothing, as chat programs open links to show what they lead to; acting is a POST. The token in
the address is the right to act, no cookie is, so another page cannot act in somebody's name. An action is answered
when every replica of Kafka has it; the notifier writes it down.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from pipeline.gateway.bodies import read_body
from pipeline.gateway.callers import Callers
from pipeline.gateway.limits import Budget, BusyError, Lease, Limits
from pipeline.gateway.pages.acting import answer_page
from pipeline.gateway.problems import ProblemError, unavailable
from pipeline.gateway.producer import AwayError, Producer, UncertainError
from pipeline.gateway.reading import Reader
from pipeline.gateway.records import Outgoing
from pipeline.gateway.signatures import Seen, unauthorized
from schemas.action import Action, By, Why, acknowledgement, silence
from schemas.catalogue import ACTIONS_TOPIC
from schemas.indicator import SHANGHAI
from schemas.indicators import CATALOGUE
from schemas.places import place_label
from sinks.clickhouse.raw import DATABASE
from sinks.notify.words import NAMES
from streams.action_links import Linked, LinkError, read_token

_BODY_BYTES: Final = 16 * 1024
_LENGTHS: Final = {"silence-1h": timedelta(hours=1), "silence-4h": timedelta(hours=4)}
_GONE: Final = "告警已恢复或已是新一次告警，无需在此处理；请以最新消息为准。"


class Signed(BaseModel):
    """Who acts, and why."""

    model_config = ConfigDict(extra="forbid")

    by: By
    why: Why


class Acting:
    """Takes acknowledgements and silences."""

    def __init__(
        self, producer: Producer, reader: Reader, callers: Callers, key: bytes, limits: Limits, budget: Budget
    ) -> None:
        self._producer = producer
        self._reader = reader
        self._callers = callers
        self._key = key
        self._limits = limits._replace(body_bytes=_BODY_BYTES)
        self._budget = budget
        self._seen = Seen()

    async def acknowledge(self, request: Request, alert_id: str) -> Response:
        """POST /v1/alerts/{id}/ack. Raises ProblemError (400, 401, 404, 408, 409, 413, 415, 503)."""
        caller = self._callers.of_request(request.headers)
        if not caller.producer:
            raise unauthorized("who acts is told by an API key: send `Authorization: Bearer KEY`")
        lease = self._budget.lease()
        mark = None
        try:
            signature = self._callers.signature(caller, request.headers)
            body = await self._body(request, lease, signature.digest if signature else None)
            if signature is not None:
                mark = self._seen.take(signature)
            self._callers.charge(caller, 1)
            try:
                signed = Signed.model_validate_json(body)
            except ValidationError as error:
                first = error.errors()[0]
                name = ".".join(str(one) for one in first["loc"]) or "the body"
                raise ProblemError(
                    HTTPStatus.BAD_REQUEST,
                    f'{name}: {first["msg"]}: send {{"by": "who acts", "why": "the reason"}} as JSON',
                ) from None
            alert = await self._alert(alert_id)
            if alert is None:
                raise ProblemError(
                    HTTPStatus.NOT_FOUND, f"there is no alert {alert_id[:80]}: use an alert_id of /v1/alerts"
                )
            if alert["state"] != "firing":
                raise ProblemError(
                    HTTPStatus.CONFLICT,
                    f"alert {alert_id[:80]} is {alert['state']}: only one that fires is acknowledged",
                )
            since = alert["since"].astimezone(UTC)
            action = acknowledgement(alert_id, since, signed.by, signed.why, datetime.now(UTC), "api")
            await self._store(action, lease)
        except ProblemError:
            self._seen.forget(mark)
            raise
        finally:
            lease.close()
        body = orjson.dumps({"action_id": action.action_id, "alert_id": alert_id, "since": since})
        return Response(body, HTTPStatus.ACCEPTED, {"Cache-Control": "no-store"}, "application/json")

    async def show(self, token: str) -> Response:
        """GET /a/{token}: the page. Nothing happens by it."""
        linked = self._linked(token)
        if isinstance(linked, Response):
            return linked
        try:
            alert = await self._alert(linked.alert_id)
        except ProblemError as problem:
            return _later(problem)
        if alert is None or not _is_that_firing(alert, linked):
            return answer_page("告警已结束", _GONE, facts=_facts(alert) if alert else ())
        return answer_page("处理告警", facts=_facts(alert), form=True)

    async def act(self, request: Request, token: str) -> Response:
        """POST /a/{token}: does what the button says."""
        linked = self._linked(token)
        if isinstance(linked, Response):
            return linked
        lease = self._budget.lease()
        try:
            body = await self._body(request, lease)
            given = dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=10))
            alert = await self._alert(linked.alert_id)
            if alert is None or not _is_that_firing(alert, linked):
                return answer_page(
                    "告警已结束", _GONE, facts=_facts(alert) if alert else (), status=HTTPStatus.CONFLICT
                )
            try:
                action = _action(given, linked, datetime.now(UTC))
            except ValueError:
                return answer_page(
                    "处理告警", "请填写姓名和原因后再提交。", _facts(alert), form=True, status=HTTPStatus.BAD_REQUEST
                )
            await self._store(action, lease)
        except ProblemError as problem:
            return _later(problem)
        finally:
            lease.close()
        if action.until is None:
            said = f"已确认：{action.by} 正在处理，本次告警不再升级。"
        else:
            said = f"已静默至 {action.until.astimezone(SHANGHAI):%m-%d %H:%M}：期间不再发送本告警的消息。"
        return answer_page("已记录", said, _facts(alert), status=HTTPStatus.ACCEPTED)

    def _linked(self, token: str) -> Linked | Response:
        try:
            return read_token(token, self._key, datetime.now(UTC))
        except LinkError as error:
            if error.expired:
                return answer_page("链接已过期", "请打开最新的告警消息，或请值班人员处理。", status=HTTPStatus.GONE)
            return answer_page("链接无效", "请从告警消息中重新打开链接。", status=HTTPStatus.FORBIDDEN)

    async def _body(self, request: Request, lease: Lease, digest: Any = None) -> bytes:
        try:
            return await read_body(request, self._limits, lease, digest)
        except BusyError:
            raise unavailable("the gateway holds as many bytes as it may: send it again") from None
        except ClientDisconnect:
            raise ProblemError(HTTPStatus.BAD_REQUEST, "the connection ended before the body: send it again") from None

    async def _alert(self, alert_id: str) -> dict[str, Any] | None:
        sql = f"SELECT * FROM {DATABASE}.alerts WHERE alert_id = {{id:String}}"
        rows = await self._reader.ask("alerts", sql, {"id": alert_id})
        return rows[0] if rows else None

    async def _store(self, action: Action, lease: Lease) -> None:
        outgoing = Outgoing(ACTIONS_TOPIC, action.action_id.encode(), action.to_json())
        try:
            lease.take(outgoing.size())
            await self._producer.send([outgoing], lease)
        except (AwayError, UncertainError, BusyError):
            raise unavailable("Kafka does not answer, so the action may not be stored: send it again") from None


def _action(given: dict[str, str], linked: Linked, at: datetime) -> Action:
    by, why, wanted = given.get("by", ""), given.get("why", ""), given.get("do", "")
    if wanted == "acknowledge":
        return acknowledgement(linked.alert_id, linked.since, by, why, at, "link")
    if wanted not in _LENGTHS:
        raise ValueError(wanted)
    return silence({"alert_id": linked.alert_id}, at + _LENGTHS[wanted], by, why, at, "link")


def _is_that_firing(alert: dict[str, Any], linked: Linked) -> bool:
    return bool(alert["state"] == "firing" and alert["since"] == linked.since)


def _facts(alert: dict[str, Any]) -> Sequence[tuple[str, str]]:
    states = {"firing": "告警中", "resolved": "已恢复", "pending": "观察中", "ok": "正常"}
    silenced = alert["silenced_until"]
    return [
        ("地点", place_label(alert["scope"], alert["scope_id"])),
        ("事项", _name(alert["indicator"])),
        ("状态", states.get(alert["state"], alert["state"])),
        ("开始", f"{alert['since'].astimezone(SHANGHAI):%Y-%m-%d %H:%M}"),
        ("已确认", alert["acknowledged_by"] or "无"),
        *([("静默至", f"{silenced.astimezone(SHANGHAI):%m-%d %H:%M}")] if silenced else []),
    ]


def _name(code: str) -> str:
    return NAMES[code].zh if code in NAMES else CATALOGUE[code].name_zh if code in CATALOGUE else code


def _later(problem: ProblemError) -> Response:
    return answer_page("暂时无法处理", "系统暂时没有响应，请稍后重试。", status=problem.status)
