"""Stand-ins of DingTalk, WeCom and Feishu, and a receiver of webhooks: real HTTP servers that are as strict as the
platforms say they are, and answer with their codes at HTTP 200. They check signatures by their own computation."""

import asyncio
import base64
import hashlib
import hmac
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web

TOKEN: Final = "a1b2c3d4e5f60718293a4b5c6d7e8f90"
SECRET: Final = "SEC0123456789abcdef"
HOUR: Final = 3600


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


class Platform:
    """What all three have in common: an address with a token, a rate, and what has been taken."""

    path = ""
    per_minute = 20

    def __init__(self, secret: str = "") -> None:
        self.secret = secret
        self.taken: list[dict[str, Any]] = []
        self.asked = 0
        self.answers: list[web.Response] = []
        """Given before anything is looked at."""
        self.clock: Callable[[], float] = time.monotonic
        self._moments: list[float] = []

    def url(self, server: str) -> str:
        """The robot's address."""
        return f"{server}{self.path}"

    def fast(self, most: int, seconds: float) -> bool:
        return len([one for one in self._moments if one > self.clock() - seconds]) > most

    async def handle(self, request: web.Request) -> web.Response:
        self.asked += 1
        self._moments.append(self.clock())
        raw = await request.read()
        if self.answers:
            return self.answers.pop(0)
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        answer = self.judge(request, body, raw)
        if not any(answer.get(key) for key in ("errcode", "code")):
            assert isinstance(body, dict)
            self.taken.append(body)
        return web.json_response(answer)

    def judge(self, request: web.Request, body: Any, raw: bytes) -> dict[str, Any]:
        raise NotImplementedError


class DingTalk(Platform):
    path = f"/robot/send?access_token={TOKEN}"

    def judge(self, request: web.Request, body: Any, raw: bytes) -> dict[str, Any]:
        def no(code: int, reason: str) -> dict[str, Any]:
            return {"errcode": code, "errmsg": reason}

        if request.query.get("access_token") != TOKEN:
            return no(300001, f"token is not exist: {request.query.get('access_token')}")
        if self.fast(self.per_minute, 60):
            return no(130101, "send too fast, exceed 20 times per minute")
        if self.secret and (wrong := self._wrong_sign(request.query)):
            return no(310000, wrong)
        if not isinstance(body, dict) or body.get("msgtype") != "markdown":
            return no(40035, "缺少参数 json")
        if not (body["markdown"].get("title") and body["markdown"].get("text")):
            return no(40035, "缺少参数 title 或 text")
        if len(raw) > 20_000:
            return no(460101, "message too long, exceed 20000 bytes")
        return no(0, "ok")

    def _wrong_sign(self, query: Mapping[str, str]) -> str:
        moment = query.get("timestamp", "")
        if not moment.isdigit() or abs(int(moment) / 1000 - time.time()) > HOUR:
            return "invalid timestamp"
        mac = hmac.new(self.secret.encode(), digestmod="sha256")
        mac.update(moment.encode() + b"\n" + self.secret.encode())
        right = base64.standard_b64encode(mac.digest()).decode()
        return "" if query.get("sign") == right else "sign not match"


class WeCom(Platform):
    path = f"/cgi-bin/webhook/send?key={TOKEN}"

    def __init__(self, secret: str = "", pictures: bool = True) -> None:
        super().__init__(secret)
        self.pictures = pictures

    def judge(self, request: web.Request, body: Any, raw: bytes) -> dict[str, Any]:
        del raw

        def no(code: int, reason: str) -> dict[str, Any]:
            return {"errcode": code, "errmsg": reason}

        if request.query.get("key") != TOKEN:
            return no(93000, f"invalid webhook url, key {request.query.get('key')}")
        if self.fast(self.per_minute, 60):
            return no(45009, "api freq out of limit")
        kind = body.get("msgtype") if isinstance(body, dict) else None
        if kind == "image" and self.pictures:
            png = base64.b64decode(body["image"]["base64"], validate=True)
            return no(0, "ok") if hashlib.md5(png).hexdigest() == body["image"]["md5"] else no(301019, "md5")
        if kind != "markdown":
            return no(40008, "invalid message type")
        if len(body["markdown"]["content"].encode("utf-8")) > 4096:
            return no(40058, "markdown.content exceed max length 4096")
        return no(0, "ok")


class Feishu(Platform):
    path = f"/open-apis/bot/v2/hook/{TOKEN}"
    per_minute = 100

    def judge(self, request: web.Request, body: Any, raw: bytes) -> dict[str, Any]:
        def no(code: int, reason: str) -> dict[str, Any]:
            return {"code": code, "msg": reason, "data": {}}

        if request.match_info["path"] != self.path.lstrip("/"):
            return no(19001, f"param invalid: incoming webhook access token invalid {request.path}")
        if self.fast(self.per_minute, 60) or self.fast(5, 1):
            return no(11232, "frequency limited")
        if not isinstance(body, dict):
            return no(9499, "Bad Request")
        if self.secret:
            moment = str(body.get("timestamp", ""))
            if not moment.isdigit() or abs(int(moment) - time.time()) > HOUR:
                return no(19021, "sign match fail or timestamp is not within one hour from current time")
            mac = hmac.new(moment.encode() + b"\n" + self.secret.encode(), digestmod="sha256")
            if body.get("sign") != base64.standard_b64encode(mac.digest()).decode():
                return no(19021, "sign match fail or timestamp is not within one hour from current time")
        if body.get("msg_type") != "interactive" or not body["card"]["elements"]:
            return no(19002, "params error, msg_type need")
        if len(raw) > 20_000:
            return no(11246, "message too long")
        return {"code": 0, "msg": "success", "data": {}, "StatusCode": 0, "StatusMessage": "success"}


class Receiver:
    """Takes webhooks, and answers what it is told to; `hang` never answers."""

    def __init__(self, *answers: web.Response, hang: bool = False) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.hang = hang
        self._answers = list(answers)

    async def handle(self, request: web.Request) -> web.Response:
        self.requests.append((dict(request.headers), await request.read()))
        if self.hang:
            await asyncio.Event().wait()
        return self._answers.pop(0) if self._answers else web.Response(status=204)


@asynccontextmanager
async def served(one: Platform | Receiver) -> AsyncIterator[str]:
    """The address of a server on a free port."""
    app = web.Application(client_max_size=4 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", one.handle)  # whoever follows a redirect comes with GET
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
