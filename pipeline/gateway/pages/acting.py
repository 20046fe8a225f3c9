"""The page behind the link of a message: what fires, and the form by which people act."""

from collections.abc import Sequence
from functools import cache
from http import HTTPStatus

from markupsafe import Markup
from starlette.responses import Response

from pipeline.gateway.pages.html import digest, page, rendered, resource


def answer_page(
    title: str,
    text: str = "",
    facts: Sequence[tuple[str, str]] = (),
    *,
    press: str = "",
    status: HTTPStatus = HTTPStatus.OK,
) -> Response:
    """A page in Chinese.

    :param text: one sentence; what was done, or why nothing was.
    :param facts: of the alert, as label and value.
    :param press: by which a form that comes twice is known to be the same; with it one can act."""
    style = _style()
    html = rendered("acting.html", title=title, text=text, facts=facts, press=press, style=Markup(style))
    made = page(html, f"style-src {digest(style)}", *(("form-action 'self'",) if press else ()))
    made.status_code = status.value
    made.headers["Cache-Control"] = "no-store"
    return made


@cache
def _style() -> str:
    return resource("acting.css")
