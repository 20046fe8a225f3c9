"""What people do about alerts through the gateway: with an API key, or by the link that a message had.

Opening a link changes nothing, as chat programs open links to show what they lead to; acting is a POST. The token in
the address is the right to act, no cookie is, so another page cannot act in somebody's name. An action is answered
when every replica of Kafka has it, and has who did it on the audit topic; the notifier writes it down.
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from secrets import token_hex
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import parse_qsl

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from pipeline import audit
from pipeline.gateway.bodies import read_body
from pipeline.gateway.callers import Caller, Callers
from pipeline.gateway.limits import Budget, BusyError, Lease, Limits
from pipeline.gateway.pages.acting import answer_page
from pipeline.gateway.problems import ProblemError, unavailable
from pipeline.gateway.producer import AwayError, Producer, UncertainError
from pipeline.gateway.reading import Reader
from pipeline.gateway.records import Outgoing
from pipeline.gateway.signatures import Seen, unauthorized
from pipeline.keys.key import Right
from schemas.action import Action, By, Why, acknowledgement, silence
from schemas.catalogue import ACTIONS_TOPIC, AUDIT_TOPIC
from schemas.indicator import SHANGHAI
from schemas.places import place_label
from sinks.clickhouse.raw import DATABASE
from sinks.notify.facts import facts_of
from sinks.notify.words import rate_name, stream_name
from streams.action_links import Linked, LinkError, read_token

_BODY_BYTES: Final = 16 * 1024
_LENGTHS: Final = {"silence-1h": timedelta(hours=1), "silence-4h": timedelta(hours=4)}
_SIGNED: Final = '"by": "who acts", "why": "the reason"'
_GONE: Final = "告警已恢复或已是新一次告警，无需在此处理；请以最新消息为准。"


class Signed(BaseModel):
    """Who acts, and why."""

    model_config = ConfigDict(extra="forbid")

    by: By
    why: Why


class SignedUntil(Signed):
    """And until when."""

    until: Annotated[AwareDatetime, Field(strict=True)]


_FORMS: Final[dict[type[Signed], str]] = {
    Signed: f"{{{_SIGNED}}}",
    SignedUntil: f'{{{_SIGNED}, "until": "2026-11-26T08:00:00+08:00"}}',
}
Given = TypeVar("Given", bound=Signed)


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
        """POST /v1/alerts/{id}/ack. Raises ProblemError (400, 401, 403, 404, 408, 409, 413, 415, 429, 503)."""

        def made(given: Signed, alert: dict[str, Any], at: datetime) -> Action:
            if alert["state"] != "firing":
                raise ProblemError(
                    HTTPStatus.CONFLICT,
                    f"alert {alert_id[:80]} is {alert['state']}: only one that fires is acknowledged",
                )
            return acknowledgement(alert_id, alert["since"].astimezone(UTC), given.by, given.why, at, "api")

        action = await self._by_key(request, alert_id, "acknowledge", Signed, made)
        return _accepted(action, since=datetime.fromisoformat(action.matches["since"]).astimezone(SHANGHAI).isoformat())

    async def silence(self, request: Request, alert_id: str) -> Response:
        """POST /v1/alerts/{id}/silence. Raises ProblemError (400, 401, 403, 404, 408, 413, 415, 429, 503)."""

        def made(given: SignedUntil, _alert: dict[str, Any], at: datetime) -> Action:
            try:
                return silence({"alert_id": alert_id}, given.until, given.by, given.why, at, "api")
            except ValueError as error:
                raise ProblemError(HTTPStatus.BAD_REQUEST, f"until: {error}") from None

        action = await self._by_key(request, alert_id, "silence", SignedUntil, made)
        return _accepted(action, until=action.until)

    async def _by_key(
        self,
        request: Request,
        alert_id: str,
        right: Right,
        form: type[Given],
        made: Callable[[Given, dict[str, Any], datetime], Action],
    ) -> Action:
        """What whoever has the API key does, once it is durable."""
        caller = self._caller(request, right)
        lease = self._budget.lease()
        mark = None
        try:
            signature = self._callers.signature(caller, request.headers)
            body = await self._body(request, lease, signature.digest if signature else None)
            if signature is not None:
                mark = self._seen.take(signature)
            self._callers.charge(caller, 1)
            given = _read(form, body)
            alert = await self._alert(alert_id)
            if alert is None:
                raise ProblemError(
                    HTTPStatus.NOT_FOUND, f"there is no alert {alert_id[:80]}: use an alert_id of /v1/alerts"
                )
            action = made(given, alert, datetime.now(UTC))
            await self._store(action, f"key {caller.key_id} of {caller.producer}", lease)
        except ProblemError:
            self._seen.forget(mark)
            raise
        finally:
            lease.close()
        return action

    def _caller(self, request: Request, right: Right) -> Caller:
        """Who sends the request and may do this. Raises ProblemError (401, 403, 503)."""
        caller = self._callers.of_request(request.headers)
        if not caller.producer:
            raise unauthorized("who acts is told by an API key: send `Authorization: Bearer KEY`")
        if right not in caller.grant.may:
            raise ProblemError(
                HTTPStatus.FORBIDDEN,
                f"the API key {caller.key_id} may not {right}: use one that `yangguang keys create NAME --may {right}` "
                "made, or the link in the alert's message",
            )
        return caller

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
        return answer_page("处理告警", facts=_facts(alert), press=token_hex(16))

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
                    "处理告警",
                    "请填写姓名和原因后再提交。",
                    _facts(alert),
                    press=token_hex(16),
                    status=HTTPStatus.BAD_REQUEST,
                )
            await self._store(action, "link", lease)
        except ProblemError as problem:
            return _later(problem)
        finally:
            lease.close()
        done = {"acknowledged_by": action.by} if action.until is None else {"silenced_until": action.until}
        if action.until is None:
            said = f"已确认：{action.by} 正在处理，本次告警不再升级。"
        else:
            said = f"已静默至 {action.until.astimezone(SHANGHAI):%m-%d %H:%M}：期间不再发送本告警的消息。"
        return answer_page("已记录", said, _facts(alert | done), status=HTTPStatus.ACCEPTED)

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

    async def _store(self, action: Action, user: str, lease: Lease) -> None:
        """Has it on the audit topic and then on its own, each acknowledged by all replicas, as at the terminal.

        :param user: whose right to act it was; who acts says so himself."""
        what, why = f"alerts {action.action}", f"{action.by}: {action.why}"
        entry = audit.entry(what, action.alert_id, why, user=user, via=action.via)
        audited = Outgoing(AUDIT_TOPIC, what.encode(), entry.model_dump_json().encode())
        outgoing = Outgoing(ACTIONS_TOPIC, action.action_id.encode(), action.to_json())
        try:
            lease.take(audited.size() + outgoing.size())
            for one in (audited, outgoing):
                await self._producer.send([one], lease)
        except (AwayError, UncertainError, BusyError):
            raise unavailable("Kafka does not answer, so the action may not be stored: send it again") from None


def _action(given: dict[str, str], linked: Linked, at: datetime) -> Action:
    """What a form asks for. The same form that comes twice, from a second click or a page that was read again, is the
    same action. Raises ValueError."""
    by, why, wanted = given.get("by", ""), given.get("why", ""), given.get("do", "")
    if wanted == "acknowledge":
        action = acknowledgement(linked.alert_id, linked.since, by, why, at, "link")
    elif wanted in _LENGTHS:
        action = silence({"alert_id": linked.alert_id}, at + _LENGTHS[wanted], by, why, at, "link")
    else:
        raise ValueError(wanted)
    if not (press := given.get("press")):
        return action
    form = orjson.dumps([press, wanted, by, why, linked.alert_id, linked.since])
    return action.model_copy(update={"action_id": hashlib.sha256(form).hexdigest()[:32]})


def _read(form: type[Given], body: bytes) -> Given:
    try:
        return form.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(one) for one in first["loc"]) or "the body"
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"{name}: {first['msg']}: send {_FORMS[form]} as JSON") from None


def _accepted(action: Action, **more: Any) -> Response:
    body = orjson.dumps({"action_id": action.action_id, "alert_id": action.alert_id, **more})
    return Response(body, HTTPStatus.ACCEPTED, {"Cache-Control": "no-store"}, "application/json")


def _is_that_firing(alert: dict[str, Any], linked: Linked) -> bool:
    return bool(alert["state"] == "firing" and alert["since"] == linked.since)


def _facts(alert: dict[str, Any]) -> Sequence[tuple[str, str]]:
    states = {"firing": "告警中", "resolved": "已恢复", "pending": "观察中", "ok": "正常"}
    silenced = alert["silenced_until"]
    return [
        ("地点", place_label(alert["scope"], alert["scope_id"])),
        ("事项", rate_name(alert["indicator"], "zh")),
        *([("对象", about)] if (about := _about(alert)) else []),
        ("状态", states.get(alert["state"], alert["state"])),
        ("开始", f"{alert['since'].astimezone(SHANGHAI):%Y-%m-%d %H:%M}"),
        ("已确认", alert["acknowledged_by"] or "无"),
        *([("静默至", f"{silenced.astimezone(SHANGHAI):%m-%d %H:%M}")] if silenced else []),
    ]


def _about(alert: dict[str, Any]) -> str:
    """What it is about within its place: a business where one is known, a stream, an indicator, an id."""
    subject = str(alert["subject"])
    return str(facts_of(alert).get("operator_name") or rate_name(stream_name(subject, "zh"), "zh"))


def _later(problem: ProblemError) -> Response:
    return answer_page("暂时无法处理", "系统暂时没有响应，请稍后重试。", status=problem.status)
