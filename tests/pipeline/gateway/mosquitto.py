"""A real mosquitto with the files of deploy/mosquitto, and devices that publish on it."""

import getpass
import os
import queue
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from pipeline.ports import is_free
from tests.pipeline.embedded_clickhouse import ROOT
from tests.pipeline.gateway.stack import Gateway
from tests.secure.certificates import Certificates
from tests.system.parts import Part, free_port, wait_for

Start = Callable[..., Gateway]
"""Starts a gateway at the broker: name, limits and settings."""

DEPLOY: Final = ROOT / "deploy" / "mosquitto"
USER: Final = "yangguang-gateway"
NOT_AUTHORIZED: Final = 0x87
NO_MATCHING_SUBSCRIBERS: Final = 0x10
_SECONDS: Final = 20.0
_ANSWER_SECONDS: Final = 60.0
"""Longer than the gateway takes to try again what a busy Kafka did not take in time."""
_PACE_SECONDS: Final = 0.002
_AT_ONCE: Final = 50
"""Messages of one device that the broker has not acknowledged."""
_PACKAGES: Final = (
    "install Debian's packages mosquitto and mosquitto-clients (apt-get install mosquitto mosquitto-clients)"
)


def program(name: str) -> str:
    """The path of a program of mosquitto's packages; the test fails where there is none."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    assert path, f"{name} is not on this machine: {_PACKAGES}"
    return path


class Mosquitto:
    """The broker as a process that can be ended and started again. Its configuration is the one for production, with
    ports and paths of its own."""

    def __init__(self, folder: Path, certificates: Certificates, producers: tuple[str, ...] = ("tests",)) -> None:
        folder.mkdir(parents=True)
        self.port, self.tls_port = free_port(), free_port()
        self.certificates = certificates
        self._passwords = folder / "passwords"
        self._passwords.touch(0o600)
        for name in (USER, *producers):
            self.add_user(name)
        acl = shutil.copy(DEPLOY / "acl", folder)
        Path(acl).chmod(0o600)
        data = folder / "data"
        data.mkdir()
        text = (DEPLOY / "mosquitto.conf").read_text()
        for there, here in {
            "listener 8883": f"listener {self.tls_port} 127.0.0.1",
            "listener 1883 127.0.0.1": f"listener {self.port} 127.0.0.1",
            "/etc/mosquitto/certs/server.crt": str(certificates.server.certificate),
            "/etc/mosquitto/certs/server.key": str(certificates.server.key),
            "/etc/mosquitto/passwords": str(self._passwords),
            "/etc/mosquitto/acl": str(acl),
            "/var/lib/mosquitto/": f"{data}/",
        }.items():
            assert len(re.findall(rf"^(?!#).*{re.escape(there)}$", text, re.MULTILINE)) == 1, there
            text = re.sub(rf"^((?!#).*){re.escape(there)}$", rf"\g<1>{here}", text, flags=re.MULTILINE)
        configuration = folder / "mosquitto.conf"
        configuration.write_text(f"{text}user {getpass.getuser()}\nlog_type information\n")
        command = [program("mosquitto"), "-c", str(configuration)]
        self._part = Part("mosquitto", command, folder / "log", dict(os.environ), folder)
        self.start()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def settings(self) -> dict[str, Any]:
        """What a gateway is told."""
        return {"mqtt": self.url, "mqtt_user": USER, "mqtt_password": password_of(USER)}

    def add_user(self, name: str) -> None:
        command = [program("mosquitto_passwd"), "-b", str(self._passwords), name, password_of(name)]
        subprocess.run(command, check=True, capture_output=True)

    def start(self) -> None:
        self._part.start()
        wait_for(self._listens, _SECONDS, "mosquitto listens")

    def _listens(self) -> bool:
        assert self._part.running, self._part.text()
        return not is_free(self.port)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        self._part.end(number)

    def log(self) -> str:
        return self._part.text()

    @contextmanager
    def device(self, producer: str = "tests", **options: Any) -> "Iterator[Device]":
        device = Device(self, producer, **options)
        try:
            device.connect()
            yield device
        finally:
            device.close()

    def pub(self, topic: str, body: bytes, *arguments: str, producer: str = "tests") -> None:
        """Publishes one message with mosquitto_pub."""
        user = ["-u", producer, "-P", password_of(producer)]
        command = [program("mosquitto_pub"), "-p", str(self.port), *user, "-t", topic, "-s", *arguments]
        done = subprocess.run(command, input=body, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr


def ready(gateway: Gateway) -> Gateway:
    gateway.wait_for("/readyz", 200)
    return gateway


def password_of(user: str) -> str:
    return f"secret of {user}"


def topic_of(stream: str, producer: str = "tests") -> str:
    return f"yangguang/v1/{stream}/{producer}"


class Told(NamedTuple):
    """An answer as a device has it."""

    topic: str
    body: Any
    content_type: str
    correlation: bytes | None


class Device:
    """A client of the broker that publishes as a producer and listens to its answers."""

    def __init__(
        self, broker: Mosquitto, producer: str, client_id: str = "", protocol: int = MQTTProtocolVersion.MQTTv5
    ) -> None:
        self.producer = producer
        self.answers: queue.Queue[Told] = queue.Queue()
        self._subscribed = threading.Event()
        self._version = MQTTProtocolVersion(protocol)
        self._broker = broker
        self._client = Client(CallbackAPIVersion.VERSION2, client_id, protocol=self._version)
        self._client.username_pw_set(producer, password_of(producer))
        self._client.reconnect_delay_set(1, 1)
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._reasons: queue.Queue[tuple[int, int]] = queue.Queue()
        self._known: dict[int, int] = {}

    def connect(self) -> None:
        self._client.connect("127.0.0.1", self._broker.port)
        self._client.loop_start()
        assert self._subscribed.wait(_SECONDS)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def send(self, topic: str, body: bytes, qos: int = 1, **properties: Any) -> int:
        """Publishes, and returns by which number the broker's acknowledgement is to be recognised."""
        carried = None
        if self._version is MQTTProtocolVersion.MQTTv5:
            carried = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho has no types here
            for name, value in properties.items():
                setattr(carried, name, value)
        return self._client.publish(topic, body, qos, properties=carried).mid

    def acknowledged(self) -> Iterator[tuple[int, int]]:
        """Number and reason code of what the broker has acknowledged since it was last asked."""
        while not self._reasons.empty():
            yield self._reasons.get()

    def publish(self, topic: str, body: bytes, qos: int = 1, **properties: Any) -> int:
        """Publishes, and returns the broker's reason code."""
        number = self.send(topic, body, qos, **properties)
        while number not in self._known:
            mid, reason = self._reasons.get(timeout=_SECONDS)
            self._known[mid] = reason
        return self._known.pop(number)

    def answer(self, seconds: float = _ANSWER_SECONDS) -> Told:
        try:
            return self.answers.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(
                f"no answer within {seconds} s; the broker says:\n{self._broker.log()[-3000:]}"
            ) from None

    def listen(self, topic: str) -> None:
        self._subscribed.clear()
        self._client.subscribe(topic, 1)
        assert self._subscribed.wait(_SECONDS)

    def _on_connect(self, client: Client, *_: Any) -> None:
        client.subscribe(f"yangguang/v1/answers/{self.producer}/#", 1)

    def _on_publish(self, _client: Client, _data: Any, mid: int, reason: ReasonCode, _properties: Any) -> None:
        self._reasons.put((mid, reason.value))

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        found = message.properties
        self.answers.put(
            Told(
                message.topic,
                orjson.loads(message.payload),
                getattr(found, "ContentType", ""),
                getattr(found, "CorrelationData", None),
            )
        )


class Load:
    """Devices that publish events of their own numbers until told to end, and a ledger of what the broker acknowledged.

    :param repeat: whether they publish again what the broker had nobody for.
    """

    def __init__(self, broker: Mosquitto, text: Callable[[int], bytes], devices: int = 3, repeat: bool = False) -> None:
        self._text = text
        self._repeat = repeat
        self._end = threading.Event()
        self._devices = [Device(broker, "tests", f"load-{number}") for number in range(devices)]
        self._acknowledged: list[dict[int, float]] = [{} for _ in self._devices]
        self.reasons: set[int] = set()
        """Reason codes of the broker's acknowledgements."""
        self._threads = [threading.Thread(target=self._push, args=(number,), daemon=True) for number in range(devices)]

    def __enter__(self) -> "Load":
        for device in self._devices:
            device.connect()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(_SECONDS)
        for device in self._devices:
            device.close()

    def ledger(self) -> dict[int, float]:
        """When the broker acknowledged which event."""
        return {number: at for one in self._acknowledged for number, at in one.copy().items()}

    def wait_for_more(self, count: int) -> None:
        """Returns when the broker has acknowledged so many events more."""
        before = len(self.ledger())
        wait_for(lambda: len(self.ledger()) >= before + count, 60, f"{count} more events are acknowledged")

    def _push(self, which: int) -> None:
        device, acknowledged = self._devices[which], self._acknowledged[which]
        sent: dict[int, int] = {}
        number = which * 1_000_000
        while not self._end.is_set() or sent:
            if not self._end.is_set() and len(sent) < _AT_ONCE:
                sent[device.send(topic_of("seal"), self._text(number))] = number
                number += 1
            time.sleep(_PACE_SECONDS)
            for mid, reason in device.acknowledged():
                self.reasons.add(reason)
                if reason == NO_MATCHING_SUBSCRIBERS and self._repeat:
                    again = sent.pop(mid)
                    sent[device.send(topic_of("seal"), self._text(again))] = again
                else:
                    acknowledged[sent.pop(mid)] = time.monotonic()
