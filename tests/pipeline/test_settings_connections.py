"""What secures the connections to Kafka and ClickHouse: what is derived, what is refused, what is warned of."""

import logging
import os
from pathlib import Path
from typing import Final

import pytest

from pipeline.settings import Settings, SettingsError, load_settings
from sinks.tls import SYSTEM_AUTHORITIES
from streams.kafka_address import KafkaAddress
from tests.secure.certificates import Certificates

KAFKA: Final = "YANGGUANG_KAFKA"
CLICKHOUSE: Final = "YANGGUANG_CLICKHOUSE"
USER: Final = {"KAFKA": "k1:9093", "KAFKA_USER": "yangguang", "KAFKA_PASSWORD": "s3cret-of-kafka"}


class Environment:
    """Sets variables without their prefix, and reads the settings."""

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path) -> None:
        self._patch = patch
        self.folder = folder

    def settings(self, **values: object) -> Settings:
        for name, value in values.items():
            self._patch.setenv(f"YANGGUANG_{name}", str(value))
        return load_settings()

    def kafka(self, **values: object) -> KafkaAddress:
        return self.settings(**{"KAFKA": "k1:9093", **values}).kafka_address

    def refusal(self, **values: object) -> str:
        """One sentence."""
        with pytest.raises(SettingsError) as caught:
            self.settings(**values)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def file(self, name: str, content: bytes, mode: int = 0o600) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        path.chmod(mode)
        return path


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Environment:
    """An environment without settings, in an empty folder."""
    for name in [name for name in os.environ if name.startswith("YANGGUANG_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return Environment(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls") / "files")


# -- Kafka -------------------------------------------------------------------------------------------------------------


def test_without_settings_kafka_is_spoken_to_in_the_clear(environment: Environment) -> None:
    assert environment.settings().kafka_address == KafkaAddress("127.0.0.1:9092", "PLAINTEXT")
    assert environment.kafka() == KafkaAddress("k1:9093", "PLAINTEXT")


def test_a_user_is_never_sent_in_the_clear_unless_that_is_asked_for(environment: Environment) -> None:
    address = environment.kafka(**USER)
    assert (address.protocol, address.mechanism) == ("SASL_SSL", "SCRAM-SHA-512")
    assert (address.user, address.password, address.tls) == ("yangguang", "s3cret-of-kafka", SYSTEM_AUTHORITIES)
    assert environment.kafka(KAFKA_SECURITY="SASL_PLAINTEXT").protocol == "SASL_PLAINTEXT"


def test_an_authority_or_a_certificate_means_tls(environment: Environment, certificates: Certificates) -> None:
    assert environment.kafka(KAFKA_CA=certificates.ca).protocol == "SSL"
    files = certificates.client
    address = environment.kafka(KAFKA_CERTIFICATE=files.certificate, KAFKA_KEY=files.key)
    assert (address.protocol, address.tls) == ("SSL", files)


def test_tls_with_the_authorities_of_the_system_has_to_be_asked_for(environment: Environment) -> None:
    assert environment.kafka(KAFKA_SECURITY="SSL") == KafkaAddress("k1:9093", "SSL")


def test_a_certificate_and_its_key_may_stand_in_one_file(environment: Environment, certificates: Certificates) -> None:
    address = environment.kafka(KAFKA_CERTIFICATE=certificates.client_with_key)
    assert (address.tls.certificate, address.tls.key) == (str(certificates.client_with_key), None)


def test_an_empty_variable_is_as_one_that_is_not_set(environment: Environment) -> None:
    names = ("SECURITY", "SASL_MECHANISM", "USER", "PASSWORD", "PASSWORD_FILE", "CA", "CERTIFICATE", "KEY")
    empty = {f"KAFKA_{name}": "" for name in names}
    assert environment.kafka(**empty) == KafkaAddress("k1:9093")
    assert environment.settings(KAFKA="").kafka_address == KafkaAddress("127.0.0.1:9092")


def test_a_password_in_a_file_is_the_line_as_it_stands(environment: Environment) -> None:
    path = environment.file("password", " spaces and = 诸暨 \r\n".encode())
    assert environment.kafka(KAFKA_USER="yangguang", KAFKA_PASSWORD_FILE=path).password == " spaces and = 诸暨 "


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"KAFKA_USER": "u"}, f"{KAFKA}_USER is set, but {KAFKA} is not: name your Kafka"),
        ({"KAFKA_CA": "ca.pem"}, f"{KAFKA}_CA is set, but {KAFKA} is not"),
        ({"KAFKA": "k1:9093", "KAFKA_USER": "u"}, f"{KAFKA}_USER is u, but there is no password: set {KAFKA}_PASSWORD"),
        ({"KAFKA": "k1:9093", "KAFKA_PASSWORD": "p"}, f"{KAFKA}_PASSWORD is set, but {KAFKA}_USER is not"),
        ({"KAFKA": "k1:9093", "KAFKA_SASL_MECHANISM": "PLAIN"}, f"{KAFKA}_SASL_MECHANISM is set, but {KAFKA}_USER is"),
        ({"KAFKA": "k1:9093", "KAFKA_SECURITY": "SASL_SSL"}, f"{KAFKA}_SECURITY is SASL_SSL, which wants a user: set"),
        ({**USER, "KAFKA_SECURITY": "SSL"}, f"{KAFKA}_SECURITY is SSL, which knows no users: set it to SASL_SSL, or"),
        ({**USER, "KAFKA_SECURITY": "PLAINTEXT"}, f"{KAFKA}_SECURITY is PLAINTEXT, which knows no users"),
        ({**USER, "KAFKA_SECURITY": "TLS"}, f"{KAFKA}_SECURITY is 'TLS': Input should be 'PLAINTEXT', 'SSL'"),
        ({**USER, "KAFKA_SASL_MECHANISM": "GSSAPI"}, f"{KAFKA}_SASL_MECHANISM is 'GSSAPI': Input should be 'PLAIN'"),
        ({**USER, "KAFKA_PASSWORD_FILE": "f"}, f"{KAFKA}_PASSWORD and {KAFKA}_PASSWORD_FILE are both set: keep one"),
        ({"KAFKA": "SASL_SSL://k1:9093"}, f"{KAFKA} is SASL_SSL://k1:9093: give host:port, with commas between"),
        ({"KAFKA": "k1:9093,,k2:9093"}, f"{KAFKA} is k1:9093,,k2:9093: give host:port"),
        ({"KAFKA": "k1:9093", "KAFKA_CA": "no.pem"}, f"{KAFKA}_CA names no.pem, which cannot be read (No such file"),
        ({"KAFKA": "k1:9093", "KAFKA_KEY": "no.key"}, f"{KAFKA}_KEY is set, but {KAFKA}_CERTIFICATE is not"),
        (
            {"KAFKA": "k1:9093", "KAFKA_CERTIFICATE": "no.pem"},
            f"{KAFKA}_CERTIFICATE names no.pem, which cannot be read (No such file",
        ),
        (
            {**USER, "KAFKA_SECURITY": "SASL_PLAINTEXT", "KAFKA_CA": "ca.pem"},
            f"{KAFKA}_CA is set, but {KAFKA}_SECURITY is SASL_PLAINTEXT, which knows no certificates: set",
        ),
        (
            {"KAFKA": "k1:9093", "KAFKA_USER": "u", "KAFKA_PASSWORD_FILE": "no"},
            f"no cannot be read (No such file or directory): correct or unset {KAFKA}_PASSWORD_FILE",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused_at_start(
    environment: Environment, values: dict[str, object], said: str
) -> None:
    refused = environment.refusal(**values)
    assert refused.startswith(said)
    assert "s3cret" not in refused


def test_files_that_are_not_what_they_should_be_are_refused(
    environment: Environment, certificates: Certificates
) -> None:
    client, server = certificates.client, certificates.server
    text = environment.file("text.pem", b"no certificate")
    assert "text.pem, which holds no certificate in PEM form" in environment.refusal(KAFKA="k1", KAFKA_CA=text)
    strangers = environment.refusal(KAFKA_CA="", KAFKA_CERTIFICATE=client.certificate, KAFKA_KEY=server.key)
    assert f"{client.certificate}, to which no key without a passphrase in {server.key} belongs" in strangers
    locked = environment.file("locked.key", certificates.encrypted_client_key("secret"))
    assert "to which no key without a passphrase in" in environment.refusal(KAFKA_KEY=locked)
    keyless = environment.refusal(KAFKA_KEY="")
    assert f"no key without a passphrase in {client.certificate}" in keyless


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_secret_file_that_others_may_read_is_refused(
    environment: Environment, certificates: Certificates, mode: int
) -> None:
    password = environment.file("password", b"secret", mode)
    assert f"run chmod 600 {password}" in environment.refusal(
        **{**USER, "KAFKA_PASSWORD": ""}, KAFKA_PASSWORD_FILE=password
    )
    key = environment.file("client.key", Path(str(certificates.client.key)).read_bytes(), mode)
    files = {"KAFKA_CERTIFICATE": certificates.client.certificate, "KAFKA_KEY": key}
    assert f"run chmod 600 {key}" in environment.refusal(**USER, **files, KAFKA_PASSWORD_FILE="")


def test_a_secret_file_that_is_empty_or_no_text_is_refused(environment: Environment) -> None:
    values = {**USER, "KAFKA_PASSWORD": ""}
    assert "is empty" in environment.refusal(**values, KAFKA_PASSWORD_FILE=environment.file("empty", b"\n"))
    assert "is not UTF-8" in environment.refusal(**values, KAFKA_PASSWORD_FILE=environment.file("gbk", b"\xd6\xee"))


@pytest.mark.parametrize(
    ("servers", "mechanism", "warned"),
    [
        ("k1:9092", "PLAIN", True),
        ("127.0.0.1:9092,k1:9092", "PLAIN", True),
        ("127.0.0.1:9092", "PLAIN", False),
        ("localhost:9092, [::1]:9092", "PLAIN", False),
        ("k1:9092", "SCRAM-SHA-256", False),
    ],
)
def test_a_password_that_leaves_the_machine_in_the_clear_is_warned_of(
    environment: Environment, caplog: pytest.LogCaptureFixture, servers: str, mechanism: str, warned: bool
) -> None:
    with caplog.at_level(logging.WARNING):
        environment.settings(
            **USER | {"KAFKA": servers}, KAFKA_SECURITY="SASL_PLAINTEXT", KAFKA_SASL_MECHANISM=mechanism
        )
    assert [("goes to k1:9092 in the clear" in one) for one in caplog.messages] == [True] * warned


# -- ClickHouse --------------------------------------------------------------------------------------------------------


def test_passwords_of_clickhouse_may_stand_in_files(environment: Environment) -> None:
    settings = environment.settings(
        CLICKHOUSE="http://ch1",
        CLICKHOUSE_WRITER_PASSWORD_FILE=environment.file("writer", b"of the writer\n"),
        CLICKHOUSE_ANALYST_PASSWORD_FILE=environment.file("analyst", b"of the analyst"),
    )
    assert (settings.writer.password, settings.analyst.password) == ("of the writer", "of the analyst")
    assert not (environment.folder / ".yangguang").exists()


def test_both_users_of_clickhouse_trust_and_show_the_same_certificates(
    environment: Environment, certificates: Certificates
) -> None:
    client = certificates.client
    settings = environment.settings(
        CLICKHOUSE="https://ch1",
        CLICKHOUSE_CA=client.ca,
        CLICKHOUSE_CERTIFICATE=client.certificate,
        CLICKHOUSE_KEY=client.key,
    )
    for address in (settings.writer, settings.analyst):
        assert (address.port, address.secure, address.tls) == (8443, True, client)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"CLICKHOUSE_CA": "ca.pem"}, f"{CLICKHOUSE}_CA is set, but {CLICKHOUSE} is not: name your ClickHouse"),
        (
            {"CLICKHOUSE": "http://ch1", "CLICKHOUSE_CERTIFICATE": "c.pem"},
            f"{CLICKHOUSE}_CERTIFICATE is set, but {CLICKHOUSE} is http://ch1: let it begin with https://",
        ),
        (
            {"CLICKHOUSE": "https://ch1", "CLICKHOUSE_CA": "no.pem"},
            f"{CLICKHOUSE}_CA names no.pem, which cannot be read",
        ),
        (
            {"CLICKHOUSE_WRITER_PASSWORD": "p", "CLICKHOUSE_WRITER_PASSWORD_FILE": "f"},
            f"{CLICKHOUSE}_WRITER_PASSWORD and {CLICKHOUSE}_WRITER_PASSWORD_FILE are both set: keep one",
        ),
        (
            {"CLICKHOUSE_ANALYST_PASSWORD_FILE": "no"},
            f"no cannot be read (No such file or directory): correct or unset {CLICKHOUSE}_ANALYST_PASSWORD_FILE",
        ),
    ],
)
def test_what_does_not_fit_clickhouse_is_refused_at_start(
    environment: Environment, values: dict[str, object], said: str
) -> None:
    assert environment.refusal(**values).startswith(said)


def test_a_password_in_the_url_of_clickhouse_is_refused_and_not_repeated(environment: Environment) -> None:
    refused = environment.refusal(CLICKHOUSE="https://writer:s3cret@ch1:8443")
    assert refused.startswith(f"{CLICKHOUSE} holds a user: give a URL such as https://ch1:8443")
    assert "s3cret" not in refused


def test_no_text_of_the_settings_has_a_secret(environment: Environment) -> None:
    secrets = {
        "KAFKA_PASSWORD": "s3cret-of-kafka",
        "CLICKHOUSE_WRITER_PASSWORD": "s3cret-of-writer",
        "CLICKHOUSE_ANALYST_PASSWORD": "s3cret-of-analyst",
        "PERSONAL_KEY": "s3cret-of-persons",
    }
    settings = environment.settings(**USER | secrets)
    options = settings.worker_options()
    assert options.kafka.password == "s3cret-of-kafka"
    assert "s3cret" not in f"{settings} {settings!r} {options.kafka!r} {options.clickhouse!r} {settings.analyst!r}"
