"""What schemathesis has to be told, which it runs before it begins: how lines of events are written."""

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(_context: schemathesis.SerializationContext, value: object) -> bytes:
    """The body as it is: the page describes it as text."""
    return str(value).encode("utf-8", "replace")
