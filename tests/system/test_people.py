"""People and alerts on the whole stack: what is silenced is not sent, what nobody acknowledges goes to the next."""

import json
import subprocess
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

import pytest

from schemas.towns import TOWNS
from tests.system.records import Record
from tests.system.stack import Part, Stack, wait_for
from tests.system.test_alerts import Webhook, order

SILENCED, ACKNOWLEDGED, IGNORED = list(TOWNS)[:3]
LAST: Final = 150


def orders(first: int, last: int) -> list[Record]:
    """One order a minute in each town; from minute 30 on every second one of three towns has a broken seal, which the
    whole city bears."""
    made = []
    for minute in range(first, last):
        for index, town in enumerate(TOWNS):
            event = json.loads(order(minute * 100 + index, minute, index + 1).value or b"")
            broken = index < 3 and minute >= 30 and minute % 2
            event["data"] |= {"town_code": town, "seal_state": "broken" if broken else "intact"}
            made.append(order(minute * 100 + index, minute, index + 1)._replace(value=json.dumps(event).encode()))
    return made


def alert_of(town: str) -> str:
    return f"seal_coverage.town.{town}.1h"


@pytest.mark.timeout(400)
def test_the_silenced_is_not_sent_and_what_nobody_acknowledges_is_escalated(tmp_path: Path) -> None:
    with ExitStack() as opened:
        duty = opened.enter_context(closing(Webhook(failures=0)))
        boss = opened.enter_context(closing(Webhook(failures=0)))
        config = tmp_path / "yangguang.toml"
        config.write_text(
            f'[channel.duty]\ntype = "webhook"\nurl = "{duty.url}"\n'
            f'[channel.boss]\ntype = "webhook"\nurl = "{boss.url}"\n'
            '[[route]]\nname = "all"\nchannels = ["duty"]\nescalate_after = "1m"\nescalate_to = ["boss"]\n'
        )
        stack = Stack(tmp_path / "stack")
        stack.env["YANGGUANG_CONFIG"] = str(config)
        command = [stack.workers[0]._command[0], "-m", "pipeline"]
        notifier = Part("notifier", [*command, "notifier"], stack.logs / "notifier.log", stack.env, stack.home)

        def cli(*arguments: str) -> None:
            done = subprocess.run(
                [*command, "alerts", *arguments],
                env=stack.env,
                cwd=stack.home,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr

        def actions() -> list[dict[str, Any]]:
            return stack.rows("SELECT action, alert_id FROM acknowledgements")

        try:
            stack.start()
            notifier.start()
            who = ("--by", "duty officer", "--why", "known")
            cli("silence", "--match", f"scope_id={SILENCED}", "--for", "2h", *who)
            wait_for(lambda: len(actions()) == 1, 60, "the silence is written down")
            stack.push(orders(0, LAST))
            told = {alert_of(ACKNOWLEDGED), alert_of(IGNORED)}
            wait_for(lambda: {one.body["alert_id"] for one in duty.received} == told, 60, "the others are told")
            cli("ack", alert_of(ACKNOWLEDGED), *who)
            shown = "SELECT alert_id FROM alerts WHERE acknowledged_by = 'duty officer'"
            wait_for(lambda: stack.rows(shown) == [{"alert_id": alert_of(ACKNOWLEDGED)}], 60, "it is acknowledged")
            wait_for(lambda: boss.received, 120, "the boss is told")
            assert {one.body["alert_id"] for one in boss.received} == {alert_of(IGNORED)}
            assert "【升级】" in boss.received[0].body["text"]
            firing = stack.rows("SELECT alert_id FROM alerts WHERE state = 'firing' ORDER BY alert_id")
            assert {row["alert_id"] for row in firing} == {alert_of(one) for one in (SILENCED, ACKNOWLEDGED, IGNORED)}
            sent = stack.rows(
                "SELECT DISTINCT alert_id FROM alert_transitions "
                "WHERE transition_id IN (SELECT transition_id FROM alert_deliveries)"
            )
            assert {row["alert_id"] for row in sent} == told
            (silence,) = stack.rows("SELECT action_id FROM acknowledgements WHERE action = 'silence'")
            cli("unsilence", silence["action_id"], *who)
            wait_for(lambda: len(duty.received) > len(told), 120, "what was silenced and still fires is told at last")
            last = duty.received[-1]
            assert last.body["alert_id"] == alert_of(SILENCED)
            assert last.key == f"still-{last.body['transition_id']}"
            assert "【仍在告警】" in last.body["text"]
        finally:
            if notifier.running:
                notifier.end()
            stack.stop()
