"""A pipeline of processes that is told by its environment how to prove to Kafka and ClickHouse who it is."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pipeline.child import dying_with_this_process
from sinks.clickhouse.address import Address
from sinks.clickhouse.client import connect
from tests.pipeline.embedded_clickhouse import ROOT, WRITER_PASSWORD
from tests.secure.broker import PASSWORD, USER, SecureBroker
from tests.secure.certificates import HOST, Certificates
from tests.secure.tls_endpoint import TlsEndpoint
from tests.system.parts import Part, free_port

YANGGUANG: Final = [sys.executable, "-m", "pipeline"]
SECONDS: Final = 60.0


class Stack:
    """Home, environment and processes of one pipeline."""

    def __init__(self, home: Path, broker: SecureBroker, clickhouse: TlsEndpoint, certificates: Certificates) -> None:
        home.mkdir()
        self.home = home
        self._parts: list[Part] = []
        self.database = Address(HOST, clickhouse.port, "writer", WRITER_PASSWORD, True, certificates.trusting)
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("YANGGUANG_")},
            "PYTHONPATH": str(ROOT),
            "YANGGUANG_HOME": str(home / "yangguang"),
            "YANGGUANG_KAFKA": broker.sasl.servers,
            "YANGGUANG_KAFKA_USER": USER,
            "YANGGUANG_KAFKA_PASSWORD_FILE": self.secret("kafka", PASSWORD),
            "YANGGUANG_KAFKA_CA": certificates.ca,
            "YANGGUANG_CLICKHOUSE": f"https://{HOST}:{clickhouse.port}",
            "YANGGUANG_CLICKHOUSE_WRITER_PASSWORD_FILE": self.secret("clickhouse", WRITER_PASSWORD),
            "YANGGUANG_CLICKHOUSE_CA": certificates.ca,
            "YANGGUANG_HTTP_PORT": str(free_port()),
            "YANGGUANG_AUTHENTICATION": "off",
            "YANGGUANG_CLOCK": "event",
        }

    def secret(self, name: str, text: str) -> str:
        """A file for its owner alone."""
        path = self.home / name
        path.write_text(f"{text}\n", encoding="utf-8")
        path.chmod(0o600)
        return str(path)

    def start(self, *command: str, env: Mapping[str, str] | None = None) -> Part:
        """A part that runs until the end of the test, or its own."""
        name = f"{len(self._parts)}-{command[0]}"
        part = Part(name, [*YANGGUANG, *command], self.home / f"{name}.log", {**self.env, **(env or {})}, self.home)
        part.start()
        self._parts.append(part)
        return part

    def run(
        self, *command: str, env: Mapping[str, str] | None = None, given: str = ""
    ) -> "subprocess.CompletedProcess[str]":
        """A command that ends by itself."""
        return subprocess.run(
            dying_with_this_process([*YANGGUANG, *command]),
            env={**self.env, **(env or {})},
            cwd=self.home,
            input=given,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def doctor(self) -> tuple[int, dict[str, dict[str, Any]]]:
        """Its exit status, and what it found by the name of the part."""
        done = self.run("doctor", "--json")
        return done.returncode, {one["part"]: one for one in json.loads(done.stdout)}

    def post(self, body: str) -> int:
        """The gateway's status for one event; 503 while it does not answer."""
        request = urllib.request.Request(  # our own
            f"http://127.0.0.1:{self.env['YANGGUANG_HTTP_PORT']}/v1/events",
            body.encode(),
            {"Content-Type": "application/cloudevents+json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # likewise
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 503

    def orders(self) -> set[str]:
        """Their ids, read over TLS."""
        client = connect(self.database)
        found = client.query("SELECT order_id FROM orders").result_rows
        client.close()
        return {one for (one,) in found}

    def logs(self) -> str:
        """All that the parts have said."""
        return "".join(part.text() for part in self._parts)

    def stop(self) -> None:
        """Ends all parts at once."""
        for part in self._parts:
            if part.running:
                part.end(signal.SIGKILL)
