"""What docs/vendors.md shows works as it is shown."""

import re
from datetime import UTC, datetime

from pipeline.vendors import Vendor
from pipeline.vendors.devices import read_devices
from pipeline.vendors.dry_run import tried
from pipeline.vendors.load import shipped_names
from pipeline.vendors.mapping import FUNCTIONS, REFUSED, read_mapping
from tests.pages import blocks, text_of

PAGE = text_of("docs/vendors.md")


def test_the_message_the_table_and_the_mapping_of_the_page_give_an_event_that_is_accepted() -> None:
    (message,), (table,) = blocks(PAGE, "json"), blocks(PAGE, "csv")
    (file,) = re.findall(r"^```\n(description = .*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    vendor = Vendor("box", read_mapping(file, "box.toml"), read_devices(table, "devices.csv"))
    (made,) = tried(vendor, message.encode(), datetime(2026, 3, 2, tzinfo=UTC)).events
    assert made.rejection is None
    assert made.event["id"] == "box-7/4711"
    assert made.event["data"]["camera_id"] == "33068111601320000001"


def test_the_page_names_every_function_and_every_shipped_mapping() -> None:
    shown = set(re.findall(r"^\| `\$(\w+)\(", PAGE, re.MULTILINE))
    assert shown == {*FUNCTIONS, "error"}
    assert re.findall(r"^\| `([a-z]+-[a-z]+)` \|", PAGE, re.MULTILINE) == sorted(
        shipped_names(), key=["huawei-vias", "aliyun-vecs", "ctyun-vaas"].index
    )
    for name in REFUSED:
        assert f"`${name}`" in PAGE
