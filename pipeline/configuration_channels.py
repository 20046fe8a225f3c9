"""What `yangguang.toml` may say of channels: tables `[channel.NAME]`, each by its type.

A secret never stands in the file itself: `secret_env` names an environment variable, `secret_file` a file of mode 0600;
`url_env` and `url_file` likewise, where the address is the secret."""

from datetime import timedelta
from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from schemas.durations import Duration

Filled = Annotated[str, Field(min_length=1)]
HttpUrl = Annotated[str, Field(pattern=r"^https?://")]
_Port = Annotated[int, Field(strict=True, ge=1, le=65535)]


def _resend(length: timedelta) -> timedelta:
    if not timedelta(seconds=10) <= length <= timedelta(hours=1):
        raise ValueError("should be from 10s to 1h")
    return length


def _mailbox(value: str) -> str:
    if value.count("@") != 1 or value.strip("<> ").endswith("@") or "\n" in value or "," in value:
        raise ValueError("should be one address such as duty@example.org")
    return value


_Mailbox = Annotated[str, AfterValidator(_mailbox)]


class ChannelSettings(BaseModel):
    """What all types have."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    secrets: ClassVar[tuple[str, ...]] = ()
    """Fields that are given as NAME_env or NAME_file."""

    type: str
    language: Literal["zh", "en"] = "zh"

    def fault(self) -> tuple[str, str] | None:
        """The field that is missing or too much, and why with the way out."""
        return None


class ConsoleSettings(ChannelSettings):
    """A line in the notifier's log."""

    type: Literal["console"]


class _Addressed(ChannelSettings):
    """A channel with an address."""

    url: Annotated[HttpUrl | None, Field(repr=False)] = None
    url_env: Filled | None = None
    url_file: Filled | None = None

    def fault(self) -> tuple[str, str] | None:
        """An address there has to be, once."""
        a = "an" if self.type[0] in "ae" else "a"
        given = [name for name in ("url", "url_env", "url_file") if getattr(self, name) is not None]
        if not given:
            return "url", f"{a} {self.type} needs a url: add it"
        return _once(given) or _once([one for one in ("secret_env", "secret_file") if getattr(self, one, None)])


class _Signed(_Addressed):
    """A channel with an address, and with a secret where it signs."""

    secrets: ClassVar[tuple[str, ...]] = ("secret",)

    secret_env: Filled | None = None
    secret_file: Filled | None = None


class WebhookSettings(_Signed):
    """Any receiver of JSON; with a secret, signed as Standard Webhooks."""

    type: Literal["webhook"]


class DingTalkSettings(_Signed):
    """A DingTalk group robot."""

    type: Literal["dingtalk"]


class WeComSettings(_Addressed):
    """A WeCom group robot."""

    type: Literal["wecom"]


class FeishuSettings(_Signed):
    """A Feishu group robot."""

    type: Literal["feishu"]


class AlertmanagerSettings(_Addressed):
    """Prometheus' Alertmanager."""

    type: Literal["alertmanager"]
    resend: Annotated[Duration, AfterValidator(_resend)] = timedelta(minutes=1)
    """How often what still fires is sent again."""


class AppriseSettings(ChannelSettings):
    """Any service that Apprise knows; its address has the service's secrets in it."""

    secrets: ClassVar[tuple[str, ...]] = ("url",)

    type: Literal["apprise"]
    url_env: Filled | None = None
    url_file: Filled | None = None

    def fault(self) -> tuple[str, str] | None:
        """An address there has to be, once."""
        given = [name for name in ("url_env", "url_file") if getattr(self, name) is not None]
        return _once(given) if given else ("url_env", "an apprise channel needs url_env or url_file: add one")


class EmailSettings(ChannelSettings):
    """Mails through one SMTP server."""

    secrets: ClassVar[tuple[str, ...]] = ("password",)

    type: Literal["email"]
    host: Filled
    port: _Port | None = None
    """None: 587, 465 or 25, as the encryption has it."""
    encryption: Literal["starttls", "tls", "none"] = "starttls"
    ca_file: Filled | None = None
    user: Filled | None = None
    password_env: Filled | None = None
    password_file: Filled | None = None
    sender: _Mailbox
    recipients: Annotated[tuple[_Mailbox, ...], Field(min_length=1)]

    def fault(self) -> tuple[str, str] | None:
        """User and password belong together, and go over an encrypted connection only."""
        given = [name for name in ("password_env", "password_file") if getattr(self, name) is not None]
        if self.user is not None and not given:
            return "password_env", "a user needs password_env or password_file: add one"
        if given and self.user is None:
            return "user", f"{given[0]} needs a user: add it, or remove the password"
        if given and self.encryption == "none":
            return "encryption", "a password is not sent in clear: write starttls or tls"
        return _once(given)


def _once(given: list[str]) -> tuple[str, str] | None:
    return (given[1], f"{given[0]} is set too: keep one") if len(given) > 1 else None


AnyChannel = (
    ConsoleSettings
    | WebhookSettings
    | DingTalkSettings
    | WeComSettings
    | FeishuSettings
    | EmailSettings
    | AlertmanagerSettings
    | AppriseSettings
)

TYPES: Final[dict[str, type[ChannelSettings]]] = {
    "console": ConsoleSettings,
    "webhook": WebhookSettings,
    "dingtalk": DingTalkSettings,
    "wecom": WeComSettings,
    "feishu": FeishuSettings,
    "email": EmailSettings,
    "alertmanager": AlertmanagerSettings,
    "apprise": AppriseSettings,
}


class _Typed(BaseModel):
    """Tells the type before anything else is looked at."""

    type: Literal["console", "webhook", "dingtalk", "wecom", "feishu", "email", "alertmanager", "apprise"]


def by_type(value: object) -> ChannelSettings:
    """The settings of one channel by its `type`. Raises ValidationError with the key that is wrong.

    pydantic's own tagged unions would put the tag into the place that an error names."""
    if isinstance(value, ChannelSettings):
        return value
    model = TYPES[_Typed.model_validate(value).type]
    assert isinstance(value, dict)  # or it would have had no type
    for name in value:
        if reason := _not_taken(model, str(name)):
            raise _invalid(str(name), reason)
    settings = model.model_validate(value)
    if fault := settings.fault():
        raise _invalid(*fault)
    return settings


def _not_taken(model: type[ChannelSettings], name: str) -> str:
    """Why a type does not take a key; empty where it does."""
    if name in model.model_fields:
        return ""
    if name in model.secrets:
        return (
            f'a {name} does not stand in this file: write {name}_env = "NAME" of an environment variable, or '
            f'{name}_file = "PATH" of a file with mode 0600'
        )
    return f"the key is not known: use {', '.join(sorted(model.model_fields))}"


def _invalid(name: str, reason: str) -> ValidationError:
    error = PydanticCustomError("channel", "{reason}", {"reason": reason})
    return ValidationError.from_exception_data("channel", [InitErrorDetails(type=error, loc=(name,), input=None)])


OneChannel = Annotated[ChannelSettings, BeforeValidator(by_type)]
"""For a model that has channels."""
