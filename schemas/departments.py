"""Which department of the city answers for what: column department of the table of targets."""

from collections.abc import Mapping
from typing import Any, Final

FOOD_SAFETY_OFFICE: Final = "市食药安办"
MARKET: Final = "市市场监管局"
CIVIL: Final = "市民政局"
EDUCATION: Final = "市教体局"
HEALTH: Final = "市卫生健康局"
DEPARTMENTS: Final = (FOOD_SAFETY_OFFICE, MARKET, CIVIL, EDUCATION, HEALTH)

_OFFICE_AND_MARKET: Final = (FOOD_SAFETY_OFFICE, MARKET)
_OF_CODES: Final[dict[str, tuple[str, ...]]] = {
    "kitchen_build": _OFFICE_AND_MARKET,
    "seal_coverage": _OFFICE_AND_MARKET,
    "eldercare_kitchens": (CIVIL, MARKET),
    "eldercare_grade_ab": (CIVIL, MARKET),
    "caring_canteen_villages": (CIVIL,),
    "school_grade_c": (EDUCATION, MARKET),
    "supplier_certified": (EDUCATION, MARKET),
    "school_6h": (EDUCATION,),
    "school_model": (EDUCATION,),
    "dining_streets": _OFFICE_AND_MARKET,
    "delivery_unit_grade_b": _OFFICE_AND_MARKET,
    "delivery_unit_certified": _OFFICE_AND_MARKET,
    "banquet_filed": _OFFICE_AND_MARKET,
    "banquet_guided": _OFFICE_AND_MARKET,
    "banquet_cook_certified": _OFFICE_AND_MARKET,
    "banquet_samples": _OFFICE_AND_MARKET,
    "cook_certified": _OFFICE_AND_MARKET,
    "cook_companies": _OFFICE_AND_MARKET,
    "nutrition_canteens": (HEALTH,),
    "staffing": (MARKET,),
    "guarantee_relations": (FOOD_SAFETY_OFFICE,),
    "pledges_signed": (FOOD_SAFETY_OFFICE,),
    "supervision_visits": (FOOD_SAFETY_OFFICE,),
    # operating rates, by the target that they help to reach: the table has none of their own
    "kitchen_build_loose": _OFFICE_AND_MARKET,
    "camera_online": _OFFICE_AND_MARKET,
    "finding_closure": _OFFICE_AND_MARKET,
    "seal_evidence": _OFFICE_AND_MARKET,
    # events, by the rate that they are about: the table has none of their own
    "finding_critical": _OFFICE_AND_MARKET,
    "banquet_unguided": _OFFICE_AND_MARKET,
    "banquet_cook_uncertified": _OFFICE_AND_MARKET,
    "school_camera_dark": (EDUCATION, MARKET),
    "supplier_certificate_ending": (EDUCATION, MARKET),
}


def departments_of(transition: Mapping[str, Any]) -> tuple[str, ...]:
    """Who answers for what an alert is about. A condition about an indicator is its departments', one of the pipeline
    itself nobody's."""
    code = str(transition["indicator"])
    return _OF_CODES.get(code) or _OF_CODES.get(str(transition.get("subject", "")), ())
