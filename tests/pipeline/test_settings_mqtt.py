"""What the settings say of an MQTT broker: what is derived, what is refused, what is warned of."""

import logging
import os
from pathlib import Path
from typing import Final

import pytest

from pipeline.mqtt_settings import MqttAddress
from sinks.tls import SYSTEM_AUTHORITIES, TlsFiles
from tests.pipeline.test_settings_connections import Environment
from tests.secure.certificates import Certificates

SECRET: Final = "s3cret-of-mqtt"
USER: Final = {"MQTT_USER": "yangguang-gateway", "MQTT_PASSWORD": SECRET}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Environment:
    """An environment without settings, in an empty folder."""
    for name in [name for name in os.environ if name.startswith("YANGGUANG_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return Environment(monkeypatch, tmp_path)


def test_without_settings_there_is_no_broker(environment: Environment) -> None:
    assert environment.settings().mqtt_address is None
    assert environment.settings(MQTT="", MQTT_USER="").mqtt_address is None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://broker", MqttAddress("broker", 1883)),
        ("mqtt://broker:1884/", MqttAddress("broker", 1884)),
        ("mqtts://broker", MqttAddress("broker", 8883, tls=SYSTEM_AUTHORITIES)),
        ("mqtt://[::1]:1884", MqttAddress("::1", 1884)),
    ],
)
def test_a_url_says_where_the_broker_is_and_whether_to_encrypt(
    environment: Environment, url: str, expected: MqttAddress
) -> None:
    assert environment.settings(MQTT=url).mqtt_address == expected
    assert not environment.settings().mqtt_shared
    assert environment.settings(MQTT_SHARED="true").mqtt_shared


def test_the_user_stands_in_the_url_or_by_itself_and_the_password_may_be_in_a_file(environment: Environment) -> None:
    expected = MqttAddress("broker", 1883, "a@b", SECRET)
    file = environment.file("password", f"{SECRET}\n".encode())
    assert environment.settings(MQTT="mqtt://a%40b@broker", MQTT_PASSWORD_FILE=file).mqtt_address == expected
    assert environment.settings(MQTT="mqtt://broker", MQTT_USER="a@b").mqtt_address == expected


def test_an_address_as_text_has_no_secret(environment: Environment) -> None:
    address = environment.settings(MQTT="mqtt://[::1]", **USER).mqtt_address
    assert str(address) == "[::1]:1883"
    assert SECRET not in repr(address)


def test_certificates_are_for_encrypted_connections(environment: Environment, tmp_path: Path) -> None:
    certificates = Certificates(tmp_path / "tls")
    files = certificates.client
    address = environment.settings(
        MQTT="mqtts://broker", MQTT_CA=files.ca, MQTT_CERTIFICATE=files.certificate, MQTT_KEY=files.key
    ).mqtt_address
    assert address is not None
    assert address.tls == TlsFiles(files.ca, files.certificate, files.key)
    assert "let it begin with mqtts://" in environment.refusal(MQTT="mqtt://broker")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"MQTT": "broker:1883"}, "give a URL such as mqtt://"),
        ({"MQTT": "http://broker"}, "YANGGUANG_MQTT is http://broker: give a URL"),
        ({"MQTT": "mqtt://"}, "give a URL such as mqtt://"),
        ({"MQTT": "mqtt://broker:0"}, "give a URL such as mqtt://"),
        ({"MQTT": "mqtt://broker:99999"}, "give a URL such as mqtt://"),
        ({"MQTT": "mqtt://broker/topic"}, "give a URL such as mqtt://"),
        ({"MQTT": f"mqtt://a:{SECRET}@broker"}, "put it into YANGGUANG_MQTT_PASSWORD"),
        ({"MQTT": "mqtt://a@broker"}, "user is a, but there is no password"),
        ({"MQTT": "mqtt://a@broker", **USER}, "keep one"),
        ({"MQTT": "mqtt://broker", "MQTT_PASSWORD": SECRET}, "set YANGGUANG_MQTT_USER"),
        ({"MQTT": "mqtt://broker", "MQTT_PASSWORD_FILE": "none", **USER}, "are both set"),
        ({"MQTT": "mqtts://broker", "MQTT_CA": "none"}, "YANGGUANG_MQTT_CA names none"),
        (USER, "YANGGUANG_MQTT_USER is set, but YANGGUANG_MQTT is not"),
    ],
)
def test_what_does_not_fit_together_is_refused_in_one_sentence_without_the_password(
    environment: Environment, values: dict[str, str], says: str
) -> None:
    refusal = environment.refusal(**values)
    assert says in refusal
    assert SECRET not in refusal


def test_a_password_in_the_clear_over_the_network_is_warned_of(
    environment: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for url in ("mqtt://127.0.0.1", "mqtts://broker"):
            environment.settings(MQTT=url, **USER)
        assert not caplog.messages
        environment.settings(MQTT="mqtt://broker", **USER)
    [warning] = caplog.messages
    assert "in the clear" in warning
    assert SECRET not in warning
