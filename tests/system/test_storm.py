"""A storm on the running notifier: people get one digest, machines get each, and Alertmanager is told again."""

import json
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from schemas.towns import TOWNS
from streams.storm import STORM as STORM_LEAST
from tests.sinks.notify.real_alertmanager import NEEDED, alertmanager, firing
from tests.sinks.notify.test_email import Mailbox, part, server
from tests.system.records import BANQUET, RECORD, Record
from tests.system.stack import Stack, wait_for
from tests.system.test_alerts import MINUTE, START, Webhook

STORM: Final = 10
RESEND: Final = timedelta(seconds=10)
"""An alert outlives its last sending at Alertmanager by three times that."""


def banquet(number: int, minute: int, **given: Any) -> Record:
    """Ten hours before the meal; 60 diners, which by default are too few to be guided."""
    at = START + minute * MINUTE
    data = {
        "banquet_id": f"b-{number}",
        "town_code": list(TOWNS)[number % 3],
        "venue": "home",
        "status": "filed",
        "declared_at": (START - timedelta(days=5)).isoformat(),
        "held_at": (START + timedelta(hours=10)).isoformat(),
        "diners": 60,
        "host": {},
        **given,
    }
    event = {
        "specversion": "1.0",
        "id": f"e-{number}",
        "source": "/banquets",
        "type": RECORD,
        "time": at.isoformat(),
        "data": data,
    }
    return Record(BANQUET, json.dumps(event).encode(), key=data["banquet_id"].encode())


def ends(url: str) -> dict[str, datetime]:
    """When each alert is over, if it is not told again."""
    shown = firing(url, 'alertname="banquet_unguided"')
    return {one["labels"]["alert_id"]: datetime.fromisoformat(one["endsAt"]) for one in shown}


@NEEDED
@pytest.mark.timeout(200)
def test_a_storm_is_one_digest_and_ten_calls_and_what_fires_is_told_to_alertmanager_again(tmp_path: Path) -> None:
    with ExitStack() as opened:
        duty, mailbox = opened.enter_context(closing(Webhook(failures=0))), Mailbox(data="451 later")
        port = opened.enter_context(server(mailbox))
        (tmp_path / "alertmanager").mkdir()
        url = opened.enter_context(alertmanager(tmp_path / "alertmanager"))
        config = tmp_path / "yangguang.toml"
        config.write_text(
            f'[channel.duty]\ntype = "webhook"\nurl = "{duty.url}"\n'
            f'[channel.mail]\ntype = "email"\nhost = "127.0.0.1"\nport = {port}\nencryption = "none"\n'
            'sender = "alerts@example.cn"\nrecipients = ["boss@example.cn"]\n'
            f'[channel.am]\ntype = "alertmanager"\nurl = "{url}"\nresend = "{RESEND.seconds}s"\n'
            '[event.banquet_unguided]\ndiners = 50\n[notify]\nsummary = "off"\n'
        )
        stack = Stack(tmp_path / "stack")
        stack.env["YANGGUANG_CONFIG"] = str(config)
        notifier = stack.notifier
        try:
            stack.start()
            notifier.start()
            # all become known at the same minute, which the last one brings
            stack.push([*(banquet(one, 0) for one in range(STORM)), banquet(STORM, 5, status="draft")])
            wait_for(lambda: len(duty.received) == STORM, 60, "the webhook gets each")
            assert {one.body["subject"] for one in duty.received} == {f"b-{one}" for one in range(STORM)}
            wait_for(lambda: len(ends(url)) == STORM, 20, "Alertmanager gets each")
            first = ends(url)
            mailbox.data = "250 OK"
            mailbox.mails.clear()
            sql = "SELECT transition_id, detail FROM alert_deliveries WHERE channel = 'mail' AND outcome = 'delivered'"
            wait_for(lambda: len(stack.rows(sql)) == STORM, 20, "people are told")
            rows = stack.rows(sql)
            assert {row["transition_id"] for row in rows} == {one.key for one in duty.received}
            # what came while the mail server took nothing has waited together, but for what was tried first
            joined = [row["detail"] for row in rows if " in digest-" in row["detail"]]
            assert len(joined) >= STORM_LEAST
            assert len(set(joined)) == 1
            assert f"(one of {len(joined)} in digest-" in joined[0]
            assert len(mailbox.mails) == STORM - len(joined) + 1
            texts = [part(one, "text/plain").get_content() for one in mailbox.mails]
            assert [f"家宴未指导 {len(joined)}" in one for one in texts].count(True) == 1
            wait_for(
                lambda: (now := ends(url)).keys() == first.keys() and all(now[one] > first[one] for one in first),
                3 * RESEND.seconds,
                "each is told again before its end",
            )
            assert len(duty.received) == STORM
            assert len(mailbox.mails) == STORM - len(joined) + 1
            notifier.end()
            assert "Unclosed" not in notifier.text()
        finally:
            if notifier.running:
                notifier.end()
            stack.stop()
