"""What people read agrees with the code: tables, examples, commands, settings, links."""

import ast
import importlib.util
import json
import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
import pytest

from pipeline.cli import cli
from pipeline.configuration import VendorSettings
from pipeline.configuration_channels import TYPES as CHANNEL_TYPES
from pipeline.gateway import Options, create_gateway
from pipeline.settings import (
    Configuration,
    IndicatorSettings,
    Settings,
    read_configuration,
)
from schemas.catalogue import EVENT_TYPES
from schemas.decode import Decoder
from schemas.event import Event
from schemas.event_alerts import EVENT_PARAMETERS
from schemas.indicators import CATALOGUE
from schemas.reject import Reason
from sinks.clickhouse.address import Address
from sinks.clickhouse.alerts import LOG_COLUMNS
from sinks.notify.message import compose
from streams.kafka_address import KafkaAddress
from tests.pages import PAGES, ROOT, blocks, commands, name_of, text_of

LATEST: Final = datetime(2026, 12, 1, tzinfo=UTC)


def tables() -> Any:
    spec = importlib.util.spec_from_file_location("docs_tables", ROOT / "docs/tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_tables_are_those_of_the_code(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert tables().filled(text) == text, "run python docs/tables.py"


def test_every_event_type_and_indicator_has_its_table() -> None:
    for kind in EVENT_TYPES:
        assert f"<!-- table: {kind} -->" in text_of("docs/events.md")
    for code in CATALOGUE:
        assert f"[`{code}`](indicators.md#{code})" in text_of("docs/rates.md")
        assert f"\n### {code}\n" in text_of("docs/indicators.md")


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    prose = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", one).replace("`", "").strip().lower() for one in headings]
    return {re.sub(r"[^\w\- ]", "", one).replace(" ", "-") for one in plain}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_inside_the_repository_resolve(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"(?:src|srcset|href)=\"([^\"]+)\"", text)
    for link in links:
        if re.match(r"https?://|mailto:", link):
            continue
        target, _, anchor = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        assert path.is_relative_to(ROOT)
        assert path.exists(), f"{link} leads nowhere"
        if anchor:
            assert anchor in anchors(path), f"{link}: there is no such heading"


def examples() -> Iterator[dict[str, Any]]:
    """Every event that a page shows, however it is written there."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in blocks(text, "json"):
            event = json.loads(block)
            if "specversion" in event:
                yield event
        for body in re.findall(r"-d '(\{.*?\})'", text, re.DOTALL):
            yield json.loads(body)
        for code in blocks(text, "python"):
            for statement in ast.parse(code).body:
                if isinstance(statement, ast.Assign) and "specversion" in ast.unparse(statement):
                    yield ast.literal_eval(statement.value)


def test_every_example_event_is_accepted_on_its_topic() -> None:
    shown = list(examples())
    for event in shown:
        decoder = Decoder(EVENT_TYPES[event["type"]].stream)
        outcome = decoder.decode(json.dumps(event).encode(), LATEST)
        assert isinstance(outcome, Event), f"{event['id']}: {outcome}"
    assert {event["type"] for event in shown} == EVENT_TYPES.keys()


def test_the_table_of_reasons_names_each_reason_in_the_order_in_which_they_are_looked_for() -> None:
    section = text_of("docs/events.md").partition("## What is refused")[2]
    rows = re.findall(r"^\| \d+ \| (.*?) \|", section, re.MULTILINE)
    named = [re.findall(r"`(\w+)`", row) for row in rows]
    time_and_data = ["missing_field", "bad_value", "future_time"]
    assert [one for row in named if row != time_and_data for one in row] == [
        reason.value for reason in Reason if reason is not Reason.FUTURE_TIME
    ]
    assert named.index(time_and_data) == named.index(["wrong_topic"]) + 1


def table_rows(text: str, head: str) -> dict[str, str]:
    """First cell (without backticks) to second cell of the table under that heading of a page."""
    section = text.partition(f"## {head}\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| `([^`]+)` \|(.*?)\|", section, re.MULTILINE))


def test_the_table_of_the_environment_has_every_variable_with_its_default() -> None:
    shown = table_rows(text_of("docs/settings.md"), "Environment")
    assert {name: default.strip().strip("`") for name, default in shown.items()} == tables().environment()


def test_the_table_of_the_file_has_every_key() -> None:
    shown = table_rows(text_of("docs/settings.md"), "yangguang.toml")

    def keys(model: Any) -> set[str]:
        return {field.alias or name for name, field in model.model_fields.items()}

    expected = keys(Configuration) - {"indicator", "event", "rejects", "retention", "notify", "channel", "vendor"}
    expected |= {f"indicator.CODE.{key}" for key in keys(IndicatorSettings) | {"PARAMETER"}}
    for table in ("rejects", "retention", "notify"):
        expected |= {f"{table}.{key}" for key in keys(Configuration.model_fields[table].annotation)}
    expected |= {f"event.{code}.{name}" for code, named in EVENT_PARAMETERS.items() for name in named}
    expected |= {f"channel.NAME.{key}" for model in CHANNEL_TYPES.values() for key in keys(model)}
    expected |= {f"vendor.NAME.{key}" for key in keys(VendorSettings)}
    assert shown.keys() == expected
    parameters = {name for entry in CATALOGUE.values() for name in entry.parameters}
    assert parameters <= set(re.findall(r"`(\w+)`", shown["indicator.CODE.PARAMETER"]))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_configuration_that_is_shown_is_accepted(page: Path) -> None:
    for block in blocks(page.read_text(encoding="utf-8"), "toml"):
        assert tomllib.loads(block)
        read_configuration(block, name_of(page))


OF_EXAMPLES: Final = {
    name
    for path in (ROOT / "examples").glob("*.*")
    if path.suffix != ".md"
    for name in re.findall(r"\bYANGGUANG_[A-Z_]+\b", path.read_text(encoding="utf-8"))
}
"""What only the examples read."""


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_variable_that_is_named_is_a_setting(page: Path) -> None:
    named = set(re.findall(r"\bYANGGUANG_[A-Z_]+\b", page.read_text(encoding="utf-8")))
    assert named <= {f"YANGGUANG_{name.upper()}" for name in Settings.model_fields} | OF_EXAMPLES


def code_of(text: str) -> list[str]:
    """Lines of shell blocks, and what stands between backticks."""
    lines = [line for block in blocks(text, "sh") for line in block.splitlines()]
    return lines + re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


NOT_THERE_YET: Final = {("alerts", "ack"), ("alerts", "silence"), ("alerts", "show")}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_and_option_that_is_named_exists(page: Path) -> None:
    context = click.Context(cli)
    for line in code_of(page.read_text(encoding="utf-8")):
        match = re.match(r"(?:.* )?(?:exec gateway )?yangguang ([a-z].*)", line.partition("#")[0].strip())
        if not match:
            continue
        words = match[1].split()
        command = cli.get_command(context, words[0])
        assert command is not None, line
        if isinstance(command, click.Group) and len(words) > 1 and not words[1].startswith("-"):
            assert words[1] in command.commands or tuple(words[:2]) in NOT_THERE_YET, line
            command = command.commands.get(words[1], command)
        known = {flag for one in command.params for flag in (*one.opts, *one.secondary_opts)} | {"--help"}
        assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known, line


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", text_of("Makefile"), re.MULTILINE))
    for line in code_of(page.read_text(encoding="utf-8")):
        if match := re.match(r"make ([a-z]+)\b", line):
            assert match[1] in targets, line


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_address_of_the_gateway_that_is_named_exists(page: Path) -> None:
    app = create_gateway(Options(KafkaAddress("127.0.0.1:9"), Address("127.0.0.1", 9, "analyst", "")))
    routes = {str(getattr(route, "path", "")) for route in app.routes}
    for path in re.findall(r"(?<=[ `0])(/v1/[a-z]+|/healthz|/readyz|/metrics)", page.read_text(encoding="utf-8")):
        assert any(route == path or route.startswith(f"{path}/") for route in routes), path


@pytest.mark.parametrize("page", [*PAGES, *sorted((ROOT / "deploy").rglob("*.*"))], ids=name_of)
def test_no_page_names_a_directory_of_a_machine_or_a_package_registry(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.findall(r"(?<![\w.])/(?:root|work|tmp|home)/\w+", text)
    assert not re.findall(r"pypi\.|pythonhosted|repo1?\.maven|npmjs|docker\.io", text)


def test_the_example_of_a_webhook_has_what_a_message_has() -> None:
    (block,) = [one for one in blocks(text_of("docs/alerts.md"), "json") if "transition_id" in one]
    shown = json.loads(block)
    transition = {name: shown.get(name) for name in LOG_COLUMNS}
    transition["worst"] = [list(one.values()) for one in shown["worst"]]
    assert compose(transition).body == shown


def test_both_readmes_show_the_same_commands() -> None:
    assert commands("README.md") == commands("README.zh-CN.md")
    assert commands("README.md")[:2] == ["make up", "make test"]
