"""The page at `/`: one file that loads nothing from elsewhere and shows only what /v1/rates and /v1/alerts say."""

import base64
import hashlib
from importlib.resources import files
from typing import Final

import orjson
from starlette.responses import Response

from schemas.indicators import CATALOGUE
from schemas.towns import TOWNS

_PLATFORMS: Final = {
    "meituan": ("美团", "Meituan"),
    "eleme": ("饿了么", "Ele.me"),
    "jd": ("京东", "JD"),
    "douyin": ("抖音", "Douyin"),
    "other": ("其他平台", "other"),
}


def page() -> Response:
    """The page with the names of indicators, towns and platforms in it. A browser runs its one script and no other, so
    a text that gets into the page by mistake stays a text."""
    names = {
        "indicators": {
            one.code: {"zh": one.name_zh, "en": one.name_en, "kind": one.kind, "counts": one.counts}
            for one in CATALOGUE.values()
        },
        "towns": {code: town.name for code, town in TOWNS.items()},
        "platforms": {code: {"zh": chinese, "en": english} for code, (chinese, english) in _PLATFORMS.items()},
    }
    html = files("pipeline.gateway").joinpath("dashboard.html").read_text(encoding="utf-8")
    html = html.replace("/*NAMES*/null", orjson.dumps(names).decode().replace("<", "\\u003c"))
    script = html.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; connect-src 'self'; img-src data:; script-src 'sha256-{digest}'; "
        "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
    return Response(html, 200, headers, "text/html")
