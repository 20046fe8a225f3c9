"""Which indicators people look at together: the headings under which the screen, the dashboard and the pages show them.

The group follows from what an entry counts, so a new entry of the catalogue needs nothing here.
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from schemas.indicator import Indicator
from schemas.indicators import INDICATORS
from schemas.relations import RelationName


class Group(NamedTuple):
    """Indicators under one heading."""

    code: str
    name_zh: str
    name_en: str
    indicators: tuple[Indicator, ...] = ()


_TAKEAWAY: Final = Group("takeaway", "外卖阳光厨房与封签", "Kitchens and seals")
_CANTEENS: Final = Group("canteens", "食堂、供餐单位与经营主体", "Canteens and suppliers")
_BANQUETS: Final = Group("banquets", "农村家宴与乡厨", "Rural banquets")
_DUTIES: Final = Group("duties", "包保、承诺与督导（第2条）", "Duties of clause 2")
_IN_ORDER: Final = (_TAKEAWAY, _CANTEENS, _BANQUETS, _DUTIES)

_BY_RELATION: Final[dict[RelationName, Group]] = {
    "orders": _TAKEAWAY,
    "camera_slots": _TAKEAWAY,
    "findings": _TAKEAWAY,
    "villages": _CANTEENS,
    "banquets": _BANQUETS,
    "duties": _DUTIES,
    "duties_due": _DUTIES,
}
_BY_KIND: Final = {
    "takeaway": _TAKEAWAY,
    "banquet_centre": _BANQUETS,
    "banquet_cook": _BANQUETS,
    "cook_company": _BANQUETS,
}
_KIND: Final = re.compile(r"\bkind = '(\w+)'")


def _group_of(indicator: Indicator) -> Group:
    if indicator.relation in _BY_RELATION:
        return _BY_RELATION[indicator.relation]
    found = _KIND.search(indicator.where)
    return _BY_KIND.get(found[1], _CANTEENS) if found else _CANTEENS


def groups(catalogue: Iterable[Indicator] = INDICATORS) -> list[Group]:
    """All groups with their indicators, in the order in which they are shown."""
    entries = list(catalogue)
    return [
        group._replace(indicators=tuple(one for one in entries if _group_of(one).code == group.code))
        for group in _IN_ORDER
    ]


def main_window(indicator: Indicator) -> str:
    """The window to show where there is room for one: that on which alerts are judged."""
    return next(iter(indicator.alert_windows), indicator.windows[0])
