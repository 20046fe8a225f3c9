"""The three chat platforms: what their answers mean, their signatures, their limits."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from sinks.notify.channel import Channel, Outcome
from sinks.notify.chat import ELLIPSIS, fitted
from sinks.notify.dingtalk import DingTalkChannel
from sinks.notify.feishu import RATES, FeishuChannel
from sinks.notify.wecom import WeComChannel
from tests.sinks.notify.messages import LINK, message
from tests.sinks.notify.platforms import SECRET, TOKEN, DingTalk, Feishu, Platform, WeCom, served

Make = Callable[[str, str], Channel]
THREE: Final[dict[str, tuple[type[Platform], Make]]] = {
    "dingtalk": (DingTalk, lambda url, secret: DingTalkChannel("duty", url, secret)),
    "wecom": (WeCom, lambda url, _secret: WeComChannel("duty", url)),
    "feishu": (Feishu, lambda url, secret: FeishuChannel("duty", url, secret)),
}
each: Final = pytest.mark.parametrize("name", list(THREE))
signing: Final = pytest.mark.parametrize("name", ["dingtalk", "feishu"])


def with_channel(
    name: str, act: Callable[[Channel], Awaitable[Any]], platform: Platform, secret: str = "", token: str = TOKEN
) -> Any:
    """Does something with a channel that is connected with a stand-in."""

    async def run() -> Any:
        async with served(platform) as server:
            made: Channel = THREE[name][1](platform.url(server).replace(TOKEN, token), secret)
            try:
                return await act(made)
            finally:
                await made.close()

    return asyncio.run(run())


def sent(name: str, platform: Platform, secret: str = "", token: str = TOKEN, **given_: Any) -> Outcome:
    outcome: Outcome = with_channel(name, lambda one: one.send(message(**given_)), platform, secret, token)
    return outcome


def shown(name: str, body: dict[str, Any]) -> str:
    """What people read of a body that the platform took."""
    if name == "feishu":
        return "\n".join(one["content"] for one in body["card"]["elements"])
    return str(body["markdown"]["content" if name == "wecom" else "text"])


@each
def test_a_message_is_delivered_when_the_code_in_the_body_is_0(name: str) -> None:
    platform = THREE[name][0]()
    assert sent(name, platform).word == "delivered"
    text = shown(name, platform.taken[0])
    assert "87.8%（3160/3599）" in text
    assert "目标：90.0%" in text
    assert f"[{LINK.label}]({LINK.url})" in text


@each
@pytest.mark.parametrize(
    "body", ["", "<html>ok</html>", "{}", "[]", "null", '{"errcode": "0"}', '{"code": false, "errcode": false}']
)
def test_http_200_alone_is_no_success(name: str, body: str) -> None:
    platform = THREE[name][0]()
    platform.answers = [web.Response(text=body)]
    assert sent(name, platform).word == "failed"


@each
@pytest.mark.parametrize("code", [-1, 99999])
def test_a_code_that_nobody_knows_is_tried_again(name: str, code: int) -> None:
    platform = THREE[name][0]()
    platform.answers = [web.json_response({"errcode": code, "code": code, "errmsg": "系统繁忙", "msg": "系统繁忙"})]
    outcome = sent(name, platform)
    assert outcome.word == "failed"
    assert "系统繁忙" in outcome.detail


@pytest.mark.parametrize(
    ("name", "code", "word", "wait"),
    [
        ("dingtalk", 130101, "failed", 600.0),
        ("dingtalk", 310000, "refused", 0.0),
        ("wecom", 45009, "failed", 60.0),
        ("wecom", 93000, "refused", 0.0),
        ("feishu", 11232, "failed", 10.0),
        ("feishu", 9499, "failed", 10.0),
        ("feishu", 19021, "refused", 0.0),
    ],
)
def test_the_documented_codes_mean_what_they_say(name: str, code: int, word: str, wait: float) -> None:
    platform = THREE[name][0]()
    platform.answers = [web.json_response({"errcode": code, "code": code})]
    outcome = sent(name, platform)
    assert (outcome.word, outcome.retry_after) == (word, wait)
    assert str(code) in outcome.detail


@signing
def test_a_signed_message_is_taken(name: str) -> None:
    assert sent(name, THREE[name][0](SECRET), SECRET).word == "delivered"


@signing
@pytest.mark.parametrize("secret", ["", "SECwrong"])
def test_an_unsigned_or_wrongly_signed_message_is_refused(name: str, secret: str) -> None:
    platform = THREE[name][0](SECRET)
    assert sent(name, platform, secret).word == "refused"
    assert not platform.taken


@each
def test_a_wrong_token_is_refused_and_never_told(
    name: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    token = "ffffffffdeadbeef"

    async def act(one: Channel) -> tuple[Outcome, str]:
        return await one.send(message()), repr(one)

    outcome, shown_as = with_channel(name, act, THREE[name][0](), SECRET, token)
    assert outcome.word == "refused"
    ours = [one.getMessage() for one in caplog.records if one.name != "aiohttp.access"]
    for text in (outcome.detail, shown_as, *ours, *capsys.readouterr()):
        assert token not in text
        assert SECRET not in text


@each
def test_nobody_there_is_worth_another_try_and_tells_no_address(name: str) -> None:
    async def run() -> Outcome:
        async with served(THREE[name][0]()) as server:
            pass
        one: Channel = THREE[name][1](f"{server}/{TOKEN}?key={TOKEN}", SECRET)
        outcome = await one.send(message())
        await one.close()
        return outcome

    outcome = asyncio.run(run())
    assert outcome.word == "failed"
    assert TOKEN not in outcome.detail


@each
@pytest.mark.parametrize("length", [1300, 6000, 30000])
@pytest.mark.parametrize("letter", ["食", "a", '"\n', "🔴"])
def test_what_is_too_long_is_cut_and_keeps_its_link(name: str, length: int, letter: str) -> None:
    platform = THREE[name][0](SECRET)
    outcome = sent(name, platform, SECRET, text=letter * length, lines=())
    assert outcome.word == "delivered"
    text = shown(name, platform.taken[0])
    assert LINK.url in text
    assert (ELLIPSIS in text) == (letter * length not in text)


@each
def test_a_channel_waits_on_its_own_side_before_the_platform_blocks_it(name: str) -> None:
    platform = THREE[name][0]()
    at_once = 5 if name == "feishu" else 20

    async def act(one: Channel) -> list[Outcome]:
        return [await one.send(message()) for _ in range(at_once + 1)]

    outcomes = with_channel(name, act, platform)
    assert [one.word for one in outcomes] == ["delivered"] * at_once + ["failed"]
    assert 0 < outcomes[-1].retry_after <= (1 if name == "feishu" else 70)
    assert platform.asked == at_once


@pytest.mark.parametrize("name", ["dingtalk", "wecom"])
@pytest.mark.parametrize("trip", [0.0, 9.5])
def test_a_platform_that_a_message_reaches_late_does_not_count_more_than_it_takes(
    name: str, trip: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform, passed, ours = THREE[name][0](), 0.0, time.time

    def arrives() -> float:
        nonlocal passed
        passed += trip if platform.asked == 1 else 0.0
        return time.monotonic() + passed

    monkeypatch.setattr(platform, "clock", arrives)
    monkeypatch.setattr(time, "time", lambda: ours() + passed)

    async def act(one: Channel) -> None:
        nonlocal passed
        while len(platform.taken) < 45 and passed < 300:
            outcome = await one.send(message())
            assert "errcode" not in outcome.detail or outcome.word == "delivered", f"{outcome.detail} after {passed} s"
            passed += 0.0 if outcome.word == "delivered" else 0.25

    with_channel(name, act, platform)
    assert platform.asked == len(platform.taken) == 45


def test_feishu_is_sent_at_most_100_a_minute_and_5_a_second() -> None:
    assert {(one.amount, one.get_expiry()) for one in RATES} == {(100, 60), (5, 1)}


def test_two_channels_with_one_robot_are_told_by_dingtalk_to_wait_ten_minutes() -> None:
    platform = DingTalk()

    async def run() -> Outcome:
        async with served(platform) as server:
            two = [DingTalkChannel(name, platform.url(server)) for name in ("day", "night")]
            outcomes = [await two[n % 2].send(message()) for n in range(21)]
            for one in two:
                await one.close()
            assert all(one.word == "delivered" for one in outcomes[:20])
            return outcomes[20]

    outcome = asyncio.run(run())
    assert (outcome.word, outcome.retry_after) == ("failed", 600.0)


def test_wecom_gets_the_picture_after_the_message() -> None:
    platform = WeCom()
    assert sent("wecom", platform, picture=b"\x89PNG trend") == Outcome("delivered", "errcode 0 ok")
    assert [one["msgtype"] for one in platform.taken] == ["markdown", "image"]


def test_a_picture_that_is_not_taken_changes_nothing_about_the_message() -> None:
    platform = WeCom(pictures=False)
    outcome = sent("wecom", platform, picture=b"\x89PNG trend")
    assert outcome.word == "delivered"
    assert "without its picture" in outcome.detail


def test_no_picture_follows_a_message_that_was_not_taken() -> None:
    platform = WeCom()
    sent("wecom", platform, token="gone-and-away", picture=b"\x89PNG trend")
    assert platform.asked == 1


@given(st.text(max_size=200), st.integers(10, 300))
def test_a_cut_text_fits_and_is_the_longest_that_does(text: str, most: int) -> None:
    def size(one: str) -> int:
        return len(one.encode("utf-8", "surrogatepass"))

    cut = fitted(text, most, size)
    assert size(cut) <= most
    if cut != text:
        kept = cut.removesuffix(ELLIPSIS)
        assert text.startswith(kept)
        assert size(text[: len(kept) + 1] + ELLIPSIS) > most
