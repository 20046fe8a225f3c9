"""Settings: the file yangguang.toml, the environment, and the secrets that the embedded home makes."""

import os
import stat
from datetime import date, timedelta
from pathlib import Path

import pytest

from pipeline.settings import Configuration, Settings, SettingsError, load_settings, read_configuration
from schemas.indicators import CATALOGUE

SAMPLE = """\
lateness = "60s"
takeaway_active_days = 30
[indicator.seal_coverage]
target = [{from = 2023-01-01, value = 0.90}]
recovery = 0.92
for = "10m"
floor = 30
settle = "15m"
alert_windows = ["1h"]
[channel.duty]
type = "webhook"        # console, webhook; later dingtalk, wecom, feishu, email, alertmanager, apprise
url = "http://127.0.0.1:9000/hook"
"""
DEADLINE = "[indicator.kitchen_build]\ndeadline = 2026-12-31\n"


def _refused(text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        read_configuration(text, "yangguang.toml")
    return str(caught.value)


def test_the_published_sample_is_accepted() -> None:
    configuration = read_configuration(SAMPLE, "yangguang.toml")
    assert configuration.lateness == timedelta(seconds=60)
    (entry,) = (one for one in configuration.catalogue() if one.code == "seal_coverage")
    assert entry == CATALOGUE["seal_coverage"].model_copy(update={"recovery": 0.92})
    assert configuration.channel["duty"].url == "http://127.0.0.1:9000/hook"


def test_a_deadline_is_accepted() -> None:
    configuration = read_configuration(DEADLINE, "yangguang.toml")
    (entry,) = (one for one in configuration.catalogue() if one.code == "kitchen_build")
    assert entry.deadline == date(2026, 12, 31)


def test_everything_is_optional() -> None:
    assert read_configuration("", "yangguang.toml") == Configuration()
    assert Configuration().catalogue() == list(CATALOGUE.values())
    assert (Configuration().lateness, Configuration().takeaway_active_days) == (timedelta(seconds=60), 30)


def test_what_is_set_replaces_only_what_it_names() -> None:
    text = '[indicator.seal_coverage]\nfor = "1h"\ndeadline = 2027-12-31\n'
    (entry,) = (one for one in read_configuration(text, "f").catalogue() if one.code == "seal_coverage")
    update = {"for_": timedelta(hours=1), "deadline": date(2027, 12, 31)}
    assert entry == CATALOGUE["seal_coverage"].model_copy(update=update)


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ('lateness = "60s"\nlatness = "60s"', 2, "latness"),
        ('\n\nlateness = "60"', 3, "lateness"),
        ("lateness = 60", 1, "lateness"),
        ('lateness = "-60s"', 1, "lateness"),
        ('lateness = "999999999999d"', 1, "lateness"),
        ("lateness = 10:00:00", 1, "lateness"),
        ("takeaway_active_days = -1", 1, "takeaway_active_days"),
        ("takeaway_active_days = 1.5", 1, "takeaway_active_days"),
        ('takeaway_active_days = "30"', 1, "takeaway_active_days"),
        ("takeaway_active_days = true", 1, "takeaway_active_days"),
        ("[indicator.seal_coverage]\nfloor = 30\nflor = 30", 3, "flor"),
        ("[indicator.seal_coverage]\nfloor = -1", 2, "floor"),
        ("[indicator.seal_coverage]\nfor_ = '10m'", 2, "for_"),
        ("[indicator.kitchen_build]\nfloor = 1\n[indicator.seal_coverage]\nfloor = 'x'", 4, "floor"),
        ("[indicator.seal_coverage]\n# target\n\ntarget = 0.9", 4, "target"),
        ("[indicator.seal_coverage]\ntarget = [{from = 2023-01-01, value = 'x'}]", 2, "value"),
        ("[indicator.seal_coverage]\ntarget = [{value = 0.9}]", 2, "from"),
        ("[indicator.seal_coverage]\ntarget = [{from_ = 2023-01-01, value = 0.9}]", 2, "from"),
        ("[indicator.seal_coverage]\ntarget = [{from = 2023-01-01, value = nan}]", 2, "value"),
        ("[indicator.seal_coverage]\ntarget = [{from = 2023-01-01, value = 90}]", 2, "value"),
        ("[indicator.seal_coverage]\nrecovery = nan", 2, "recovery"),
        ("[indicator.seal_coverage]\nalert_windows = ['1h', '2h']", 2, "2h"),
        ("[indicator.kitchen_build]\nalert_windows = ['1h']", 2, "1h"),
        ("[indicator.seal_coverage]\ndeadline = 'soon'", 2, "deadline"),
        ("lateness = '1m'\n[indicator.seal_coverge]\nfloor = 1", 2, "seal_coverge"),
        ("[channel.duty]\ntype = 'fax'", 2, "type"),
        ("[channel.duty]\ntype = 'webhook'", 1, "url"),
        ("[channel.duty]\ntype = 'webhook'\nurl = 'ftp://x'", 3, "url"),
        ("[channel.duty]\ntype = 'console'\ncolour = 'red'", 3, "colour"),
        ("[channel.duty]\nurl = 'http://x/'", 1, "type"),
        ("[indikator.seal_coverage]\nfloor = 1", 1, "indikator"),
        ("indicator.seal_coverage.floor = 'x'", 1, "floor"),
        ("lateness = '1m'\nlateness = '2m'\n", 2, "overwrite"),
        ("lateness = ", 1, ""),
    ],
)  # fmt: skip
def test_a_wrong_key_or_value_is_refused_with_its_line_and_reason(text: str, line: int, word: str) -> None:
    message = _refused(text)
    assert f"line {line}" in message
    assert word in message
    assert "yangguang.toml" in message
    assert "\n" not in message


def test_the_line_is_that_of_the_entry_at_fault_among_several() -> None:
    head = "[[indicator.seal_coverage.target]]\nfrom = 2023-01-01\nvalue = "
    assert "line 6" in _refused(f"{head}1\n{head}'x'\n")
    inline = (
        "[indicator.seal_coverage]\ntarget = [\n{from = 2023-01-01, value = 1},\n{from = 2024-01-01, value = 'x'}]\n"
    )
    assert "line 4" in _refused(inline)


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
