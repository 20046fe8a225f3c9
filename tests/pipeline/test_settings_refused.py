"""What yangguang.toml may not say is refused in one sentence: file, line, key, reason, way out."""

import re
from typing import Final

import pytest

from pipeline.settings import SettingsError, read_configuration

SEAL: Final = "[indicator.seal_coverage]\n"
BUILD: Final = "[indicator.kitchen_build]\n"
FILED: Final = "[indicator.banquet_filed]\n"
SHOWN: Final = "[indicator.seal_evidence]\n"
GRADE_C: Final = "[indicator.school_grade_c]\n"


def refused(text: str) -> str:
    """The message."""
    with pytest.raises(SettingsError) as caught:
        read_configuration(text, "yangguang.toml")
    return str(caught.value)


GENERAL: Final = [
    ('lateness = "60s"\nlatness = "60s"', 2, "latness: the key is not known: use channel, event, indicator, lateness"),
    ('\n\nlateness = "60"', 3, "lateness: should be a whole number and a unit in quotes, such as 60s"),
    ("lateness = 60", 1, "lateness: should be"),
    ('lateness = "-60s"', 1, "lateness: should be"),
    ('lateness = "999999999999d"', 1, "lateness: should be"),
    ('lateness = "999999d"', 1, "lateness: should be at most 3650d"),
    ("lateness = 10:00:00", 1, "lateness: should be"),
    ("takeaway_active_days = -1", 1, "takeaway_active_days: should be greater than or equal to 0"),
    ("takeaway_active_days = 1.5", 1, "takeaway_active_days: should be a whole number"),
    ('takeaway_active_days = "30"', 1, "takeaway_active_days: should be a whole number"),
    ("takeaway_active_days = true", 1, "takeaway_active_days: should be a whole number"),
    ("lateness = '1m'\n[indicator.seal_coverge]\nfloor = 1", 2, "indicator.seal_coverge: the key is not known: use"),
    ("[indikator.seal_coverage]\nfloor = 1", 1, "indikator: the key is not known"),
    ("[indicator]\nseal_coverage = 3", 2, "indicator.seal_coverage: should be a table"),
    ("indicator = 3", 1, "indicator: should be a table"),
    ("[channel.duty]\ntype = 'fax'", 2, "channel.duty.type: should be 'console', 'webhook', 'dingtalk', 'wecom',"),
    ("[channel.duty]\ntype = 'webhook'", 1, "channel.duty.url: a webhook needs a url: add it"),
    ("[channel.duty]\ntype = 'webhook'\nurl = 'ftp://x'", 3, "channel.duty.url: should begin with http:// or https://"),
    ("[channel.duty]\ntype = 'console'\ncolour = 'red'", 3, "channel.duty.colour: the key is not known: use language,"),
    ("[channel.duty]\nurl = 'http://x/'", 1, "channel.duty.type: the key is missing: add it"),
    ("lateness = '1m'\nlateness = '2m'\n", 2, "Cannot overwrite a value: correct it"),
    ("# nothing\nlateness = ", 2, "Invalid value: correct it"),
    ('lateness = "1m"\n\nx = """\n\n', 3, "Unterminated string: correct it"),
    ('"a\\nb" = 1', 1, '"a\\nb": the key is not known'),
]
INDICATORS: Final = [
    (f"{SEAL}floor = 30\nflor = 30", 3, "flor: the key is not known: use alert_windows, deadline, floor, for,"),
    (f"{SEAL}floor = -1", 2, "floor: should be greater than or equal to 0"),
    (f"{SEAL}floor = 5000000000", 2, "floor: should be less than or equal to 4294967295"),
    (f"{SEAL}for_ = '10m'", 2, "for_: the key is not known"),
    (f"{SEAL}for = '90s'", 2, "for: should be whole minutes"),
    (f"{BUILD}floor = 1\n{SEAL}floor = 'x'", 4, "floor: should be a whole number"),
    ("indicator.seal_coverage.floor = 'x'", 1, "floor: should be a whole number"),
    (f"{SEAL}# target\n\ntarget = 0.9", 4, "target: should be a list such as [{from = 2027-01-01, value ="),
    (f"{SEAL}target = []", 2, "target: the list is empty: add an entry, or remove the line"),
    (f"{SEAL}recovery = []", 2, "recovery: the list is empty"),
    (f"{SEAL}floor = []", 2, "floor: the list is empty"),
    (f"{FILED}lead = []", 2, "lead: the list is empty"),
    (f"{SEAL}target = [0.9]", 2, "target: should be a table such as {from = 2027-01-01, value ="),
    (f"{SEAL}recovery = {{from = 2023-01-01, value = 0.92}}", 2, "recovery: should be a value or a list such as"),
    (f"{SEAL}target = [{{from = 2023-01-01, value = 'x'}}]", 2, "target.value: should be a number without quotes"),
    (f"{SEAL}target = [{{value = 0.9}}]", 2, "target.from: the key is missing: add it"),
    (f"{SEAL}target = [{{from_ = 2023-01-01, value = 0.9}}]", 2, "from"),
    (f"{SEAL}target = [{{from = 2023-01-01, valu = 1, value = 1}}]", 2, "valu: the key is not known: use from, value"),
    (f"{SEAL}target = [{{from = 2023-01-01, value = nan}}]", 2, "target.value: should be a finite number"),
    (f"{SEAL}target = [{{from = 2023-01-01, value = 90}}]", 2, "target.value: seal_coverage is a share, from 0 to 1"),
    (f"{SEAL}target = [{{from = 2023-01-01, value = -0.1}}]", 2, "seal_coverage is a share, from 0 to 1: write 0.9"),
    (f"{SEAL}recovery = 92", 2, "recovery: seal_coverage is a share"),
    (f"{SEAL}recovery = nan", 2, "recovery: should be a finite number"),
    (f"{SEAL}recovery = true", 2, "recovery: should be a number"),
    ("[indicator.school_6h]\ntarget = [{from = 2023-01-01, value = -1}]", 2, "number of units: write 0 or more"),
    (f"{GRADE_C}recovery = -1", 2, "school_grade_c is a number of units: write 0 or more"),
    (f"{SEAL}alert_windows = []", 2, "alert_windows: the list is empty: use 1h, 24h, 7d, 30d, or remove the line"),
    (f"{SEAL}alert_windows = '1h'", 2, "alert_windows: should be a list in brackets"),
    (f"{SEAL}alert_windows = [1]", 2, "alert_windows: should be text in quotes"),
    (f"{SEAL}alert_windows = ['1h', '2h']", 2, "alert_windows: seal_coverage has no window '2h': use 1h, 24h"),
    (f"{SEAL}alert_windows = ['1h', '1h']", 2, "alert_windows: 1h is there twice: keep one"),
    (f"{BUILD}alert_windows = ['1h']", 2, "alert_windows: kitchen_build has no window '1h': use now"),
    (f"{SEAL}settle = '1441m'", 2, "settle: should be at most 1d"),
    (f"{SEAL}settle = '30s'", 2, "settle: should be whole minutes"),
    (f"{BUILD}settle = '0m'", 2, "settle: kitchen_build is stock and has no window that could settle: remove the line"),
    (f"{SEAL}deadline = 'soon'", 2, "deadline: should be a day"),
    (f"{SEAL}deadline = 2026-12-31T00:00:00", 2, "deadline: should be a day from 2000-01-01 to 2099-12-31 without a"),
    (f"{SEAL}deadline = 2026-12-31T00:00:00+08:00", 2, "deadline: should be a day"),
    (f"{SEAL}deadline = 0", 2, "deadline: should be a day"),
    (f"{SEAL}target = [{{from = 2023-01-01 00:00:00, value = 0.9}}]", 2, "target.from: should be a day"),
    (f"{SEAL}recovery = [{{from = 1970-01-01, value = 0.9}}]", 2, "recovery.from: should be a day from 2000-01-01"),
    (f"{FILED}lead = [{{from = 2100-01-01, value = '1h'}}]", 2, "lead.from: should be a day from 2000-01-01 to 2099"),
]
PARAMETERS: Final = [
    (f"{FILED}\ndiners = 100\n{BUILD}lead = '72h'", 5, "indicator.kitchen_build.lead: the key is not known"),
    (f"{FILED}grace = '1h'", 2, "banquet_filed.grace: the key is not known: use alert_windows, deadline, diners,"),
    ("[indicator.banquet_guided]\nlead = '72h'", 2, "banquet_guided.lead: the key is not known"),
    (f"{FILED}lead = 72", 2, "lead: should be a whole number and a unit in quotes"),
    (f"{FILED}lead = '3651d'", 2, "lead: should be at most 3650d"),
    (f"{FILED}diners = '100'", 2, "diners: should be a whole number without quotes"),
    (f"{FILED}diners = '72h'", 2, "diners: should be a whole number without quotes"),
    (f"{FILED}diners = 100.0", 2, "diners: should be a whole number"),
    (f"{FILED}diners = true", 2, "diners: should be a whole number"),
    (f"{FILED}diners = -1", 2, "diners: should be greater than or equal to 0"),
    (f"{FILED}diners = 2147483648", 2, "diners: should be less than or equal to 2147483647"),
    (f"{FILED}parameters = {{lead = '72h'}}", 2, "parameters: the key is not known"),
    (f"{FILED}configured = {{lead = '72h'}}", 2, "configured: the key is not known"),
]
SHOWN_ONLY: Final = [
    (f"{SHOWN}target = [{{from = 2023-01-01, value = 0.9}}]", 2, "target: seal_evidence is shown only"),
    (f"{SHOWN}recovery = 0.9", 2, "recovery: seal_evidence is shown only, nothing is judged by it: remove the line"),
    (f"{SHOWN}floor = 1\ndeadline = 2026-12-31", 3, "deadline: seal_evidence is shown only"),
]
RETENTION: Final = [
    ("[retention]\nrejected = '1h'\nraw = '1d'", 3, "retention.raw: the key is not known: use heartbeats, orders, rej"),
    ("[retention]\nheartbeats = 90", 2, "retention.heartbeats: should be a whole number and a unit"),
    ("[retention]\nheartbeats = '743h'", 2, "retention.heartbeats: should be from 31d to 36500d, as whole months"),
    ("[retention]\nheartbeats = '36501d'", 2, "retention.heartbeats: should be from 31d to 36500d"),
    ("[retention]\norders = '59d'", 2, "retention.orders: should be from 60d to 36500d; without the line"),
    ("[retention]\n\norders = '61d'", 3, "retention.orders: should be more than 61d, as takeaway_active_days is 30"),
    ("takeaway_active_days = 90\n[retention]\norders = '121d'", 3, "should be more than 121d, as takeaway_active_days"),
    ("[retention]\nrejected = '721h'", 2, "retention.rejected: should be from 1h to 30d, as the bytes may hold"),
    ("[retention]\nrejected = '59m'", 2, "retention.rejected: should be from 1h to 30d"),
    ("retention = '30d'", 1, "retention: should be a table"),
]
VENDOR: Final = [
    ("[vendor.box]\ndevices = 'd.csv'", 1, "vendor.box.mapping: the key is missing: add it"),
    ("[vendor.box]\nmapping = ''", 2, "vendor.box.mapping: should not be empty"),
    ("[vendor.box]\nmapping = 3", 2, "vendor.box.mapping: should be text in quotes"),
    ("[vendor.box]\nmapping = 'x'\ndevices = ['d.csv']", 3, "vendor.box.devices: should be text in quotes"),
    ("[vendor.box]\nmapping = 'x'\ncolour = 'red'", 3, "vendor.box.colour: the key is not known: use devices, mapping"),
    ("[vendor.Box]\nmapping = 'x'", 1, "vendor.Box: the name stands in the address /v1/vendors/NAME: write 1 to 64 of"),
    ("[vendor.'a/b']\nmapping = 'x'", 1, 'vendor."a/b": the name stands in the address'),
    ("[vendor.'..']\nmapping = 'x'", 1, 'vendor."..": the name stands in the address'),
    ("vendor = 'box'", 1, "vendor: should be a table"),
    ("vendor.box = 'box.toml'", 1, "vendor.box: should be a table"),
]
LISTS: Final = [
    # Several entries: the line is that of the one at fault.
    (
        "[[indicator.seal_coverage.target]]\nfrom = 2023-01-01\nvalue = 1\n"
        "[[indicator.seal_coverage.target]]\nfrom = 2024-01-01\nvalue = 'x'\n",
        6,
        "target.value",
    ),
    (
        f"{SEAL}target = [\n{{from = 2023-01-01, value = 1}},\n{{from = 2024-01-01, value = 'x'}}]\n",
        4,
        "target.value",
    ),
    (
        f"{FILED}lead = [ # [ {{\n  {{from = 2023-01-01, value = '72h'}},\n\n\t{{from = 2027-01-01, value = 48}},\n]",
        5,
        "lead.value: should be a whole number and a unit",
    ),
    (
        "[indicator]\nbanquet_filed = {floor = 10, lead = [\n{from = 2023-01-01, value = '72h'},\n"
        "{from = 2023-01-01, value = '48h'}], diners = 1}",
        4,
        "indicator.banquet_filed.lead.from: there is another entry from 2023-01-01: keep one of them",
    ),
    (
        "[indicator]\nbanquet_filed = {lead = [\n{from = 2023-01-01, value = '72h'},\n], diners = 1, colour = 1}",
        4,
        "indicator.banquet_filed.colour: the key is not known",
    ),
    (
        f"{SEAL}floor = [\n{{from = 2023-01-01, value = 1}},\n{{from = 2024-01-01, value = 2}},\n"
        "{from = 2023-01-01, value = 1}]",
        5,
        "floor.from: there is another entry from 2023-01-01",
    ),
    (f"{SEAL}alert_windows = [\n'1h',\n'24h',\n'2h']", 5, "no window '2h'"),
    (f"{SEAL}flor = 1\n{BUILD}colour = 1\nfloor = 'x'", 2, "flor"),
    (f"{SEAL}floor = 1\n{BUILD}floor = 'x'\ncolour = 1", 4, "floor"),
]
TARGETS: Final = "target = [{from = 2023-01-01, value = 0.9},\n{from = 2027-01-01, value = 0.95}]\n"
WRONG_SIDE: Final = [
    (f"{SEAL}recovery = 0.89", 2, "recovery: recovery 0.89 is below the target 0.9 that is valid on 2023-01-01: write"),
    (f"{SEAL}{TARGETS}recovery = 0.92", 4, "recovery 0.92 is below the target 0.95 that is valid on 2027-01-01: write"),
    (
        f"{SEAL}{TARGETS}recovery = [{{from = 2023-01-01, value = 0.96}},\n{{from = 2028-01-01, value = 0.94}}]",
        5,
        "recovery.value: recovery 0.94 is below the target 0.95 that is valid on 2028-01-01: write 0.95 or more",
    ),
    (
        f"{SEAL}recovery = [{{from = 2023-01-01, value = 0.92}}]\ntarget = [{{from = 2027-01-01, value = 0.95}}]",
        2,
        "recovery 0.92 is below the target 0.95 that is valid on 2027-01-01",
    ),
    ("[indicator.school_6h]\nrecovery = 39", 2, "recovery 39 is below the target 40"),
    (f"{GRADE_C}recovery = 1", 2, "recovery 1 is above the target 0 that is valid on 2023-01-01: write 0 or less"),
]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [*GENERAL, *INDICATORS, *PARAMETERS, *SHOWN_ONLY, *RETENTION, *VENDOR, *LISTS, *WRONG_SIDE],
)
def test_a_wrong_key_or_value_is_refused_with_its_line_and_reason(text: str, line: int, words: str) -> None:
    message = refused(text)
    assert message.startswith(f"yangguang.toml, line {line}: ")
    assert words in message
    assert "\n" not in message
    assert not re.search(r"pydantic|tuple|Dated|Value error|Input", message), "the terms are those of the file"
