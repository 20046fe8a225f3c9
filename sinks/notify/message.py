"""What people read: a transition as one message, in Chinese, with the numbers behind the rate."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from schemas.indicator import percent
from schemas.indicators import CATALOGUE
from schemas.places import place_label

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
SENT_STATES: Final = ("firing", "resolved")
"""States that people are told of; pending and ok are in the table and on the topic only."""
SENT_KINDS: Final = ("rate",)
"""Kinds of alerts that there is a message for; conditions are in the table and on the topic only."""

_WINDOWS: Final = {"now": "当前", "1h": "近1小时", "24h": "近24小时", "7d": "近7天", "30d": "近30天", "365d": "近365天"}
_MOMENTS: Final = ("as_of", "since", "recorded_at")


def compose(transition: Mapping[str, Any]) -> dict[str, Any]:
    """The message of one transition as it is on the topic: its columns, worst places and a text; moments Shanghai's."""
    message = {name: value for name, value in transition.items() if name not in ("held", "step")}
    for name in _MOMENTS:
        message[name] = _moment(transition[name]).isoformat()
    message["worst"] = [
        dict(zip(("scope", "scope_id", "name", "numerator", "denominator", "rate"), one, strict=True))
        for one in transition["worst"]
    ]
    message["text"] = text(transition)
    return message


def text(transition: Mapping[str, Any]) -> str:
    """One line: what, where, the number with what is behind it, the target, since when, and the worst places."""
    code = str(transition["indicator"])
    entry = CATALOGUE.get(code)
    what = entry.name_zh if entry else code
    where = place_label(str(transition["scope"]), str(transition["scope_id"]))
    window = _WINDOWS.get(str(transition["window"]), str(transition["window"]))
    number = _number(transition, counts=bool(entry and entry.counts))
    target = transition["target"]
    wanted = "" if target is None else f"，目标{percent(target) if not (entry and entry.counts) else f'{target:g}'}"
    at = _moment(transition["as_of"]).strftime("%Y-%m-%d %H:%M")
    beyond = "超出" if entry and entry.comparator == "<=" else "低于"
    state = {"firing": f"{beyond}要求，告警", "resolved": "已恢复，告警解除"}.get(
        str(transition["to_state"]), "状态变化"
    )
    worst = "；".join(f"{one[2]}{percent(one[5])}（{one[3]}/{one[4]}）" for one in transition["worst"])
    return f"{where}{what}{window}{number}{wanted}，{state}（{at}）" + (f"。较差：{worst}" if worst else "")


def _number(transition: Mapping[str, Any], *, counts: bool) -> str:
    if counts:
        return f"{transition['numerator']}个"
    if transition["rate"] is None:
        return "无数据"
    unknown = f"，其中未知{transition['unknown']}" if transition["unknown"] else ""
    return f"{percent(transition['rate'])}（{transition['numerator']}/{transition['denominator']}{unknown}）"


def _moment(value: Any) -> datetime:
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(SHANGHAI)
