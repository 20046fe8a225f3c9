"""What people call the places that rates are shown for."""

from typing import Final

from schemas.towns import CITY_NAME, TOWNS

PLATFORMS: Final = {"meituan": "美团", "eleme": "饿了么", "jd": "京东", "douyin": "抖音", "other": "其他平台"}
"""Takeaway platforms and their Chinese names."""


def place_label(scope: str, scope_id: str) -> str:
    """Name of the city, of a town with its kind, or of a platform; what no table knows is its own name."""
    if scope == "city":
        return CITY_NAME
    if scope == "town" and scope_id in TOWNS:
        return TOWNS[scope_id].name + TOWNS[scope_id].kind
    return PLATFORMS.get(scope_id, scope_id) if scope == "platform" else scope_id
