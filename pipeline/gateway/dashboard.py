"""The page at `/`: one document that loads nothing from elsewhere and shows only what /v1/rates and /v1/alerts say."""

import base64
import hashlib
from importlib.resources import files
from typing import Any, Final

import orjson
from starlette.responses import Response

from pipeline.indicator_groups import groups, main_window
from schemas.findings import FINDINGS
from schemas.indicators import CATALOGUE
from schemas.places import PLATFORMS
from schemas.relations import RelationName
from schemas.towns import TOWNS
from sinks.notify import words

_PLATFORMS_EN: Final = {"meituan": "Meituan", "eleme": "Ele.me", "jd": "JD", "douyin": "Douyin", "other": "other"}
_UNITS: Final[dict[RelationName, tuple[str, str]]] = {
    "operators": ("家", "operators"),
    "villages": ("村", "villages"),
    "duties": ("项", "duties"),
    "orders": ("单", "orders"),
    "banquets": ("场", "banquets"),
    "findings": ("条", "findings"),
    "duties_due": ("项", "duties"),
    "camera_slots": ("时段", "slots"),
}


def page() -> Response:
    """The page with the names of indicators, towns and platforms in it. A browser runs its one script and no other, so
    a text that gets into the page by mistake stays a text."""
    names = orjson.dumps(_names()).decode().replace("<", "\\u003c")
    script = _text("dashboard.js").replace("/*ALERTS*/", _text("dashboard_alerts.js")).replace("/*NAMES*/null", names)
    html = _text("dashboard.html").replace("/*STYLE*/", _text("dashboard.css")).replace("/*SCRIPT*/", script)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; connect-src 'self'; img-src data:; script-src 'sha256-{digest}'; "
        "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
    return Response(html, 200, headers, "text/html")


def _text(name: str) -> str:
    return files("pipeline.gateway").joinpath(name).read_text(encoding="utf-8")


def _names() -> dict[str, Any]:
    """What the page calls things, in both languages, and what it has to know of each indicator to show its rates."""
    return {
        "groups": [
            {
                "code": group.code,
                "zh": group.name_zh,
                "en": group.name_en,
                "indicators": [one.code for one in group.indicators],
            }
            for group in groups()
        ],
        "indicators": {
            one.code: {
                "zh": one.name_zh,
                "en": one.name_en,
                "clause": one.clause,
                "kind": one.kind,
                "counts": one.counts,
                "windows": one.windows,
                "main": main_window(one),
                "unit": dict(zip(("zh", "en"), _UNITS[one.relation], strict=True)),
            }
            for one in CATALOGUE.values()
        },
        "towns": {code: town.name for code, town in TOWNS.items()},
        "alerts": {code: _both(name) for code, name in words.NAMES.items()},
        "streams": {stream: _both(name) for stream, name in words.STREAM_NAMES.items()},
        "facts": {fact: _both(name) for fact, name in words.FACTS},
        "findings": {one.code: {"zh": one.label, "en": words.finding_name(one.code, "en")} for one in FINDINGS},
        "platforms": {code: {"zh": chinese, "en": _PLATFORMS_EN[code]} for code, chinese in PLATFORMS.items()},
    }


def _both(name: words.Words) -> dict[str, str]:
    return {"zh": name.zh, "en": name.en}
