"""Events as hypothesis makes them: valid ones, mutated ones, and what is no event at all."""

import json
from typing import Any, Final

from hypothesis import strategies as st

from tests.schemas.events import OPTIONAL, REQUIRED, whole

SURPRISING: Final = st.sampled_from(
    ["", " ", "\u3000", "NaN", "Infinity", "\u212a", "e\u0301", "NO_MAS\u212a", "é", "诸暨", "𠀀", "\x00", "\u0085",
     "1763870431", "2026-11-23", "2026-11-23T12:00:00", "2026-11-23T12:00:00.1234567Z", "24:00", "1٣:00", "3",
     "330681001", "x" * 64, "x" * 65, "x" * 257, "\ufeff", "a\u0323\u0301", "ﬁ"]
)  # fmt: skip
"""Texts at which validators differ."""

TEXTS: Final = st.one_of(SURPRISING, st.text(max_size=12))
SCALARS: Final = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 60),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXTS,
)
JSON_VALUES: Final = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6
)
NUMBERS_AS_TEXT: Final = st.sampled_from(
    ["1e400", "-1e400", "NaN", "-Infinity", "1E2", "-0", "3.0", "9" * 400, "1e-400"]
)
"""Numbers as nobody expects them, put into the finished text in place of a marker."""

_FIELDS: Final = sorted({name for kind in REQUIRED for name in REQUIRED[kind] | OPTIONAL[kind]} | {"extensions"})


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    """Valid events with some optional fields left out and free texts where texts are free."""
    kind = draw(st.sampled_from(sorted(REQUIRED)))
    event = whole(kind)
    for name in draw(st.sets(st.sampled_from(sorted(OPTIONAL[kind]) or ["extensions"]), max_size=4)):
        event["data"].pop(name, None)
    for name in ("name", "vendor_code", "reason", "code", "finding", "zone"):
        if name in event["data"] and draw(st.booleans()):
            event["data"][name] = draw(TEXTS.filter(lambda text: 1 <= len(text.strip()) <= 256))
    if draw(st.booleans()):
        event["data"]["extensions"] = draw(st.dictionaries(TEXTS, JSON_VALUES, max_size=3))
    if draw(st.booleans()):
        event["subject"] = draw(JSON_VALUES)
    return event


@st.composite
def mutated_events(draw: st.DrawFn) -> dict[str, Any]:
    """Valid events in which up to three values were replaced, at any depth, added or taken away."""
    event = draw(events())
    for _ in range(draw(st.integers(1, 3))):
        target: Any = draw(st.sampled_from([event, event.get("data"), event.get("data")]))
        while isinstance(target, dict | list) and target:
            place = draw(st.sampled_from(sorted(target) if isinstance(target, dict) else range(len(target))))
            if isinstance(target[place], dict | list) and draw(st.booleans()):
                target = target[place]
                continue
            what = draw(st.sampled_from(["replace", "replace", "delete", "add"]))
            if what == "replace" or isinstance(target, list):
                target[place] = draw(JSON_VALUES)
            elif what == "delete":
                del target[place]
            else:
                target[draw(st.sampled_from(_FIELDS) | TEXTS)] = draw(JSON_VALUES)
            break
    return event


@st.composite
def odd_bytes(draw: st.DrawFn) -> bytes:
    """Texts of mutated events with odd numbers, doubled keys, escapes, or some bytes changed."""
    event = draw(mutated_events())
    text = json.dumps(event, ensure_ascii=draw(st.booleans()))
    how = draw(st.sampled_from(["number", "double", "bytes", "cut", "nothing"]))
    if how == "number":
        text = text.replace(": 2", f": {draw(NUMBERS_AS_TEXT)}", 1)
    elif how == "double":
        name = draw(st.sampled_from(["type", "data", "id", *_FIELDS]))
        text = text.replace(f'"{name}": ', f'"{name}": {json.dumps(draw(JSON_VALUES))}, "{name}": ', 1)
    raw = text.encode(errors="surrogatepass")
    if how == "bytes":
        position = draw(st.integers(0, len(raw)))
        raw = raw[:position] + draw(st.binary(min_size=1, max_size=3)) + raw[position + draw(st.integers(0, 2)) :]
    elif how == "cut":
        raw = raw[: draw(st.integers(0, len(raw)))]
    return raw


def any_bytes() -> st.SearchStrategy[bytes]:
    """All that may arrive."""
    return st.one_of(
        events().map(lambda event: json.dumps(event, ensure_ascii=False).encode(errors="surrogatepass")),
        mutated_events().map(lambda event: json.dumps(event, ensure_ascii=False).encode(errors="surrogatepass")),
        odd_bytes(),
        JSON_VALUES.map(lambda value: json.dumps(value).encode()),
        st.binary(max_size=200),
    )
