"""E-mail through a real SMTP server: what a mail has in it, and what the server's answers mean."""

import asyncio
import email
import email.policy
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from sinks.notify.channel import Outcome
from sinks.notify.email import EmailChannel, Server
from sinks.notify.envelope import Line
from tests.sinks.notify.messages import LINK, message
from tests.sinks.notify.platforms import free_port

SENDER = "阳光食安 <alerts@food.example.gov.cn>"
DUTY, NIGHT = "duty@food.example.gov.cn", "night@food.example.gov.cn"
PNG = b"\x89PNG\r\n\x1a\n trend"


class Mailbox:
    """Takes mails; answers a recipient, or a mail, with what it is told to."""

    def __init__(self, refused: dict[str, str] | None = None, data: str = "250 OK") -> None:
        self.refused = refused or {}
        self.data = data
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []

    async def handle_RCPT(  # noqa: N802 # aiosmtpd calls it so
        self, _server: Any, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Session, envelope: Envelope) -> str:  # noqa: N802 # likewise
        assert isinstance(envelope.content, bytes)
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        self.mails.append(parsed)
        self.recipients.append(list(envelope.rcpt_tos))
        return self.data


@contextmanager
def server(mailbox: Mailbox, **given: Any) -> Iterator[int]:
    """The port of an SMTP server."""
    port = free_port()
    controller = Controller(mailbox, hostname="127.0.0.1", port=port, **given)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


def sent(mailbox: Mailbox, recipients: tuple[str, ...] = (DUTY, NIGHT), **given: Any) -> Outcome:
    with server(mailbox) as port:
        channel = EmailChannel("mail", Server("127.0.0.1", port, "none"), SENDER, recipients)
        return asyncio.run(channel.send(message(**given)))


def part(mail: EmailMessage, kind: str) -> EmailMessage:
    found = [one for one in mail.walk() if one.get_content_type() == kind]
    assert len(found) == 1
    assert isinstance(found[0], EmailMessage)
    return found[0]


def test_a_mail_has_the_message_as_text_and_as_html_with_its_picture() -> None:
    mailbox = Mailbox()
    outcome = sent(mailbox, picture=PNG, lines=(Line("目标", "90.0%"), Line("说明", "低于<要求>。")))
    assert outcome == Outcome("delivered", "taken for 2 recipients")
    mail = mailbox.mails[0]
    assert mail["Subject"] == "诸暨市阳光厨房建设率低于要求"
    assert mail["From"] == SENDER
    assert mail["Date"].datetime is not None
    assert mail.get_content_type() == "multipart/alternative"
    plain, html = part(mail, "text/plain").get_content(), part(mail, "text/html").get_content()
    assert "低于<要求>。" in plain
    assert "目标：90.0%" in plain
    assert LINK.url in plain
    assert "低于&lt;要求&gt;。" in html
    assert f'href="{LINK.url}"' in html
    image = part(mail, "image/png")
    assert image.get_content() == PNG
    assert f'src="cid:{image["Content-ID"].strip("<>")}"' in html
    assert image.get_content_disposition() == "inline"


def test_a_mail_without_a_picture_shows_none() -> None:
    mailbox = Mailbox()
    sent(mailbox)
    assert "<img" not in part(mailbox.mails[0], "text/html").get_content()


def test_the_message_id_is_the_same_for_a_repeat_and_another_for_another_message() -> None:
    mailbox = Mailbox()
    for identity in (message().id, message().id, "摘要 2026-11-23", "摘要 2026-11-24"):
        assert sent(mailbox, id=identity).word == "delivered"
    first, again, day, next_day = (one["Message-ID"] for one in mailbox.mails)
    assert first == again == f"<{message().id}@food.example.gov.cn>"
    assert len({first, day, next_day}) == 3
    assert day.isascii()


def test_a_mail_that_one_recipient_gets_is_delivered_and_says_of_the_others() -> None:
    mailbox = Mailbox({NIGHT: "550 no such mailbox"})
    outcome = sent(mailbox)
    assert outcome == Outcome("delivered", "taken for 1 of 2 recipients (SMTP 550)")
    assert mailbox.recipients == [[DUTY]]


@pytest.mark.parametrize(
    ("answers", "word"),
    [
        (("550 no such mailbox", "553 not allowed"), "refused"),
        (("450 busy", "550 no such mailbox"), "failed"),
        (("450 busy", "451 later"), "failed"),
    ],
)
def test_a_mail_that_nobody_gets_is_tried_again_unless_all_refuse_for_good(answers: tuple[str, str], word: str) -> None:
    outcome = sent(Mailbox({DUTY: answers[0], NIGHT: answers[1]}))
    assert outcome.word == word
    assert "@" not in outcome.detail


@pytest.mark.parametrize(("data", "word"), [("554 spam", "refused"), ("451 disk full", "failed")])
def test_what_the_server_says_of_the_mail_itself(data: str, word: str) -> None:
    outcome = sent(Mailbox(data=data))
    assert outcome.word == word
    assert data[:3] in outcome.detail


def test_a_server_that_is_not_there_is_tried_again() -> None:
    with server(Mailbox()) as port:
        pass
    channel = EmailChannel("mail", Server("127.0.0.1", port, "none"), SENDER, [DUTY])
    assert asyncio.run(channel.send(message())).word == "failed"


@pytest.mark.parametrize(("password", "word"), [("right-password", "delivered"), ("wrong-password", "refused")])
def test_a_password_goes_over_starttls_only(tmp_path: Path, password: str, word: str) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))

    def right(_server: Any, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        return AuthResult(success=data == LoginPassword(b"yangguang", b"right-password"), handled=False)

    mailbox = Mailbox()
    given = {"tls_context": context, "require_starttls": True, "authenticator": right, "auth_required": True}
    with server(mailbox, **given) as port:
        known = Server("127.0.0.1", port, "starttls", "yangguang", password, str(ca))
        assert password not in repr(known)
        outcome = asyncio.run(EmailChannel("mail", known, SENDER, [DUTY]).send(message()))
        unknown = asyncio.run(EmailChannel("mail", known._replace(ca=None), SENDER, [DUTY]).send(message()))
        clear = known._replace(encryption="none", user=None, password=None)
        in_clear = asyncio.run(EmailChannel("mail", clear, SENDER, [DUTY]).send(message()))
    assert outcome.word == word
    assert password not in outcome.detail
    assert unknown.word == "failed", "a certificate that nobody vouches for"
    assert in_clear.word == "refused"
    assert len(mailbox.mails) == (word == "delivered")
