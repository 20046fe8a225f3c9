"""Of the environment: where the MQTT broker is, and how the gateway proves to it who it is."""

import logging
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic_settings import BaseSettings, SettingsConfigDict

from pipeline.configuration import SettingsError
from pipeline.environment import LOOPBACK_NAMES, PREFIX, File, Secret, Text, password_of, tls_files
from sinks.tls import TlsFiles

log: Final = logging.getLogger(__name__)

_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class MqttAddress:
    """A broker for one client. As text it is host and port; the password is in no text of it."""

    host: str
    port: int = 1883
    user: str = ""
    password: str = field(default="", repr=False)
    tls: TlsFiles | None = None
    """None: the connection is not encrypted."""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class MqttSettings(BaseSettings):
    """Without a URL the gateway has no door for MQTT."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore")

    mqtt: Text = None
    mqtt_shared: bool = False
    mqtt_user: Text = None
    mqtt_password: Secret = None
    mqtt_password_file: File = None
    mqtt_ca: File = None
    mqtt_certificate: File = None
    mqtt_key: File = None

    @property
    def mqtt_address(self) -> MqttAddress | None:
        """The broker; None where none is named. Raises SettingsError where the variables do not fit together."""
        names = [name for name in MqttSettings.model_fields if name not in ("mqtt", "mqtt_shared")]
        given = [f"{PREFIX}{name.upper()}" for name in names if getattr(self, name) is not None]
        if self.mqtt is None:
            if given:
                raise SettingsError(f"{given[0]} is set, but YANGGUANG_MQTT is not: name your broker, or unset it")
            return None
        url = _split(self.mqtt)
        secure = url.scheme == "mqtts"
        for name in given:
            if not secure and name.endswith(("_CA", "_CERTIFICATE", "_KEY")):
                raise SettingsError(
                    f"{name} is set, but YANGGUANG_MQTT begins with mqtt://, which knows no certificates: let it "
                    f"begin with mqtts://, or unset {name}"
                )
        return MqttAddress(
            url.hostname or "",
            url.port or _PORTS[url.scheme],
            *self._user(url),
            tls_files("YANGGUANG_MQTT", self.mqtt_ca, self.mqtt_certificate, self.mqtt_key) if secure else None,
        )

    def warn_of_mqtt(self) -> None:
        """Says in the log what is possible and not wise. Raises SettingsError like `mqtt_address`."""
        address = self.mqtt_address
        if address is not None and address.password and address.tls is None and address.host not in LOOPBACK_NAMES:
            log.warning(
                "the password of the MQTT broker's user %s goes to %s in the clear: let YANGGUANG_MQTT begin with "
                "mqtts://",
                address.user,
                address,
            )

    def _user(self, url: SplitResult) -> tuple[str, str]:
        """User and password, empty where there are none."""
        if url.username and self.mqtt_user is not None:
            raise SettingsError("YANGGUANG_MQTT holds a user, and YANGGUANG_MQTT_USER is set too: keep one")
        user = unquote(url.username or "") or self.mqtt_user or ""
        password = password_of("YANGGUANG_MQTT_PASSWORD", self.mqtt_password, self.mqtt_password_file)
        if user and password is None:
            raise SettingsError(
                f"the MQTT broker's user is {user}, but there is no password: set YANGGUANG_MQTT_PASSWORD or "
                "YANGGUANG_MQTT_PASSWORD_FILE"
            )
        if password is not None and not user:
            raise SettingsError("there is a password for the MQTT broker, but no user: set YANGGUANG_MQTT_USER")
        return user, password or ""


def _split(text: str) -> SplitResult:
    """The parts of the URL. Raises SettingsError."""
    wrong = "give a URL such as mqtt://broker:1883 or mqtts://broker:8883"
    try:
        url = urlsplit(text)
        host, port = url.hostname, url.port
    except ValueError:
        raise SettingsError(f"YANGGUANG_MQTT is no URL: {wrong}") from None
    if url.password is not None:  # it would be shown wherever the broker is named
        raise SettingsError("YANGGUANG_MQTT holds a password: put it into YANGGUANG_MQTT_PASSWORD")
    if url.scheme not in _PORTS or not host or port == 0 or url.path.strip("/") or url.query or url.fragment:
        raise SettingsError(f"YANGGUANG_MQTT is {text}: {wrong}")
    return url
