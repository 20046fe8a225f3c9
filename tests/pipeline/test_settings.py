"""Settings of the environment, where the file is, and the secrets that the embedded home makes."""

import os
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.settings import Configuration, Settings, SettingsError, load_settings


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment without settings, in an empty folder."""
    for name in [name for name in os.environ if name.startswith("YANGGUANG_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return monkeypatch


@pytest.mark.usefixtures("environment")
def test_the_defaults_are_the_published_ones() -> None:
    settings = load_settings()
    assert settings.servers == "127.0.0.1:9092"
    assert (settings.analyst.host, settings.analyst.port, settings.analyst.password) == ("127.0.0.1", 8123, "")
    assert (settings.home, settings.http_port, settings.clock) == (Path(".yangguang"), 8080, "wall")
    assert settings.config == Path("yangguang.toml")
    assert settings.configuration() == Configuration()


@pytest.mark.parametrize(
    ("name", "value"), [("CLOCK", "sundial"), ("HTTP_PORT", "http"), ("KAFKA_PORT", ""), ("HTTP_PORT", "70000")]
)
def test_a_wrong_variable_is_refused_by_its_name(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(f"YANGGUANG_{name}", value)
    with pytest.raises(SettingsError, match=f"YANGGUANG_{name}"):
        load_settings()


def test_a_clickhouse_address_is_a_url(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("YANGGUANG_CLICKHOUSE_WRITER_PASSWORD", "secret")
    for url, expected in {
        "http://ch1:8123": ("ch1", 8123, False),
        "https://ch1": ("ch1", 8443, True),
        "http://ch1/": ("ch1", 8123, False),
    }.items():
        environment.setenv("YANGGUANG_CLICKHOUSE", url)
        address = load_settings().writer
        assert (address.host, address.port, address.secure) == expected
    environment.setenv("YANGGUANG_CLICKHOUSE", "ftp://ch1")
    with pytest.raises(SettingsError, match="YANGGUANG_CLICKHOUSE"):
        _ = load_settings().writer


def test_a_configuration_file_that_was_named_has_to_be_there(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("YANGGUANG_CONFIG", str(tmp_path / "other.toml"))
    with pytest.raises(SettingsError, match=r"other\.toml"):
        load_settings().configuration()
    (tmp_path / "other.toml").write_text('lateness = "90s"')
    assert load_settings().configuration().lateness == timedelta(seconds=90)


@pytest.mark.usefixtures("environment")
def test_a_configuration_file_that_cannot_be_read_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "yangguang.toml"
    path.write_bytes('lateness = "60s"\n# \u8bf8\u66a8'.encode("gbk"))
    with pytest.raises(SettingsError, match=r"yangguang\.toml, line 2: .*UTF-8"):
        load_settings().configuration()
    path.unlink()
    path.mkdir()
    with pytest.raises(SettingsError, match=r"yangguang\.toml cannot be read"):
        load_settings().configuration()


@pytest.mark.usefixtures("environment")
def test_a_secret_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        key = Settings(home=tmp_path / "home").key
    finally:
        os.umask(previous)
    assert len(key) >= 16
    assert Settings(home=tmp_path / "home").key == key
    assert Settings(home=tmp_path / "other").key != key
    files = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert [stat.S_IMODE(path.stat().st_mode) for path in files] == [0o600]
    assert Settings(home=tmp_path / "home").writer.password not in ("", key.decode())


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_secret_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    _ = Settings(home=tmp_path).key
    (path,) = (path for path in tmp_path.rglob("*") if path.is_file())
    path.chmod(mode)
    with pytest.raises(SettingsError, match="chmod 600"):
        _ = Settings(home=tmp_path).key


def test_a_key_from_the_environment_is_taken(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("YANGGUANG_PERSONAL_KEY", "0123456789abcdef0123456789abcdef")
    assert Settings(home=tmp_path).key == b"0123456789abcdef0123456789abcdef"
    assert list(tmp_path.iterdir()) == []
