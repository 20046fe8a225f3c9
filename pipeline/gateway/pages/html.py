"""HTML pages of the gateway: a template of ours, a policy that lets the browser load nothing but what the page has."""

import base64
import hashlib
import re
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import Response

_SHUT: Final = ("default-src", "base-uri", "form-action", "frame-ancestors")
_CODE: Final = re.compile(r"`([^`]+)`")


def _with_code(text: str) -> Markup:
    """Text in which what stands between backticks is code. Everything else is text, whatever it looks like."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))


_ENVIRONMENT: Final = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
_ENVIRONMENT.filters["code"] = _with_code


def resource(name: str) -> str:
    """A file of this package."""
    return files("pipeline.gateway.pages").joinpath(name).read_text(encoding="utf-8")


def rendered(template: str, **values: Any) -> str:
    """The page of a template of this package."""
    return _ENVIRONMENT.from_string(resource(template)).render(values)


def page(html: str, *policy: str) -> Response:
    """The page as an answer. The browser runs and loads only what the policy names.

    :param policy: Content-Security-Policy directives that open what is shut otherwise.
    """
    opened = {directive.partition(" ")[0] for directive in policy}
    shut = [f"{name} 'none'" for name in _SHUT if name not in opened]  # of two the browser takes the first
    headers = {
        "Content-Security-Policy": "; ".join((*shut, *policy)),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
    return Response(html, 200, headers, "text/html")


def digest(text: str) -> str:
    """A script or style as a policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
