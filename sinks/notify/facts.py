"""What messages say of an event alert's facts, and times as people read them."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

import orjson

from schemas.indicator import SHANGHAI
from sinks.notify.envelope import Line
from sinks.notify.words import FACTS, REVIEWS, VENUES, Language, Words, finding_name, place_name, rate_name

_CERTIFICATES: Final = ("training_valid_until", "health_valid_until")
_MISSED: Final = {
    "banquet_unguided": Words("已开席，未见开席前的指导记录", "the meal has begun without guidance on record"),
    "banquet_cook_uncertified": Words(
        "已开席，未见乡厨的有效证件", "the meal has begun without a certified cook on record"
    ),
}


def moment(value: Any) -> datetime:
    """A time on the topic or of ClickHouse, in Asia/Shanghai."""
    known = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return (known if known.tzinfo else known.replace(tzinfo=UTC)).astimezone(SHANGHAI)


def clock(value: Any) -> str:
    """A time as people read it, to the minute."""
    return moment(value).strftime("%Y-%m-%d %H:%M")


def facts_of(transition: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an event alert knows of its subject; nothing where that is not readable."""
    try:
        found = orjson.loads(transition.get("facts") or "{}")
    except (orjson.JSONDecodeError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def missed(transition: Mapping[str, Any]) -> Words | None:
    """What is to be said of a banquet's alert that is over only because the meal has begun: nothing was put right."""
    said = _MISSED.get(str(transition["indicator"]))
    try:
        held_at = moment(facts_of(transition)["held_at"])
    except (KeyError, ValueError):
        return None
    return said if held_at <= moment(transition["as_of"]) else None


def event_words(transition: Mapping[str, Any], language: Language) -> tuple[str, list[Line]]:
    """Title and facts of an event alert."""
    facts = facts_of(transition)
    code = str(transition["indicator"])
    gap = "" if language == "zh" else " "
    where = place_name(str(transition["scope"]), str(transition["scope_id"]), language)
    # a supplier's own record has its name as a record has it
    who = str(facts.get("operator_name") or (code == "supplier_certificate_ending" and facts.get("name")) or "")
    what = rate_name(code, language)
    if code == "supplier_certificate_ending" and _has_ended(facts.get("valid_until"), transition):
        what = Words("校外供餐单位证书已到期", "supplier's certificate has ended").said(language)
    if code == "finding_critical" and facts.get("finding"):
        what = f"{what}{'：' if language == 'zh' else ': '}{finding_name(str(facts['finding']), language)}"
    title = f"{where}{gap}{who}{gap if who else ''} {what}".replace("  ", " ")
    lines = []
    for name, label in FACTS:
        value = facts.get(name)
        in_title = name == "operator_name" or (name == "finding" and code == "finding_critical")
        if value not in (None, "") and not in_title:
            lines.append(Line(label.said(language), _said(name, value, language)))
    if code == "banquet_cook_uncertified" and facts:
        lines += _cook(facts, language)
    if transition["to_state"] == "resolved" and (ended := _ended(code, facts)):
        lines.append(Line(Words("结果", "result").said(language), ended.said(language)))
    if code == "finding_critical" and facts.get("operator_id") and not who:
        lines.append(Line(Words("单位编号", "business id").said(language), str(facts["operator_id"])))
    subject = str(transition.get("subject") or "")
    if subject and subject != facts.get("camera_id"):
        lines.append(Line(Words("编号", "id").said(language), subject))
    return title, lines


def _ended(code: str, facts: Mapping[str, Any]) -> Words | None:
    """By what it is over, where the record says so."""
    if code == "supplier_certificate_ending" and facts.get("status") not in (None, "active"):
        return Words("单位已停业或注销", "the supplier has closed")
    if facts.get("status") == "cancelled":
        return Words("家宴已取消", "the banquet is cancelled")
    return REVIEWS.get(str(facts.get("review")))


def _cook(facts: Mapping[str, Any], language: Language) -> list[Line]:
    """Whether a cook is named at all, and which certificates nothing is known of."""
    cook = str(facts.get("cook_id") or "")
    lines = [Line(Words("乡厨", "cook").said(language), cook or Words("未填报", "none named").said(language))]
    for name, label in FACTS:
        if cook and name in _CERTIFICATES and not facts.get(name):
            lines.append(Line(label.said(language), Words("无记录", "nothing on record").said(language)))
    return lines


def _has_ended(valid_until: Any, transition: Mapping[str, Any]) -> bool:
    """Whether a certificate's last day is over."""
    try:
        return date.fromisoformat(str(valid_until)) < moment(transition["as_of"]).date()
    except ValueError:
        return False


def _said(name: str, value: Any, language: Language) -> str:
    if name == "finding":
        return finding_name(str(value), language)
    if name == "venue" and value in VENUES:
        return VENUES[value].said(language)
    text = str(value)
    try:
        if len(text) == len("2026-11-25"):
            return date.fromisoformat(text).isoformat()
        return clock(text) if name.endswith(("_at", "_until", "_since")) else text
    except ValueError:
        return text
