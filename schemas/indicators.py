"""The catalogue of indicators: one declarative entry each, from which SQL, labels, alert rules and documents derive.

The clauses are those of the food and drug safety work points of Zhuji city for 2023. Adding an indicator is adding an
entry here.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

from schemas.indicator import Dated, Indicator, Number, Numbers, Scope

FLOW_WINDOWS: Final = ("1h", "24h", "7d", "30d")
LONG_WINDOWS: Final = ("7d", "30d", "365d")
"""Of what happens a few times a day."""

_DOCUMENT: Final = date(2023, 1, 1)
_YEAR_END: Final = date(2026, 12, 31)
"""The document asks for some numbers by the end of the year; the next year's day is set in the configuration."""
_ALL_SCOPES: Final[tuple[Scope, ...]] = ("city", "town", "platform")

_LICENSEES: Final = "kind = 'takeaway' AND status = 'active' AND notEmpty(platforms) AND ordered"
_ELDERCARE: Final = "kind = 'eldercare_canteen' AND status = 'active'"
_SCHOOLS: Final = "kind = 'school_canteen' AND status = 'active'"
_DELIVERY_UNITS: Final = "kind = 'delivery_unit' AND status = 'active'"
_BANQUETS: Final = "status NOT IN ('draft', 'cancelled') AND diners >= {diners}"
_TIER: Final = "From how many diners a banquet counts is a local assumption; DB33/T 2346-2021 files from 100 persons."


def _target(value: float) -> Numbers:
    """A target that is valid since the document."""
    return (Dated[Number].model_validate({"from": _DOCUMENT, "value": value}),)


def _stock(**fields: Any) -> Indicator:
    return Indicator(**{"relation": "operators", "floor": 1, "clause": "20", **fields})


def _count(**fields: Any) -> Indicator:
    return _stock(counts=True, **fields)


def _seal(**fields: Any) -> Indicator:
    return Indicator(
        relation="orders",
        where="fulfilment = 'delivered'",
        windows=FLOW_WINDOWS,
        alert_windows=("1h",),
        settle=timedelta(minutes=15),
        scopes=_ALL_SCOPES,
        clause="20",
        floor=30,
        **fields,
    )


def _banquet(**fields: Any) -> Indicator:
    return Indicator(
        **{
            "relation": "banquets",
            "where": _BANQUETS,
            "windows": LONG_WINDOWS,
            "alert_windows": ("30d",),
            "clause": "20",
            "floor": 30,
            "target": _target(0.95),
            "local_target": True,
            "assumption": _TIER,
            **fields,
            "parameters": {"diners": 100, **fields.get("parameters", {})},
        }
    )


INDICATORS: Final = (
    _stock(
        code="kitchen_build",
        name_zh="外卖商家阳光厨房建设率",
        name_en="Takeaway sunshine-kitchen build rate",
        where=_LICENSEES,
        numerator="kitchen = 'active'",
        unknown="kitchen = ''",
        words="Active takeaway licensees whose kitchen is built and working, of all active takeaway licensees. "
        "Unknown: no kitchen event at all.",
        assumption="Who counts as an active licensee (an order in the last 30 times 24 hours) and as built (state "
        "active) is a local assumption.",
        target=_target(0.90),
        scopes=_ALL_SCOPES,
    ),
    _stock(
        code="kitchen_build_loose",
        name_zh="外卖商家阳光厨房建设率（含降级）",
        name_en="Takeaway sunshine-kitchen build rate, degraded ones included",
        where=_LICENSEES,
        numerator="kitchen IN ('active', 'degraded')",
        unknown="kitchen = ''",
        words="As kitchen_build, with kitchens that are built but degraded counted too. Shown only.",
        assumption="As kitchen_build.",
        comparator=None,
        scopes=_ALL_SCOPES,
    ),
    Indicator(
        code="camera_online",
        name_zh="阳光厨房在线率",
        name_en="Sunshine-kitchen camera online rate",
        clause="20",
        relation="camera_slots",
        where="status = 'active'",
        numerator="online AND advancing AND picture IN ('ok', 'blurred')",
        words="Slots of 5 minutes in which a camera sent a healthy heartbeat (online, stream advancing, picture "
        "neither black, covered nor frozen), of all slots that begin in the business hours of its active operator, "
        "from the slot after the camera's first heartbeat on.",
        assumption="Target, slot and what is healthy are local; GB/T 28181 asks for a keepalive every 60 s.",
        target=_target(0.95),
        local_target=True,
        windows=FLOW_WINDOWS,
        alert_windows=("1h",),
        floor=1,
    ),
    _seal(
        code="seal_coverage",
        name_zh="外卖封签使用率",
        name_en="Takeaway seal coverage",
        numerator="seal_state = 'intact' AND evidence_level >= 2 AND sealed_packages >= packages",
        unknown="seal_state = 'unknown' OR evidence_level < 2",
        words="Delivered orders whose every package has an intact seal at evidence level 2 or more, of all delivered "
        "orders. Unknown: the seal's state is not known, or the evidence is below level 2.",
        assumption="The document gives no number; evidence level 2 (rider's photo or confirmation) is local.",
        target=_target(0.90),
        local_target=True,
    ),
    _seal(
        code="seal_evidence",
        name_zh="外卖封签证据率",
        name_en="Takeaway seal evidence",
        numerator="evidence_level >= 1",
        words="Delivered orders with evidence of level 1 or more, of all delivered orders. Shown only.",
        comparator=None,
    ),
    _count(
        code="eldercare_kitchens",
        name_zh="养老机构食堂阳光厨房",
        name_en="Elder-care canteens with a sunshine kitchen",
        clause="18",
        where=_ELDERCARE,
        numerator="kitchen = 'active'",
        words="Active elder-care canteens whose kitchen is built and working.",
        target=_target(14),
        deadline=_YEAR_END,
    ),
    _count(
        code="eldercare_grade_ab",
        name_zh="养老机构食堂AB级",
        name_en="Elder-care canteens graded A or B",
        clause="18",
        where=_ELDERCARE,
        numerator="grade IN ('A', 'B')",
        words="Active elder-care canteens with hygiene grade A or B.",
        target=_target(14),
        deadline=_YEAR_END,
    ),
    _stock(
        code="caring_canteen_villages",
        name_zh="爱心食堂助餐覆盖率",
        name_en="Villages served by a caring canteen",
        clause="18",
        relation="villages",
        where="true",
        numerator="served",
        words="Villages and communities that an active caring canteen serves, of all.",
        target=_target(0.75),
        deadline=_YEAR_END,
    ),
    _count(
        code="school_grade_c",
        name_zh="学校食堂C级",
        name_en="School canteens at grade C",
        where=_SCHOOLS,
        numerator="grade = 'C'",
        words="Active school canteens with hygiene grade C; there should be none.",
        comparator="<=",
        target=_target(0),
    ),
    _stock(
        code="supplier_certified",
        name_zh="校外供餐单位HACCP/ISO22000覆盖率",
        name_en="Off-campus suppliers with a valid certificate",
        where="kind = 'school_supplier' AND status = 'active'",
        numerator="certified",
        words="Active school suppliers with a HACCP or ISO 22000 certificate that is valid on the day, of all.",
        target=_target(1.00),
    ),
    _count(
        code="school_6h",
        name_zh="学校食堂6H达标单位",
        name_en="School canteens meeting 6H",
        clause="12",
        where=_SCHOOLS,
        numerator="has(accepted, '6H')",
        words="Active school canteens that have been accepted as meeting 6H.",
        target=_target(40),
        deadline=_YEAR_END,
    ),
    _count(
        code="school_model",
        name_zh="高水平学校食堂管理示范单位",
        name_en="Model school canteens",
        clause="12",
        where=_SCHOOLS,
        numerator="has(accepted, 'model')",
        words="Active school canteens that have been accepted as models.",
        target=_target(5),
        deadline=_YEAR_END,
    ),
    _count(
        code="nutrition_canteens",
        name_zh="营养健康食堂（餐厅）",
        name_en="Nutrition canteens and restaurants",
        clause="18",
        where="status = 'active'",
        numerator="has(accepted, 'nutrition')",
        words="Active operators of any kind that have been accepted as nutrition canteen or restaurant.",
        target=_target(1),
        deadline=_YEAR_END,
    ),
    _count(
        code="dining_streets",
        name_zh="阳光餐饮街区",
        name_en="Sunshine dining streets",
        where="kind = 'dining_street' AND status = 'active'",
        numerator="true",
        words="Active dining streets.",
        target=_target(3),
        deadline=_YEAR_END,
    ),
    _count(
        code="cook_companies",
        name_zh="乡厨家宴一体化服务公司",
        name_en="Banquet cook service companies",
        where="kind = 'cook_company' AND status = 'active'",
        numerator="true",
        words="Active cook companies. Shown only: the document encourages them without a number.",
        comparator=None,
    ),
    _stock(
        code="delivery_unit_grade_b",
        name_zh="集体用餐配送单位B级以上占比",
        name_en="Collective-meal delivery units graded B or better",
        where=_DELIVERY_UNITS,
        numerator="grade IN ('A', 'B')",
        unknown="grade = 'ungraded'",
        words="Active delivery units with hygiene grade A or B, of all. Unknown: not graded.",
        target=_target(0.80),
    ),
    _stock(
        code="delivery_unit_certified",
        name_zh="集体用餐配送单位HACCP/ISO22000通过率",
        name_en="Collective-meal delivery units with a valid certificate",
        where=_DELIVERY_UNITS,
        numerator="certified",
        words="Active delivery units with a HACCP or ISO 22000 certificate that is valid on the day, of all.",
        target=_target(0.70),
    ),
    _stock(
        code="staffing",
        name_zh="食品安全总监和安全员配备率",
        name_en="Food-safety director and officer staffing",
        clause="5",
        where="status = 'active' AND kind NOT IN ('banquet_cook', 'cook_company', 'dining_street')",
        numerator="director AND officers >= 1",
        words="Active operators with a food-safety director and at least one officer, of all but cooks, cook companies "
        "and streets. What is not said counts as not staffed.",
        assumption="Which kinds are obliged is a local assumption.",
        target=_target(1.00),
    ),
    _stock(
        code="cook_certified",
        name_zh="乡厨持证率",
        name_en="Banquet cooks with valid training and health certificates",
        where="kind = 'banquet_cook' AND status = 'active'",
        numerator="trained AND healthy",
        words="Active banquet cooks whose training and health certificates are valid on the day, of all.",
        assumption="The document gives no number; the target is local.",
        target=_target(1.00),
        local_target=True,
    ),
    _banquet(
        code="banquet_filed",
        name_zh="农村家宴按时备案率",
        name_en="Rural banquets declared in time",
        numerator="declared_at <= held_at - toIntervalSecond({lead})",
        words="Banquets declared at least the lead time (72 hours) before the meal, of all of at least 100 diners that "
        "are not draft or cancelled.",
        assumption=f"{_TIER} The lead time and the target are local.",
        parameters={"lead": "72h"},
    ),
    _banquet(
        code="banquet_guided",
        name_zh="农村家宴指导率",
        name_en="Rural banquets guided before the meal",
        numerator="guided_at < held_at",
        words="Banquets that were guided on site before the meal, of all of at least 100 diners that are not draft or "
        "cancelled.",
        assumption=f"{_TIER} The target is local.",
    ),
    _banquet(
        code="banquet_cook_certified",
        name_zh="农村家宴乡厨持证率",
        name_en="Rural banquets with a certified cook",
        numerator="cook_trained AND cook_healthy",
        unknown="isNull(cook_id)",
        words="Banquets whose cook's training and health certificates cover the day of the meal, of all of at least "
        "100 diners that are not draft or cancelled. Unknown: no cook is named.",
        assumption=f"{_TIER} The target is local.",
    ),
    _banquet(
        code="banquet_samples",
        name_zh="农村家宴留样率",
        name_en="Rural banquets that retained samples",
        where="status IN ('held', 'closed') AND diners >= {diners}",
        numerator="samples_retained",
        unknown="isNull(samples_retained)",
        words="Banquets that retained food samples, of all of at least 100 diners that were held or closed. Unknown: "
        "nothing is said of samples.",
        assumption=f"{_TIER} The target is local.",
    ),
    Indicator(
        code="finding_closure",
        name_zh="整改闭环率",
        name_en="Findings closed in time",
        clause="20",
        relation="findings",
        where="review IN ('confirmed', 'closed')",
        numerator="review = 'closed' AND closed_at <= due_at + toIntervalSecond({grace})",
        words="Findings that were closed by their due time, of all that are confirmed or closed and have a due time.",
        assumption="The target is local, and so is the grace period after the due time (none).",
        target=_target(0.90),
        local_target=True,
        windows=FLOW_WINDOWS,
        alert_windows=("7d",),
        floor=30,
        parameters={"grace": "0s"},
    ),
    _stock(
        code="guarantee_relations",
        name_zh="包保关系建立率",
        name_en="Guarantee relations established",
        clause="2",
        relation="duties",
        where="measure = 'guarantee_relation' AND status != 'void'",
        numerator="status = 'done'",
        words="Guarantee relations between an official and a business that are established, of all that are due.",
        target=_target(1.00),
    ),
    _stock(
        code="pledges_signed",
        name_zh="承诺书签订率",
        name_en="Pledges signed",
        clause="2",
        relation="duties",
        where="measure = 'pledge' AND status != 'void'",
        numerator="status = 'done'",
        words="Pledges that are signed, of all that are due.",
        target=_target(1.00),
    ),
    Indicator(
        code="supervision_visits",
        name_zh="督导完成率",
        name_en="Supervision visits completed in time",
        clause="2",
        relation="duties_due",
        where="measure = 'supervision_visit' AND status != 'void'",
        numerator="status = 'done' AND done_at <= due_at + toIntervalSecond({grace})",
        words="Supervision visits done by their due time, of all that were due.",
        assumption="The grace period after the due time (none) is local.",
        target=_target(1.00),
        windows=LONG_WINDOWS,
        alert_windows=("30d",),
        floor=30,
        parameters={"grace": "0s"},
    ),
)

CATALOGUE: Final[Mapping[str, Indicator]] = {indicator.code: indicator for indicator in INDICATORS}
