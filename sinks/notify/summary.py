"""The daily summary: what fires, what happened in the last 24 hours, what is below its target, and the year's ends."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

from schemas.indicator import percent
from schemas.indicators import CATALOGUE
from sinks.notify.envelope import Line, Message, chinese_for_machines
from sinks.notify.facts import clock
from sinks.notify.telling import headline, of_all, several, target_of
from sinks.notify.words import Language, Words, rate_name

MOST: Final = 10
"""Lines of one kind; how many more there are is said."""


class Progress(NamedTuple):
    """How far a target with a deadline is: `value` is the number, or the share, of the city."""

    indicator: str
    value: float
    target: float
    deadline: date

    def expected(self, day: date) -> float:
        """What a straight line from the beginning of the deadline's year to the deadline asks for on a day."""
        begins = date(self.deadline.year, 1, 1)
        whole = (self.deadline - begins).days or 1
        return self.target * min(max((day - begins).days / whole, 0.0), 1.0)


@chinese_for_machines
def summary(
    day: date,
    rates: Sequence[Mapping[str, Any]],
    open_alerts: Sequence[Mapping[str, Any]],
    transitions: Sequence[Mapping[str, Any]],
    progress: Sequence[Progress],
    *,
    language: Language = "zh",
) -> Message:
    """The message of a day.

    :param rates: rows of `rates_now`; the city's that are below their target are named, others counted.
    :param open_alerts: rows of `alerts` that fire.
    :param transitions: rows of `alert_transitions` of the last 24 hours.
    :param progress: targets with a deadline, which are measured against the plan and not against the target."""
    zh = language == "zh"
    firing = [one for one in open_alerts if one.get("state", one.get("to_state")) == "firing"]
    fired = sum(one["to_state"] == "firing" for one in transitions)
    resolved = sum(one["to_state"] == "resolved" for one in transitions)
    planned = {one.indicator for one in progress}
    bad = [one for one in rates if one["status"] == "below" and one["indicator"] not in planned and _is_judged(one)]
    below = [one for one in bad if one["scope"] == "city"]
    behind = sum(one.value < one.expected(day) for one in progress)
    title = (
        f"【日报】{day} 告警中{len(firing)}，未达标{len(below)}，进度落后{behind}"
        if zh
        else f"[SUMMARY] {day}: {len(firing)} firing, {len(below)} below target, {behind} behind plan"
    )
    lines = [
        Line(
            Words("近24小时", "last 24 hours").said(language),
            Words(f"新告警{fired}，恢复{resolved}", f"{fired} fired, {resolved} resolved").said(language),
        )
    ]
    since = Words("，起于", ", since ").said(language)
    lines += _listed(
        Words("告警中", "firing").said(language),
        [headline(one, language) + since + clock(one["since"]) for one in firing],
        language,
    )
    wanted = Words("，目标", ", target ").said(language)
    lines += _listed(
        Words("未达标", "below target").said(language),
        [
            f"{rate_name(str(one['indicator']), language)} {of_all(one, language)}{wanted}{target_of(one)}"
            for one in below
        ],
        language,
    )
    if places := len(bad) - len(below):
        said = Words(f"{places}项", str(places)).said(language)
        lines.append(Line(Words("乡镇和平台未达标", "below target in towns and platforms").said(language), said))
    lines += [Line(rate_name(one.indicator, language), _far(one, day, language)) for one in progress]
    colon, stop = ("：", "。") if zh else (": ", ". ")
    text = stop.join([title, *(f"{one.label}{colon}{one.value}" for one in lines)]) + stop.strip()
    name = f"summary-{day.isoformat()}"
    body = {"id": name, "kind": "summary", "text": text, "firing": len(firing), "below": len(below), "behind": behind}
    return Message(name, "summary", "info", "info", title, text, tuple(lines), body=body)


def _is_judged(row: Mapping[str, Any]) -> bool:
    """Whether the window is one that alerts are judged on: a number is named once, not for each of its windows."""
    entry = CATALOGUE.get(str(row["indicator"]))
    return entry is None or row["window"] in entry.alert_windows


def _listed(label: str, said: Sequence[str], language: Language) -> list[Line]:
    if not said:
        return [Line(label, Words("无", "none").said(language))]
    more = [Words(f"另有{len(said) - MOST}项", f"{len(said) - MOST} more").said(language)] if len(said) > MOST else []
    return [Line(label, several([*said[:MOST], *more], language))]


def _far(one: Progress, day: date, language: Language) -> str:
    """Such as `12/14，按时间应达 12.6，落后`."""
    entry = CATALOGUE.get(one.indicator)
    share = entry is not None and not entry.counts
    expected = one.expected(day)
    ahead = one.value >= expected
    done = one.value >= one.target
    state = Words("已完成", "done") if done else Words("正常", "on plan") if ahead else Words("落后", "behind")
    reached, wanted, due = (
        (percent(one.value), percent(one.target), percent(expected))
        if share
        else (f"{one.value:g}", f"{one.target:g}", f"{expected:.1f}")
    )
    by_now = Words("，按时间应达 ", ", by now ").said(language)
    return f"{reached}/{wanted}{by_now}{due}{Words('，', ', ').said(language)}{state.said(language)}"
