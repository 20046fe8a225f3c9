"""The pages that describe the gateway: complete, without anything from elsewhere, and safe to open."""

import base64
import hashlib
import re
from typing import Final

import httpx
import pytest

from pipeline.gateway.limits import Limits
from pipeline.gateway.pages import asyncapi
from pipeline.gateway.pages.html import rendered
from schemas.catalogue import EVENT_TYPES, MODELS, STREAMS
from schemas.examples import example
from tests.pipeline.gateway.documents import OPENAPI, Browser, an_app

PAGES: Final = ("/docs", "/asyncapi")


@pytest.fixture(scope="module")
def client() -> Browser:
    return Browser(an_app())


def policy_of(answer: httpx.Response) -> dict[str, list[str]]:
    directives = [one.split() for one in answer.headers["content-security-policy"].split("; ")]
    return {name: values for name, *values in directives}


def digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@pytest.mark.parametrize("path", PAGES)
def test_a_page_names_only_addresses_of_the_gateway_and_all_of_them_answer(client: Browser, path: str) -> None:
    html = re.sub(r"<pre>.*?</pre>", "", client.get(path).text, flags=re.DOTALL)
    assert "://" not in html
    named = set(re.findall(r"(?:src|href)=\"([^\"]*)\"", html)) - {"data:,"}
    assert named
    anchors = {one for one in named if one.startswith("#")}
    assert all(f'id="{one[1:]}"' in html for one in anchors)
    for one in named - anchors:
        assert client.get(one).status_code == 200, one


@pytest.mark.parametrize("path", PAGES)
def test_a_page_runs_and_loads_only_what_its_policy_names(client: Browser, path: str) -> None:
    answer = client.get(path)
    policy = policy_of(answer)
    assert policy["default-src"] == ["'none'"]
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == ["'none'"]
    assert "'unsafe-inline'" not in answer.headers["content-security-policy"]
    assert "'unsafe-eval'" not in answer.headers["content-security-policy"]
    inline = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
    assert {digest(one) for one in inline} == set(policy.get("script-src", [])) - {"'self'"}
    styles = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    assert {digest(one) for one in styles} == set(policy["style-src"]) - {"'self'"}
    assert not re.search(r"<[^>]+\s(?:style|on\w+)=", answer.text)
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_page_of_messages_runs_no_script(client: Browser) -> None:
    answer = client.get("/asyncapi")
    assert "<script" not in answer.text
    assert "script-src" not in policy_of(answer)


def test_the_page_of_messages_shows_every_topic_type_field_and_example(client: Browser) -> None:
    page = client.get("/asyncapi").text
    for stream in STREAMS:
        assert f"<code>{stream}</code>" in page
        assert f"<code>yangguang/v1/{stream.removeprefix('yangguang.')}/{{producer}}</code>" in page
    for kind in EVENT_TYPES:
        section = page.partition(f'<h3 id="{kind}">')[2].partition("<h3")[0]
        assert str(example(kind)["id"]) in section
        (model,) = (one for one in MODELS if one.type == kind)
        for name, field in model.model_fields.items():
            assert f"<td><code>{field.alias or name}</code></td>" in section
    assert "生产方不得写入或读取" in page


def test_the_interactive_page_reads_the_document_and_leaves_no_key_behind(client: Browser) -> None:
    page = client.get("/docs").text
    assert 'url: "/openapi.json"' in page
    for setting in ("persistAuthorization: false", "queryConfigEnabled: false", "validatorUrl: null"):
        assert setting in page


def test_the_files_of_the_interactive_page_are_served_as_what_they_are(client: Browser) -> None:
    bundle, style = client.get("/docs/swagger-ui-bundle.js"), client.get("/docs/swagger-ui.css")
    assert "SwaggerUIBundle" in bundle.text
    assert bundle.headers["content-type"].startswith("text/javascript")
    assert ".swagger-ui" in style.text
    assert style.headers["content-type"].startswith("text/css")
    assert {one.headers["x-content-type-options"] for one in (bundle, style)} == {"nosniff"}
    for path in ("/docs/__init__.py", "/docs/..%2Fmain.py", "/docs/favicon-32x32.png"):
        assert client.get(path).status_code == 404


def test_the_documents_are_those_of_the_code(client: Browser) -> None:
    assert client.get("/openapi.json").json() == OPENAPI
    assert client.get("/asyncapi.json").json() == asyncapi()


def test_an_application_tells_its_own_limits_and_whether_it_asks_for_keys() -> None:
    told = Browser(an_app(limits=Limits(events=3), authentication=False)).get("/openapi.json").json()
    assert told["components"]["schemas"]["Events"]["maxItems"] == 3
    assert "securitySchemes" not in told["components"]


def test_text_on_a_page_is_text_whatever_it_looks_like() -> None:
    page = rendered("docs.html", title="<b>`x`</b>", style="s", bundle="b", start="</script>")
    assert "<b>" not in page
    assert "&lt;b&gt;`x`&lt;/b&gt;" in page
