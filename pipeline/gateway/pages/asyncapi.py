"""The AsyncAPI document for those who push over Kafka or MQTT without the HTTP gateway, from the same models.

The operations are yangguang's own: what it receives a producer sends."""

from importlib.metadata import version
from typing import Any, Final

from pipeline.gateway.pages.asyncapi_channels import channels, operations
from pipeline.gateway.pages.asyncapi_messages import messages, schemas, short
from schemas.catalogue import REJECTED_TOPIC, STREAMS
from schemas.event import MAX_BYTES

Document = dict[str, Any]

_ABOUT: Final = f"""不经 HTTP、直接用 Kafka 或 MQTT 推送事件的说明。操作以本系统为主语：系统接收的，由生产方发送。

How to push events straight to Kafka or MQTT. The operations are yangguang's own: what it receives a producer sends.

An event is one CloudEvents 1.0 event in structured JSON mode, at most {MAX_BYTES} bytes of UTF-8. It is known by \
`type`, `source` and `id`, and counts once, however often it is sent. Strings of `data` are trimmed and brought to \
Unicode NFC before the rules of the schemas are looked at.

What cannot be accepted is kept in `{REJECTED_TOPIC}` and shown in view `rejected`. Over MQTT an answer says it at once.
"""


def asyncapi() -> Document:
    """The document, AsyncAPI 3.0."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "yangguang 阳光: Kafka, MQTT",
            "version": version("yangguang"),
            "description": _ABOUT,
            "license": {"name": "Apache-2.0"},
            "tags": [{"name": short(stream)} for stream in STREAMS],
        },
        "defaultContentType": "application/cloudevents+json",
        "servers": _servers(),
        "channels": channels(),
        "operations": operations(),
        "components": {
            "schemas": schemas(),
            "messages": messages(),
            "securitySchemes": {
                **{
                    name: {"type": name, "description": "A user of the installation's Kafka"}
                    for name in ("scramSha512", "scramSha256", "plain")
                },
                "userPassword": {"type": "userPassword", "description": "A user of the installation's MQTT broker"},
            },
        },
    }


def _servers() -> dict[str, Any]:
    sasl = [{"$ref": f"#/components/securitySchemes/{name}"} for name in ("scramSha512", "scramSha256", "plain")]
    user = [{"$ref": "#/components/securitySchemes/userPassword"}]
    mqtt: dict[str, Any] = {"protocolVersion": "5.0", "security": user}
    return {
        "kafka": _server("kafka", "9092", "Kafka on this machine or inside a trusted network"),
        "kafka-secure": _server("kafka-secure", "9093", "Kafka over TLS with a user") | {"security": sasl},
        "mqtt": _server("mqtt", "1883", "An MQTT broker on this machine or inside a trusted network") | mqtt,
        "mqtt-secure": _server("secure-mqtt", "8883", "An MQTT broker over TLS") | mqtt,
    }


def _server(protocol: str, port: str, description: str) -> dict[str, Any]:
    return {
        "host": "{host}:{port}",
        "protocol": protocol,
        "description": description,
        "variables": {
            "host": {"description": "Name or address of the broker", "default": "127.0.0.1"},
            "port": {"description": "Its port", "default": port},
        },
    }
