"""The page for people: it knows every indicator in both languages, and a browser runs nothing but its own script."""

import base64
import hashlib
import re

import orjson

from pipeline.gateway.dashboard import page
from pipeline.indicator_groups import groups, main_window
from schemas.indicators import CATALOGUE
from schemas.places import PLATFORMS
from schemas.towns import TOWNS

PAGE = bytes(page().body).decode()
SCRIPT = PAGE.partition("<script>")[2].partition("</script>")[0]
_NAMES = re.search(r"^const NAMES = (.*);$", SCRIPT, re.MULTILINE)
assert _NAMES is not None
NAMES = orjson.loads(_NAMES[1])


def test_the_policy_allows_the_pages_own_script_and_no_other() -> None:
    policy = page().headers["content-security-policy"]
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy
    assert "default-src 'none'" in policy
    assert PAGE.count("<script") == 1
    assert not re.search(r"\son\w+=", PAGE.replace(SCRIPT, ""))


def test_the_page_has_no_address_of_anything_else() -> None:
    assert "://" not in PAGE
    assert set(re.findall(r"(?:src|href)=\"([^\"]*)\"", PAGE)) == {"data:,"}
    assert "url(" not in PAGE
    assert set(re.findall(r"[`\"](/v1/\w+)", SCRIPT)) == {"/v1/rates", "/v1/alerts"}


def test_nothing_is_left_to_fill_in() -> None:
    assert not re.search(r"/\*[A-Z]+\*/", PAGE)


def test_every_indicator_has_both_names_its_kind_its_unit_and_its_windows() -> None:
    assert NAMES["indicators"].keys() == CATALOGUE.keys()
    for code, entry in CATALOGUE.items():
        shown = NAMES["indicators"][code]
        assert (shown["zh"], shown["en"], shown["kind"]) == (entry.name_zh, entry.name_en, entry.kind)
        assert shown["windows"] == list(entry.windows)
        assert shown["main"] == main_window(entry)
        assert all(shown["unit"].values())
    assert NAMES["towns"].keys() == TOWNS.keys()
    assert NAMES["platforms"].keys() == PLATFORMS.keys()


def test_every_indicator_stands_in_one_group() -> None:
    shown = [code for group in NAMES["groups"] for code in group["indicators"]]
    assert sorted(shown) == sorted(CATALOGUE)
    assert [group["code"] for group in NAMES["groups"]] == [group.code for group in groups()]


def test_both_languages_have_the_same_words() -> None:
    chinese, english = (
        set(re.findall(r"(?:^|[{,])\s*\"?(\w+)\"?:", part, re.MULTILINE))
        for part in SCRIPT.partition("const WORDS = {")[2].partition("\n};")[0].split("\n  en: {")
    )
    assert chinese - {"zh"} == english
    statuses = {"ok", "below", "low_sample", "no_activity", "no_data", "stale", "error"}
    kinds = {entry.kind for entry in CATALOGUE.values()}
    windows = {window for entry in CATALOGUE.values() for window in entry.windows}
    assert english >= statuses | kinds | windows | {"firing", "pending"}
