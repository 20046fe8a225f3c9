"""Makes the channels that `yangguang.toml` names, with the secrets it points at."""

import base64
import binascii
import os
from collections.abc import Mapping
from pathlib import Path

from pipeline.configuration import SettingsError
from pipeline.configuration_channels import (
    AlertmanagerSettings,
    AppriseSettings,
    ChannelSettings,
    DingTalkSettings,
    EmailSettings,
    FeishuSettings,
    WebhookSettings,
    WeComSettings,
)
from pipeline.environment import read_secret
from sinks.notify.channel import Channel
from sinks.notify.console import ConsoleChannel


def channels(configured: Mapping[str, ChannelSettings]) -> list[Channel]:
    """The channels of yangguang.toml; the console where it names none. Raises SettingsError where a secret is not
    there."""
    return [channel(name, one) for name, one in configured.items()] or [ConsoleChannel("console")]


def channel(name: str, settings: ChannelSettings) -> Channel:
    """One channel. Raises SettingsError where a secret is not there.

    Each type's own library is loaded only where a channel of that type is."""
    match settings:
        case WebhookSettings():
            from sinks.notify.webhook import WebhookChannel  # noqa: PLC0415 # as said

            return WebhookChannel(name, _url(name, settings), _signing_key(name, _secret(name, settings, "secret")))
        case DingTalkSettings():
            from sinks.notify.dingtalk import DingTalkChannel  # noqa: PLC0415 # as said

            return DingTalkChannel(name, _url(name, settings), _secret(name, settings, "secret") or "")
        case WeComSettings():
            from sinks.notify.wecom import WeComChannel  # noqa: PLC0415 # as said

            return WeComChannel(name, _url(name, settings))
        case FeishuSettings():
            from sinks.notify.feishu import FeishuChannel  # noqa: PLC0415 # as said

            return FeishuChannel(name, _url(name, settings), _secret(name, settings, "secret") or "")
        case AlertmanagerSettings():
            from sinks.notify.alertmanager import AlertmanagerChannel  # noqa: PLC0415 # as said

            return AlertmanagerChannel(name, _url(name, settings), settings.resend)
        case AppriseSettings():
            from sinks.notify.apprise_channel import AppriseChannel  # noqa: PLC0415 # as said

            return AppriseChannel(name, _secret(name, settings, "url") or "")
        case EmailSettings():
            return _email(name, settings)
        case _:
            return ConsoleChannel(name)


def _email(name: str, settings: EmailSettings) -> Channel:
    from sinks.notify.email import PORTS, EmailChannel, Server  # noqa: PLC0415 # as said

    if settings.ca_file is not None and not Path(settings.ca_file).is_file():
        raise SettingsError(f"channel.{name}.ca_file names {settings.ca_file}, which is no file: correct it")
    server = Server(
        host=settings.host,
        port=settings.port or PORTS[settings.encryption],
        encryption=settings.encryption,
        user=settings.user,
        password=_secret(name, settings, "password"),
        ca=settings.ca_file,
    )
    return EmailChannel(name, server, settings.sender, settings.recipients)


def _url(name: str, settings: ChannelSettings) -> str:
    given = getattr(settings, "url", None) or _secret(name, settings, "url") or ""
    if not given.startswith(("http://", "https://")):
        raise SettingsError(f"channel.{name}.url should begin with http:// or https://: correct what it is read from")
    return str(given)


def _secret(name: str, settings: ChannelSettings, field: str) -> str | None:
    """What `FIELD_env` or `FIELD_file` points at; None where neither is set."""
    variable, file = getattr(settings, f"{field}_env", None), getattr(settings, f"{field}_file", None)
    if variable is not None:
        value = os.environ.get(variable, "").strip()
        if not value:
            raise SettingsError(f"channel.{name}.{field}_env names {variable}, which is not set: set it")
        return value
    if file is not None:
        return read_secret(Path(file), f"correct channel.{name}.{field}_file").strip()
    return None


def _signing_key(name: str, secret: str | None) -> bytes:
    """The key in a secret of Standard Webhooks: `whsec_` and base64."""
    if secret is None:
        return b""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) < 16:
        raise SettingsError(
            f"channel.{name}.secret should be whsec_ and base64 of at least 16 bytes: make one with "
            '"whsec_$(openssl rand -base64 32)"'
        )
    return key
