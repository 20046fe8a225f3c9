"""Starts the embedded ClickHouse as a process of its own, on a free port and a directory of the test."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import clickhouse_connect
from clickhouse_connect.driver.client import Client

WRITER_PASSWORD = "writer-secret-7f3a"
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def environment(analyst_password: str = "") -> dict[str, str]:
    """The variables of a server process."""
    env = {**os.environ, "YANGGUANG_CLICKHOUSE_WRITER_PASSWORD": WRITER_PASSWORD}
    env.pop("YANGGUANG_CLICKHOUSE_ANALYST_PASSWORD", None)
    if analyst_password:
        env["YANGGUANG_CLICKHOUSE_ANALYST_PASSWORD"] = analyst_password
    return env


def command(data: Path, *options: str) -> list[str]:
    """The command line of a server process."""
    return [sys.executable, "-m", "pipeline.embedded.clickhouse", "--data", str(data), *options]


class Server:
    """A running server; `log` is its stderr."""

    def __init__(self, data: Path, analyst_password: str = "") -> None:
        self.log = data.parent / f"{data.name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command(data, "--port", "0", "--memory", "2048"),
                cwd=ROOT,
                env=environment(analyst_password),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:"), self.log.read_text()
        self.port = int(line.rpartition(":")[2])

    def client(self, user: str = "writer", password: str = WRITER_PASSWORD, compress: bool | str = False) -> Client:
        return clickhouse_connect.get_client(
            host="127.0.0.1",
            port=self.port,
            username=user,
            password=password,
            compress=compress,
            autogenerate_session_id=False,
        )

    def request(
        self, body: bytes | str = b"", *, headers: Mapping[str, str] | None = None, method: str = "POST", **params: str
    ) -> Answer:
        """Any request; without user headers it is the analyst's."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            path = "/?" + urllib.parse.urlencode(params)
            connection.request(method, path, body.encode() if isinstance(body, str) else body, dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def write(self, body: bytes | str = b"", **params: str) -> Answer:
        """A request of user writer."""
        return self.request(body, headers=WRITER, **params)

    def memory(self) -> int:
        """Resident bytes."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(20)


WRITER = {"X-ClickHouse-User": "writer", "X-ClickHouse-Key": WRITER_PASSWORD}
