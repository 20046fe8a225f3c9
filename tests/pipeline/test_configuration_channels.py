"""Channels of yangguang.toml: what each type takes, where its secrets come from, and `test-channel`."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.channels import channels
from pipeline.configuration import SettingsError
from pipeline.configuration_channels import TYPES
from pipeline.configuration_file import read_configuration
from sinks.notify.channel import Channel
from tests.pages import ROOT
from tests.sinks.notify.messages import message
from tests.sinks.notify.platforms import SECRET, TOKEN, DingTalk, Receiver, served

ALL = """
[channel.console]
type = "console"
language = "en"
[channel.webhook]
type = "webhook"
url = "http://127.0.0.1:9000/hook"
secret_env = "HOOK_SECRET"
[channel.dingtalk]
type = "dingtalk"
url_env = "DINGTALK_URL"
secret_env = "DINGTALK_SECRET"
[channel.wecom]
type = "wecom"
url_env = "WECOM_URL"
[channel.feishu]
type = "feishu"
url_env = "FEISHU_URL"
secret_env = "FEISHU_SECRET"
[channel.email]
type = "email"
host = "smtp.example.gov.cn"
user = "yangguang"
password_env = "SMTP_PASSWORD"
sender = "阳光食安 <alerts@example.gov.cn>"
recipients = ["duty@example.gov.cn"]
[channel.alertmanager]
type = "alertmanager"
url = "http://127.0.0.1:9093"
resend = "30s"
[channel.apprise]
type = "apprise"
url_env = "APPRISE_URL"
"""
SECRETS = {
    "HOOK_SECRET": "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    "DINGTALK_URL": f"https://oapi.example/robot/send?access_token={TOKEN}",
    "DINGTALK_SECRET": SECRET,
    "WECOM_URL": f"https://qyapi.example/send?key={TOKEN}",
    "FEISHU_URL": f"https://open.example/hook/{TOKEN}",
    "FEISHU_SECRET": SECRET,
    "SMTP_PASSWORD": "correct-horse",
    "APPRISE_URL": "json://127.0.0.1:1/hook",
}
DUTY = "[channel.duty]\n"


def made(text: str) -> list[Channel]:
    return channels(read_configuration(text, "yangguang.toml").channel)


def test_every_type_is_made_from_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    found = {one.name: type(one).__name__.lower() for one in made(ALL)}
    assert found == {name: f"{name}channel" for name in TYPES}


def test_without_channels_there_is_the_console() -> None:
    assert [one.name for one in made("")] == ["console"]


@pytest.mark.parametrize("variable", list(SECRETS))
@pytest.mark.parametrize("value", [None, "", " "])
def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, value: str | None) -> None:
    for name, given in SECRETS.items():
        monkeypatch.setenv(name, given)
    monkeypatch.delenv(variable) if value is None else monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=rf"_env names {variable}, which is not set: set it"):
        made(ALL)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("type = 'dingtalk'", "channel.duty.url: a dingtalk needs a url: add it"),
        ("type = 'alertmanager'", "channel.duty.url: an alertmanager needs a url: add it"),
        ("type = 'apprise'", "channel.duty.url_env: an apprise channel needs url_env or url_file: add one"),
        ("type = 'email'\nsender = 'a@b.cn'\nrecipients = ['a@b.cn']", "channel.duty.host: the key is missing: add it"),
        ("type = 'email'\nhost = 'x'\nsender = 'a@b.cn'\nrecipients = []", "channel.duty.recipients: "),
        ("type = 'email'\nhost = 'x'\nsender = 'nobody'\nrecipients = ['a@b.cn']", "should be one address such as"),
        (
            "type = 'email'\nhost = 'x'\nsender = 'a@b.cn'\nrecipients = ['a@b.cn']\nuser = 'x'",
            "channel.duty.password_env: a user needs password_env or password_file: add one",
        ),
        (
            "type = 'email'\nhost = 'x'\nsender = 'a@b.cn'\nrecipients = ['a@b.cn']\nuser = 'x'\npassword_env = 'P'\n"
            "encryption = 'none'",
            "channel.duty.encryption: a password is not sent in clear: write starttls or tls",
        ),
        ("type = 'wecom'\nurl = 'http://x/'\nsecret_env = 'S'", "secret_env: the key is not known: use language, type"),
        ("type = 'wecom'\nurl = 'http://x/'\nurl_env = 'S'", "channel.duty.url_env: url is set too: keep one"),
        ("type = 'feishu'\nurl = 'http://x/'\nsecret_env = 'S'\nsecret_file = 's'", "secret_env is set too: keep one"),
        ("type = 'alertmanager'\nurl = 'http://x/'\nresend = '1s'", "channel.duty.resend: should be from 10s to 1h"),
        ("type = 'console'\nurl = 'http://x/'", "channel.duty.url: the key is not known: use language, type"),
    ],
)
def test_what_is_wrong_is_named_with_the_way_out(text: str, reason: str) -> None:
    with pytest.raises(SettingsError) as refused:
        made(DUTY + text)
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("type = 'webhook'\nurl = 'http://x/'\nsecret = 'whsec_hunter2'", "secret"),
        ("type = 'dingtalk'\nurl = 'http://x/'\nsecret = 'whsec_hunter2'", "secret"),
        (
            "type = 'email'\nhost = 'x'\nsender = 'a@b.cn'\nrecipients = ['a@b.cn']\npassword = 'whsec_hunter2'",
            "password",
        ),
        ("type = 'apprise'\nurl = 'tgram://whsec_hunter2'", "url"),
    ],
)
def test_a_secret_does_not_stand_in_the_file(text: str, field: str) -> None:
    with pytest.raises(SettingsError) as refused:
        made(DUTY + text)
    assert f"does not stand in this file: write {field}_env =" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_secret_file_is_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    text = f"{DUTY}type = 'feishu'\nurl = 'http://x/'\nsecret_file = '{file}'"
    with pytest.raises(SettingsError, match="cannot be read"):
        made(text)
    file.write_text(SECRET + "\n")
    file.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        made(text)
    file.chmod(0o600)
    assert [one.name for one in made(text)] == ["duty"]


@pytest.mark.parametrize("secret", ["whsec_???", "plain", "whsec_c2hvcnQ="])
def test_a_signing_secret_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    monkeypatch.setenv("S", secret)
    with pytest.raises(SettingsError, match="whsec_ and base64 of at least 16 bytes") as refused:
        made(f"{DUTY}type = 'webhook'\nurl = 'http://x/'\nsecret_env = 'S'")
    assert secret not in str(refused.value)


def test_neither_settings_nor_channels_show_a_token() -> None:
    text = f"{DUTY}type = 'wecom'\nurl = 'https://x/send?key={TOKEN}'"
    assert TOKEN not in repr(read_configuration(text, "yangguang.toml").channel)
    assert TOKEN not in repr(made(text))


def trial(config: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    code = "from pipeline.commands.test_channel import test_channel; test_channel()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env={**os.environ, "YANGGUANG_CONFIG": str(config), "YANGGUANG_HOME": str(config.parent), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_test_channel_says_what_the_other_side_said(tmp_path: Path) -> None:
    config = tmp_path / "yangguang.toml"

    async def run() -> None:
        dingtalk, hook = DingTalk(SECRET), Receiver()
        async with served(dingtalk) as robot, served(hook) as receiver:
            config.write_text(
                "[channel.group]\ntype = 'dingtalk'\nurl_env = 'ROBOT'\nsecret_env = 'SIGN'\n"
                f"[channel.hook]\ntype = 'webhook'\nurl = '{receiver}/hook'\n"
            )
            given = {"ROBOT": dingtalk.url(robot), "SIGN": SECRET}
            taken = await asyncio.to_thread(trial, config, "group", "--json", **given)
            assert json.loads(taken.stdout).items() >= {"outcome": "delivered", "detail": "errcode 0 ok"}.items()
            assert taken.returncode == 0
            refused = await asyncio.to_thread(trial, config, "group", **{**given, "SIGN": "SECwrong"})
            assert refused.stdout == "group: refused: errcode 310000 sign not match\n"
            assert refused.returncode == 1
            sent = await asyncio.to_thread(trial, config, "hook", **given)
            assert (sent.stdout, sent.returncode) == ("hook: delivered: HTTP 204\n", 0)
            assert json.loads(hook.requests[0][1])["kind"] == "test"
            unknown = await asyncio.to_thread(trial, config, "fax", **given)
            assert unknown.returncode == 2
            assert "there is no channel fax: name one of yangguang.toml (group, hook)" in unknown.stderr

    asyncio.run(run())


def test_a_message_on_the_console_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    (console,) = made("")
    asyncio.run(console.send(message(text="第一行\n第二行")))
    assert capfd.readouterr().out == "[firing] 第一行 第二行\n"
