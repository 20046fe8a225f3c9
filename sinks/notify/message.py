"""What people and machines are told: a transition, or what is about several or about the pipeline, as one message.

Pure: what a message knows beyond its transition comes as a briefing, and times come as arguments.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from sinks.clickhouse.briefing import Briefing
from sinks.notify.envelope import Line, Link, Message, Severity, chinese_for_machines
from sinks.notify.facts import clock, moment
from sinks.notify.summary import Progress, summary
from sinks.notify.telling import Late, WhyLate, counts, told
from sinks.notify.trend import draw_trend
from sinks.notify.words import (
    ELSE_TODO,
    OUTAGE_NAMES,
    OUTAGE_TODO,
    Language,
    Words,
    lasted,
    place_name,
    rate_name,
)

__all__ = [
    "SENT_STATES", "Late", "Progress", "WhyLate", "compose", "digest", "outage", "severity", "summary", "test_message",
    "watchdog",
]  # fmt: skip

SENT_STATES: Final = ("firing", "resolved")
"""States that people are told of; pending and ok are in the table and on the topic only."""

_MOMENTS: Final = ("as_of", "since", "recorded_at")
_WORST: Final = ("scope", "scope_id", "name", "numerator", "denominator", "rate")
_GRAVITY: Final[Mapping[Severity, int]] = {"info": 0, "warning": 1, "critical": 2}
_DIGEST_LINES: Final = 5


def severity(transition: Mapping[str, Any]) -> Severity:
    """How urgent a transition is: `critical` wakes people, `warning` can wait for the morning."""
    code, scope, kind = str(transition["indicator"]), transition["scope"], transition["kind"]
    if kind == "event":
        urgent = code != "supplier_certificate_ending"
    elif kind == "condition":
        urgent = code in ("stale", "error") or (code == "no_data" and scope == "city")
    else:
        urgent = scope == "city"
    return "critical" if urgent else "warning"


def compose(
    transition: Mapping[str, Any],
    briefing: Briefing = Briefing(),  # noqa: B008 - immutable and empty
    *,
    language: Language = "zh",
    base_url: str = "",
    links: Sequence[Link] = (),
    late: Late | None = None,
) -> Message:
    """The message of one transition as it is on the topic.

    :param briefing: what is known beyond it.
    :param language: of what people read; the text of `body` is Chinese always.
    :param base_url: of the dashboard, without a slash at its end; no link where it is empty.
    :param links: what a person can do by opening it, such as acknowledge.
    :param late: why it is told after its minute, where it is."""
    telling = told(transition, briefing, language, late)
    if transition["to_state"] == "firing" and not links:  # nothing to open: commands want the alert's own name
        named = Line(Words("告警编号", "alert").said(language), str(transition["alert_id"]))
        telling = telling._replace(lines=(*telling.lines, named))
    chinese = told(transition, briefing, "zh", late).paragraph("zh")
    page = (Link(Words("详情", "dashboard").said(language), _page(base_url, language)),) if base_url else ()
    weight = severity(transition)
    body = {name: value for name, value in transition.items() if name not in ("held", "step")}
    for name in _MOMENTS:
        body[name] = moment(transition[name]).isoformat()
    body["worst"] = [dict(zip(_WORST, one, strict=True)) for one in transition["worst"]]
    body["severity"] = weight
    if late is not None:
        body["late"] = late.why
    body["worst_operators"] = [one._asdict() for one in briefing.operators]
    body["text"] = chinese + " ".join(_to_open(transition, links, base_url))
    rate = transition["kind"] == "rate"
    picture = draw_trend(briefing.trend, transition["target"], counts=counts(transition)) if rate else b""
    return Message(
        id=str(transition["transition_id"]),
        kind="alert",
        state="resolved" if transition["to_state"] == "resolved" else "firing",
        severity=weight,
        title=telling.title,
        text=telling.paragraph(language),
        lines=telling.lines,
        links=(*page, *links),
        picture=picture,
        body=body,
    )


def _to_open(transition: Mapping[str, Any], links: Sequence[Link], base_url: str) -> list[str]:
    """What a machine hands to people beside the text: what to open, or by which name commands know the alert."""
    opened = [f"{one.label}：{one.url}" for one in links]
    if transition["to_state"] == "firing" and not links:
        opened.append(f"告警编号：{transition['alert_id']}")
    return [*opened, f"详情：{_page(base_url, 'zh')}"] if base_url else opened


def _page(base_url: str, language: Language) -> str:
    return f"{base_url.rstrip('/')}/{'#en' if language == 'en' else ''}"


def digest(messages: Sequence[Message], *, language: Language = "zh") -> Message:
    """Many messages as one: how many of what and where, the worst first. The same messages make the same id.

    An alert is told of once, as the last of its messages leaves it: who reads that it fires can rely on it."""
    ids = sorted(one.id for one in messages)
    standing = _last_of_each(messages)
    graver = sorted(standing, key=lambda one: (one.state != "firing", -_GRAVITY[one.severity]))
    firing = sum(one.state == "firing" for one in standing)
    resolved = sum(one.state == "resolved" for one in standing)
    if language == "zh":
        title = f"【汇总】{len(standing)}项：告警中{firing}，已恢复{resolved}"
    else:
        title = f"[DIGEST] {len(standing)} matters: {firing} firing, {resolved} resolved"
    named = [one for one in standing if one.kind == "alert"]
    kinds = Counter(rate_name(str(one.body["indicator"]), language) for one in named)
    places = Counter(
        place_name(str(one.body["scope"]), str(one.body["scope_id"]), language)
        for one in named
        if one.body["scope"] != "source"
    )
    lines = [
        Line(label.said(language), "、".join(f"{name} {count}" for name, count in counted.most_common(_DIGEST_LINES)))
        for label, counted in ((Words("按指标", "by indicator"), kinds), (Words("按地点", "by place"), places))
        if counted
    ]
    lines += [Line(str(place), one.title) for place, one in enumerate(graver[:_DIGEST_LINES], 1)]
    if len(standing) > _DIGEST_LINES:
        rest = len(standing) - _DIGEST_LINES
        said = Words(f"其余{rest}条见 yangguang alerts list", f"{rest} more in `yangguang alerts list`")
        lines.append(Line("…", said.said(language)))
    known = hashlib.sha256("\n".join(ids).encode()).hexdigest()[:32]
    links = tuple(dict.fromkeys(link for one in messages for link in one.links[:1] if _is_page(link)))
    weights: list[Severity] = [one.severity for one in messages]
    weight = max(weights, key=lambda one: _GRAVITY[one])
    told_as = _paragraph(title, lines, language)
    return Message(
        id=f"digest-{known}",
        kind="digest",
        state="firing" if firing else "resolved" if resolved else "info",
        severity=weight,
        title=title,
        text=told_as,
        lines=tuple(lines),
        links=links,
        body={"id": f"digest-{known}", "kind": "digest", "ids": ids, "text": told_as},
    )


def _last_of_each(messages: Sequence[Message]) -> list[Message]:
    """Of each alert the last message, by the minute that it tells of and then by its place; of the rest all."""
    last: dict[str, tuple[str, int]] = {}
    for place, one in enumerate(messages):
        about = str(one.body.get("alert_id") or one.id)
        last[about] = max(last.get(about, ("", -1)), (str(one.body.get("as_of", "")), place))
    return [messages[place] for _, place in sorted(last.values(), key=lambda found: found[1])]


def _is_page(link: Link) -> bool:
    """Whether it leads to the dashboard and not to one alert."""
    return link.label in ("详情", "dashboard")


def _paragraph(title: str, lines: Sequence[Line], language: Language) -> str:
    colon, stop = ("：", "。") if language == "zh" else (": ", ". ")
    return stop.join([title, *(f"{one.label}{colon}{one.value}" for one in lines)]) + stop.strip()


@chinese_for_machines
def watchdog(at: datetime, *, language: Language = "zh") -> Message:
    """A sign of life: who no longer gets it knows that alerts do not get through."""
    minute = moment(at).replace(second=0, microsecond=0)
    title = Words("【值守】告警通道正常", "[WATCHDOG] alerts get through").said(language)
    lines = [
        Line(Words("时间", "at").said(language), clock(minute)),
        Line(
            Words("说明", "note").said(language),
            Words("定时消息；未按时收到说明告警链路中断", "sent regularly; if it stays away, alerts do too").said(
                language
            ),
        ),
    ]
    return _plain(f"watchdog-{_stamp(minute)}", "watchdog", "info", "info", title, lines, language)


@chinese_for_machines
def outage(what: str, since: datetime, over: datetime | None = None, *, language: Language = "zh") -> Message:
    """Something that the pipeline needs, such as Kafka, is away, or is back.

    :param what: its name, in ASCII.
    :param over: when it came back; None while it is away."""
    lines = [Line(Words("起于", "since").said(language), clock(since))]
    name = f"outage-{what.lower()}-{_stamp(moment(since))}-{'begin' if over is None else 'over'}"
    called = OUTAGE_NAMES.get(what, Words(what, what)).said(language)
    body = {"alert_id": f"outage.{what.lower()}", "since": moment(since).isoformat()}
    if over is None:
        title = Words(f"【故障】{called} 中断", f"[OUTAGE] {called} is away").said(language)
        effect = Words("恢复前可能收不到新的告警", "new alerts may not get through until it is back")
        todo = OUTAGE_TODO.get(what, ELSE_TODO)
        lines.append(Line(Words("影响", "effect").said(language), effect.said(language)))
        lines.append(Line(Words("处理", "to do").said(language), todo.said(language)))
        return _plain(name, "outage", "firing", "critical", title, lines, language, body)
    title = Words(f"【恢复】{called} 已恢复", f"[RESOLVED] {called} is back").said(language)
    lines.append(Line(Words("恢复于", "resolved at").said(language), clock(over)))
    lines.append(Line(Words("持续", "lasted").said(language), lasted((over - since).total_seconds(), language)))
    body["as_of"] = moment(over).isoformat()
    return _plain(name, "outage", "resolved", "critical", title, lines, language, body)


def test_message(channel: str, at: datetime) -> Message:
    """What `yangguang alerts test-channel` sends."""
    title = "【测试】告警通道测试 channel test"
    lines = [Line("通道", channel), Line("时间", clock(at)), Line("说明", "无需处理 nothing to do")]
    return _plain(f"test-{channel}-{_stamp(moment(at), seconds=True)}", "test", "info", "info", title, lines, "zh")


test_message.__test__ = False  # type: ignore[attr-defined]  # pytest takes the name for a test


def _stamp(at: datetime, *, seconds: bool = False) -> str:
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ" if seconds else "%Y%m%dT%H%MZ")


def _plain(
    name: str,
    kind: Any,
    state: Any,
    weight: Severity,
    title: str,
    lines: Sequence[Line],
    language: Language,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> Message:
    told_as = _paragraph(title, lines, language)
    body = {"id": name, "kind": kind, "state": state, "severity": weight, "text": told_as, **more}
    return Message(name, kind, state, weight, title, told_as, tuple(lines), body=body)
