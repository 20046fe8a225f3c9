"""The AsyncAPI document as a page for people: all of it is text, it runs no script."""

import json
from typing import Any

from markupsafe import Markup
from starlette.responses import Response

from pipeline.gateway.items import MEDIA_TYPES
from pipeline.gateway.pages.asyncapi import asyncapi
from pipeline.gateway.pages.asyncapi_channels import ANSWER_WORDS, KAFKA_WORDS, MQTT_WORDS, REJECTED_WORDS
from pipeline.gateway.pages.asyncapi_messages import types_of
from pipeline.gateway.pages.html import digest, page, rendered, resource
from schemas.catalogue import MODELS, STREAMS
from schemas.event import Event, EventData
from schemas.examples import example
from schemas.field_words import fields


def asyncapi_page() -> Response:
    """The page."""
    document = asyncapi()
    style = Markup(resource("asyncapi.css"))
    html = rendered(
        "asyncapi.html",
        document=document,
        style=style,
        streams={stream: types_of(stream) for stream in STREAMS},
        words={"kafka": KAFKA_WORDS, "mqtt": MQTT_WORDS, "answers": ANSWER_WORDS, "rejected": REJECTED_WORDS},
        media_types=MEDIA_TYPES,
        attributes=Event.model_fields,
        models=[_shown(model) for model in MODELS],
    )
    return page(html, f"style-src {digest(style)}", "img-src data:")


def _shown(model: type[EventData]) -> dict[str, Any]:
    return {
        "type": model.type,
        "summary": (model.__doc__ or "").strip(),
        "fields": list(fields(model)),
        "example": json.dumps(example(model.type), ensure_ascii=False, indent=2),
    }
