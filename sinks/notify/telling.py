"""What a message says of one transition: a title and labelled facts, in Chinese or English, for a phone at night."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from schemas.indicator import NOT_JUDGED, percent
from schemas.indicators import CATALOGUE
from sinks.clickhouse.briefing import Briefing
from sinks.notify.envelope import Line
from sinks.notify.facts import clock, event_words, missed, moment
from sinks.notify.words import (
    OWN_TOWN,
    TOWNS_CONCERNED,
    WORST_TOWNS,
    Language,
    Words,
    lasted,
    place_name,
    rate_name,
    refusal_name,
    stream_name,
    what_to_do,
    window_name,
)

_MARKS: Final = {"firing": Words("告警", "FIRING"), "resolved": Words("恢复", "RESOLVED")}
_LATE: Final = {
    "unanswered": Words("已通知他人，无人确认", "others were told, nobody acknowledged"),
    "undelivered": Words("通知未能送达，无人确认", "others could not be told, nobody acknowledged"),
    "held_back": Words("维护或静默期间未发送", "held back until now by a maintenance or a silence"),
    "inhibited": Words("全市已恢复，此处仍未恢复", "the city has recovered, and this has not"),
}
_PAST: Final = Words("，已过", ", over")
_PUT_OFF: Final = Words("目标另定期限，到期前不作判断", "the target has a new deadline and is not judged before it")
_UNITS: Final = ("s", "m", "h", "d")


WhyLate = Literal["unanswered", "undelivered", "held_back", "inhibited"]


class Late(NamedTuple):
    """Why an alert is told after its minute: others were told and nobody has acknowledged; they could not be told and
    nobody has; a maintenance or a silence held it back until now; or the city's alert did, and is over."""

    why: WhyLate
    since: datetime
    """When others were told, when it was recorded, or when the city's alert was over."""


class Telling(NamedTuple):
    """A message's words."""

    title: str
    lines: tuple[Line, ...]

    def paragraph(self, language: Language) -> str:
        """Title and facts as one paragraph."""
        if language == "zh":
            return "。".join([self.title, *(f"{one.label}：{one.value}" for one in self.lines)]) + "。"
        return ". ".join([self.title, *(f"{one.label}: {one.value}" for one in self.lines)]) + "."


def number(row: Mapping[str, Any], language: Language) -> str:
    """Short: a share as a percentage, a count as itself."""
    if counts(row):
        return f"{row['numerator']}个" if language == "zh" else str(row["numerator"])
    return Words("无数据", "no data").said(language) if row["rate"] is None else percent(row["rate"])


def counts(row: Mapping[str, Any]) -> bool:
    """Whether the number is one of units rather than a share of them."""
    entry = CATALOGUE.get(str(row["indicator"]))
    return bool(entry and entry.counts)


def target_of(row: Mapping[str, Any]) -> str:
    """The target with its direction, such as `≥90.0%`; empty where there is none."""
    target = row.get("target")
    if target is None:
        return ""
    sign = "≤" if _at_most(row) else "≥"
    return f"{sign}{target:g}" if counts(row) else f"{sign}{percent(target)}"


def _at_most(row: Mapping[str, Any]) -> bool:
    entry = CATALOGUE.get(str(row["indicator"]))
    return row["indicator"] == "rejects_high" or bool(entry and entry.comparator == "<=")


def of_all(row: Mapping[str, Any], language: Language) -> str:
    """The number with what is behind it: numerator, denominator and unknown."""
    if counts(row) or row["rate"] is None:
        return number(row, language)
    unknown = Words("，其中未知", ", unknown ").said(language) + str(row["unknown"]) if row["unknown"] else ""
    return percent(row["rate"]) + aside(f"{row['numerator']}/{row['denominator']}{unknown}", language)


def aside(text: str, language: Language) -> str:
    """In brackets."""
    return f"（{text}）" if language == "zh" else f" ({text})"


def several(texts: Sequence[str], language: Language) -> str:
    """A list."""
    return ("；" if language == "zh" else "; ").join(texts)


def told(transition: Mapping[str, Any], briefing: Briefing, language: Language, late: Late | None = None) -> Telling:
    """The words of a transition of any kind."""
    title, lines = _head(transition, language)
    mark = _MARKS.get(str(transition["to_state"]), Words("变化", "CHANGED")).said(language)
    if late is not None:
        why = f"{clock(late.since)} {_LATE[late.why].said(language)}"
        if late.why in ("held_back", "inhibited"):
            mark = Words("仍在告警", "STILL FIRING").said(language)
            lines.append(_line(Words("说明", "note"), why, language))
        else:
            mark = Words("升级", "ESCALATED").said(language)
            lines.append(_line(Words("升级原因", "escalated"), why, language))
    if transition["to_state"] == "resolved":
        said = _PUT_OFF if transition["reason"] == NOT_JUDGED else missed(transition)
        if said is not None:
            mark = Words("结束", "OVER").said(language)
            lines.append(_line(Words("说明", "note"), said.said(language), language))
        elif transition["kind"] != "rate":
            title += Words("，已解除", ", over").said(language)
    if briefing.deadline is not None and transition["to_state"] == "firing":
        lines.append(_line(Words("期限", "deadline"), f"{briefing.deadline}{_PAST.said(language)}", language))
    lines = [*lines, *_times(transition, briefing, language)]
    firing = transition["to_state"] == "firing"
    short = [one for one in transition["worst"] if firing and _falls_short(one, transition)]
    if short:
        worst = several([_worst(one, transition, language) for one in short], language)
        lines.append(_line(Words("较差", "worst"), worst, language))
    if firing and briefing.operators:
        stock = transition["window"] == "now"
        who = "商户" if str(transition["indicator"]).startswith(("kitchen_build", "seal_")) else "单位"
        named = [
            one.name if stock else one.name + aside(f"{one.numerator}/{one.denominator}", language)
            for one in briefing.operators
        ]
        lines.append(
            _line(Words(f"未达标{who}" if stock else f"较差{who}", "businesses"), several(named, language), language)
        )
    if briefing.still_firing:
        still = several([place_name(*one, language) for one in briefing.still_firing], language)
        lines.append(_line(Words("仍在告警", "still firing"), still, language))
    towns = OWN_TOWN if transition["scope"] == "town" else WORST_TOWNS if short else TOWNS_CONCERNED
    if firing and (todo := what_to_do(str(transition["indicator"]), language, towns)):
        lines.append(_line(Words("处理", "to do"), todo, language))
    marked = f"【{mark}】{title}" if language == "zh" else f"[{mark}] {title}"
    return Telling(marked, tuple(lines))


def headline(row: Mapping[str, Any], language: Language) -> str:
    """What a title says of a row of `alerts`, without its state: where, what and the number."""
    return _head({"reason": "", **row, "to_state": ""}, language)[0]


def _head(transition: Mapping[str, Any], language: Language) -> tuple[str, list[Line]]:
    head = {"condition": _condition, "event": event_words}.get(str(transition["kind"]), _rate)
    return head(transition, language)


def _line(label: Words, value: str, language: Language) -> Line:
    return Line(label.said(language), value)


def _falls_short(one: Any, transition: Mapping[str, Any]) -> bool:
    """Whether one of the worst places is on the wrong side of the target: of few places the best are among them."""
    target, rate = transition["target"], one[5]
    return target is None or (rate > target if _at_most(transition) else rate < target)


def _worst(one: Any, transition: Mapping[str, Any], language: Language) -> str:
    scope, scope_id, name, numerator, denominator, rate = one
    where = name if language == "zh" else f"{place_name(scope, scope_id, language)} "
    if counts(transition):
        return f"{where}{number({**transition, 'numerator': numerator}, language)}"
    return f"{where}{percent(rate)}{aside(f'{numerator}/{denominator}', language)}"


def _times(transition: Mapping[str, Any], briefing: Briefing, language: Language) -> list[Line]:
    if transition["to_state"] != "resolved":
        return [_line(Words("起于", "since"), clock(transition["since"]), language)]
    ended = Words("结束于", "ended at") if missed(transition) else Words("恢复于", "resolved at")
    lines = [_line(ended, clock(transition["since"]), language)]
    if briefing.fired_at is not None:
        seconds = (moment(transition["since"]) - moment(briefing.fired_at)).total_seconds()
        lines.append(_line(Words("起于", "since"), clock(briefing.fired_at), language))
        lines.append(_line(Words("持续", "lasted"), lasted(seconds, language), language))
    return lines


def _rate(transition: Mapping[str, Any], language: Language) -> tuple[str, list[Line]]:
    code, scope, scope_id = (str(transition[name]) for name in ("indicator", "scope", "scope_id"))
    gap = "" if language == "zh" else " "
    what = f"{place_name(scope, scope_id, language)}{gap}{rate_name(code, language)} {number(transition, language)}"
    if transition["to_state"] == "firing" and transition["target"] is not None:
        side = Words("，高于要求", ", above target") if _at_most(transition) else Words("，低于要求", ", below target")
        what += side.said(language)
    window = window_name(str(transition["window"]), language)
    lines = [Line(window, of_all(transition, language))]
    if target := target_of(transition):
        lines.append(_line(Words("目标", "target"), target, language))
    return what, lines


def _condition(transition: Mapping[str, Any], language: Language) -> tuple[str, list[Line]]:
    code, scope, scope_id, subject = (
        str(transition.get(name) or "") for name in ("indicator", "scope", "scope_id", "subject")
    )
    name = rate_name(code, language)
    colon = "：" if language == "zh" else ": "
    where = scope_id if scope == "source" else place_name(scope, scope_id, language)
    firing = transition["to_state"] == "firing"
    lines: list[Line] = []
    if code == "rejects_high":
        refused = f"{transition['numerator']}/{transition['denominator']}"
        said = "" if transition["rate"] is None else f" {percent(transition['rate'])}"
        lines.append(
            _line(Words("拒收", "refused"), refused + aside(_window(transition, language), language), language)
        )
        _, _, mostly = str(transition["reason"]).partition("mostly ")
        if mostly:
            lines.append(_line(Words("主要原因", "mostly"), refusal_name(mostly, language), language))
        return f"{name}{colon}{where}{said}", lines
    thing = rate_name(subject, language) if code in ("error", "no_activity") else stream_name(subject, language)
    between = "：" if code == "no_activity" else ""
    title = f"{where}{thing}{between}{name}" if language == "zh" else f"{where}: {thing}: {name}"
    if code == "no_data" and firing:
        silent = Words("已超过", "longer than ").said(language) + _window(transition, language)
        lines.append(_line(Words("无数据时长", "silent for"), silent, language))
        effect = Words("依赖该数据的比率无法判断", "rates of this stream cannot be judged")
        lines.append(_line(Words("影响", "effect"), effect.said(language), language))
    elif code == "stale" and firing:
        effect = Words("所有状态保持不变，不告警也不解除", "all states stay: nothing fires, nothing resolves")
        lines.append(_line(Words("影响", "effect"), effect.said(language), language))
    elif code == "no_activity" and firing:
        lines.append(_line(Words("时段", "window"), window_name(str(transition["window"]), language), language))
    elif code == "error" and firing:
        effect = Words("该指标暂不判断", "the indicator is not judged meanwhile")
        lines.append(_line(Words("影响", "effect"), effect.said(language), language))
    return title, lines


def _window(transition: Mapping[str, Any], language: Language) -> str:
    window = str(transition["window"])
    if not window[:-1].isdigit() or window[-1] not in _UNITS:
        return window
    units = dict(
        zip(_UNITS, (Words("秒", " s"), Words("分钟", " min"), Words("小时", " h"), Words("天", " d")), strict=True)
    )
    return f"{window[:-1]}{units[window[-1]].said(language)}"
