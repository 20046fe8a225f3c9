"""`yangguang vendor`: a dry run shows the event that results or the reason why not, before anything is sent."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli import cli
from pipeline.settings import SettingsError
from tests.pipeline.vendors.samples import BOX, CAMERA, MESSAGE, NOON, TABLE

Run = Callable[..., Result]

UNKNOWN = {**MESSAGE, "box": "box-8/1"}
FUTURE = {**MESSAGE, "alarm": {**MESSAGE["alarm"], "at": "2298-01-01 12:00:00"}}
ALIYUN = {"Event": "device_status", "DeviceId": "1", "GbId": CAMERA, "DeviceStatus": "on", "Time": NOON}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in a folder with a vendor `box`, its mapping and its devices."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("YANGGUANG_CONFIG", raising=False)
    Path("box.toml").write_text(f"description = 'a box'\nevents = '''{BOX}'''\n", encoding="utf-8")
    Path("devices.csv").write_text(TABLE, encoding="utf-8")
    Path("yangguang.toml").write_text("[vendor.box]\nmapping = 'box.toml'\ndevices = 'devices.csv'\n", encoding="utf-8")

    def call(*arguments: str, status: int = 0, typed: str | None = None) -> Result:
        result = CliRunner().invoke(cli, ["vendor", *arguments], input=typed)
        assert result.exit_code == status, result.output
        return result

    return call


def write(*messages: object, array: bool = False) -> str:
    text = json.dumps(messages, indent=2) if array else "\n".join(map(json.dumps, messages))
    Path("messages").write_text(text, encoding="utf-8")
    return "messages"


def test_the_event_that_results_is_shown_and_where_it_would_go(run: Run) -> None:
    text = run("test", write(MESSAGE)).stdout
    assert "message 1: accepted, for yangguang.camera" in text
    assert '"time": "2026-03-01T12:00:00+08:00"' in text
    assert text.splitlines()[-1] == "messages: 1, events: 1, refused: 0, ignored: 0"


def test_a_message_that_gives_no_event_is_shown_with_its_reason_and_the_value_and_the_status_is_1(run: Run) -> None:
    text = run("test", write(MESSAGE, UNKNOWN), status=1).stdout
    assert "message 2: refused, not_mapped: the mapping failed: $device: the table of devices has no such" in text
    assert "  $device: box-8/1 is not in the table" in text
    assert text.splitlines()[-1] == "messages: 2, events: 1, refused: 1, ignored: 0"


def test_an_event_that_would_be_refused_is_shown_with_the_reason_of_the_judge(run: Run) -> None:
    text = run("test", write(FUTURE), status=1).stdout
    assert "message 1: refused, future_time at /time: is more than 5 minutes ahead of the clock" in text


def test_messages_may_be_lines_an_array_one_object_over_lines_or_standard_input(run: Run) -> None:
    expected = json.loads(run("test", write(MESSAGE, MESSAGE), "--json").stdout)
    assert [one["message"] for one in expected] == [1, 2]
    assert json.loads(run("test", write(MESSAGE, MESSAGE, array=True), "--json").stdout) == expected
    Path("messages").write_text(json.dumps(MESSAGE, indent=2), encoding="utf-8")
    assert json.loads(run("test", "messages", "--json").stdout) == expected[:1]
    assert json.loads(run("test", "-", "--json", typed=json.dumps(MESSAGE)).stdout) == expected[:1]


def test_as_json_each_message_has_its_outcome(run: Run) -> None:
    mapped, refused = json.loads(run("test", write(MESSAGE, UNKNOWN), "--json", status=1).stdout)
    assert (mapped["outcome"], mapped["events"][0]["topic"]) == ("mapped", "yangguang.camera")
    assert mapped["events"][0]["event"]["data"]["vendor_code"] == "605"
    assert (refused["outcome"], refused["reason"], refused["events"]) == ("refused", "not_mapped", [])
    (ignored,) = json.loads(
        run("test", write({**ALIYUN, "Event": "device_alarm"}), "--mapping", "aliyun-vecs", "--devices", "devices.csv",
            "--json").stdout
    )  # fmt: skip
    assert (ignored["outcome"], ignored["why"]) == (
        "ignored",
        "alarms of the device itself are no findings in a kitchen",
    )


def test_broken_json_is_one_message_that_is_refused_and_a_broken_line_does_not_take_the_others_with_it(
    run: Run,
) -> None:
    text = run("test", "-", status=1, typed='{\n"box":').stdout
    assert text.splitlines()[-1] == "messages: 1, events: 0, refused: 1, ignored: 0"
    assert "refused, not_json: " in text
    text = run("test", "-", status=1, typed=f"{json.dumps(MESSAGE)}\n{{\n{json.dumps(MESSAGE)}\n").stdout
    assert text.splitlines()[-1] == "messages: 3, events: 2, refused: 1, ignored: 0"


def test_a_file_without_messages_is_told_of(run: Run) -> None:
    for typed in ("", "\n", "[]"):
        assert "has no message: write one" in run("test", "-", status=1, typed=typed).output


def test_a_mapping_may_be_tried_before_it_is_configured(run: Run) -> None:
    Path("yangguang.toml").unlink()
    given = ("--devices", "devices.csv")
    assert "accepted" in run("test", write(MESSAGE), "--mapping", "box.toml", *given).stdout
    assert "accepted" in run("test", write(ALIYUN), "--mapping", "aliyun-vecs", *given).stdout


def test_what_is_to_be_tried_has_to_be_clear(run: Run) -> None:
    file = write(MESSAGE)
    for arguments, words in (
        (("--mapping", "box.toml"), "the mapping asks $device whose a device is: add --devices"),
        (("--mapping", "box.toml", "--vendor", "box"), "exclude each other"),
        (("--vendor", "box", "--devices", "devices.csv"), "--devices belongs to --mapping"),
    ):
        assert words in run("test", file, *arguments, status=2).output
    for arguments in (("--vendor", "nobody"), ("--mapping", "nobody"), ("--mapping", "nobody.toml")):
        result = run("test", file, *arguments, status=1)
        assert isinstance(result.exception, SettingsError)
    Path("yangguang.toml").write_text("", encoding="utf-8")
    assert "which mapping? Add --mapping" in run("test", file, status=2).output


def test_the_list_has_the_configured_vendors_and_the_shipped_mappings(run: Run) -> None:
    listed = json.loads(run("list", "--json").stdout)
    (box,) = listed["configured"]
    assert (box["name"], box["verified"], box["devices"]) == ("box", False, 2)
    assert [one["name"] for one in listed["shipped"]] == ["aliyun-vecs", "ctyun-vaas", "huawei-vias"]
    assert all(one["sources"] for one in listed["shipped"])
    assert "huawei-vias" in run("list").stdout


def test_a_shipped_mapping_can_be_printed_to_begin_ones_own_with(run: Run) -> None:
    Path("mine.toml").write_text(run("show", "aliyun-vecs").stdout, encoding="utf-8")
    assert "accepted" in run("test", write(ALIYUN), "--mapping", "mine.toml", "--devices", "devices.csv").stdout
