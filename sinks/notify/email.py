"""The e-mail channel: HTML and plain text, the trend inside the mail, through one SMTP server."""

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from html import escape
from typing import Final, Literal, NamedTuple

import aiosmtplib

from sinks.notify.channel import Outcome
from sinks.notify.envelope import Message

TIMEOUT_SECONDS: Final = 20.0
_COLOURS: Final = {"firing": "#c62828", "resolved": "#2e7d32", "info": "#1565c0"}
_PICTURE: Final = "trend@yangguang"

Encryption = Literal["starttls", "tls", "none"]
PORTS: Final[dict[Encryption, int]] = {"starttls": 587, "tls": 465, "none": 25}


class Server(NamedTuple):
    """How the SMTP server is reached."""

    host: str
    port: int
    encryption: Encryption = "starttls"
    user: str | None = None
    password: str | None = None
    ca: str | None = None
    """File of the certificates that its own has to come from; None for those of this machine."""

    def __repr__(self) -> str:
        """Without the password."""
        return f"Server({self.host!r}, {self.port}, {self.encryption!r})"


class EmailChannel:
    """Mails to a fixed list of recipients."""

    def __init__(self, name: str, server: Server, sender: str, recipients: Sequence[str]) -> None:
        self.name = name
        self._server = server
        self._sender = sender
        self._recipients = list(recipients)

    async def send(self, message: Message) -> Outcome:
        """Sends one mail. It is delivered when the server took it for at least one recipient."""
        server = self._server
        mail = mail_of(message, self._sender, self._recipients, datetime.now(UTC))
        try:
            refused, _ = await aiosmtplib.send(
                mail,
                sender=parseaddr(self._sender)[1],
                recipients=[parseaddr(one)[1] for one in self._recipients],
                hostname=server.host,
                port=server.port,
                username=server.user,
                password=server.password,
                use_tls=server.encryption == "tls",
                start_tls=server.encryption == "starttls",
                cert_bundle=server.ca,
                timeout=TIMEOUT_SECONDS,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = sorted({one.code for one in error.recipients})
            word: Literal["refused", "failed"] = "refused" if min(codes, default=0) >= 500 else "failed"
            return Outcome(word, f"SMTP {', '.join(map(str, codes))}: no recipient was taken")
        except aiosmtplib.SMTPResponseException as error:
            return Outcome("refused" if error.code >= 500 else "failed", f"SMTP {error.code}, {type(error).__name__}")
        except (aiosmtplib.SMTPException, TimeoutError, OSError) as error:
            return Outcome("failed", f"{type(error).__name__}: the mail server does not take it")
        taken = len(self._recipients) - len(refused)
        if refused:
            codes = sorted({one.code for one in refused.values()})
            refusals = ", ".join(map(str, codes))
            return Outcome("delivered", f"taken for {taken} of {len(self._recipients)} recipients (SMTP {refusals})")
        return Outcome("delivered", f"taken for {taken} recipients")

    async def close(self) -> None:
        """Nothing stays open."""


def mail_of(message: Message, sender: str, recipients: Sequence[str], at: datetime) -> EmailMessage:
    """The message as a mail. Its Message-ID is the same however often it is sent.

    :param at: when it is sent."""
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = ", ".join(recipients)
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = message_id(message.id, sender)
    mail["Subject"] = " ".join(message.title.split())
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence note shall answer
    if message.severity == "critical" and message.state == "firing":
        mail["Importance"] = "high"
    mail.set_content(_plain(message))
    mail.add_alternative(_html(message), subtype="html")
    if message.picture:
        html = list(mail.iter_parts())[1]
        assert isinstance(html, EmailMessage)
        html.add_related(message.picture, "image", "png", cid=f"<{_PICTURE}>", disposition="inline")
    return mail


def message_id(identity: str, sender: str) -> str:
    """The Message-ID of a message's id: itself where it may stand there, else its digest."""
    plain = re.fullmatch(r"[A-Za-z0-9_-]{1,64}", identity)
    local = identity if plain else hashlib.sha256(identity.encode()).hexdigest()[:32]
    return f"<{local}@{Address(addr_spec=parseaddr(sender)[1]).domain}>"


def _plain(message: Message) -> str:
    facts = "\n".join(f"{one.label}：{one.value}" for one in message.lines)
    links = "\n".join(f"{one.label}：{one.url}" for one in message.links)
    return "\n\n".join(one for one in (message.title, facts or message.text, links) if one) + "\n"


def _html(message: Message) -> str:
    rows = "".join(
        f'<tr><td style="color:#666;padding:2px 12px 2px 0">{escape(one.label)}</td><td>{escape(one.value)}</td></tr>'
        for one in message.lines
    )
    links = " · ".join(f'<a href="{escape(one.url)}">{escape(one.label)}</a>' for one in message.links)
    parts = (
        f'<h3 style="color:{_COLOURS[message.state]}">{escape(message.title)}</h3>',
        f"<table>{rows}</table>" if rows else f"<p>{escape(message.text)}</p>",
        f'<p><img src="cid:{_PICTURE}" alt="趋势"></p>' if message.picture else "",
        f"<p>{links}</p>" if links else "",
    )
    return f'<!doctype html><html lang="zh"><meta charset="utf-8"><body>{"".join(parts)}</body></html>\n'
