"""The interactive page of the HTTP interface: Swagger UI from a package, so a browser loads nothing from elsewhere.

The package `fastapi-swagger` brings the files of Swagger UI's releases as they are; of it only these files are used."""

from importlib.resources import files
from pathlib import Path
from typing import Final

from markupsafe import Markup
from starlette.responses import FileResponse, Response

from pipeline.gateway.pages.html import digest, page, rendered, resource

BUNDLE: Final = "swagger-ui-bundle.js"
STYLE: Final = "swagger-ui.css"
ASSETS: Final = {BUNDLE: "text/javascript", STYLE: "text/css"}
_PACKAGE: Final = "fastapi_swagger.resources"
_A_DAY: Final = "public, max-age=86400"


def docs_page() -> Response:
    """The page."""
    start = Markup(resource("docs.js"))
    html = rendered("docs.html", title="yangguang 阳光: HTTP", style=STYLE, bundle=BUNDLE, start=start)
    return page(
        html,
        f"script-src 'self' {digest(start)}",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
    )


def asset(name: str) -> Response:
    """A file of Swagger UI. Raises KeyError for any other name."""
    headers = {"Cache-Control": _A_DAY, "X-Content-Type-Options": "nosniff"}
    return FileResponse(Path(str(files(_PACKAGE) / name)), headers=headers, media_type=ASSETS[name])
