"""The notifier as the settings want it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pipeline.channels import channels
from pipeline.configuration import Configuration
from pipeline.configuration_channels import (
    AppriseSettings,
    DingTalkSettings,
    EmailSettings,
    FeishuSettings,
    WeComSettings,
)
from pipeline.settings import Settings
from sinks.clickhouse.alerts import Attempted, record_attempts
from sinks.clickhouse.client import Store
from sinks.notify.alertmanager import AlertmanagerChannel
from sinks.notify.envelope import Link
from sinks.notify.words import Language
from streams.action_links import link_key, make_link
from streams.app import App
from streams.notifier import create_notifier
from streams.notify import Notifier, Plan
from streams.outage import OutageWatch
from streams.probes import ClickHouseProbe, JudgingProbe, KafkaProbe
from streams.rounds import RoundRules, Rounds

_FOR_PEOPLE = (AppriseSettings, DingTalkSettings, EmailSettings, FeishuSettings, WeComSettings)


_LINKS_LAST = timedelta(days=1)


def _links(settings: Settings, base_url: str) -> Callable[[Mapping[str, Any], datetime], Sequence[Link]]:
    key = link_key(settings.signing_master)

    def links(transition: Mapping[str, Any], at: datetime) -> Sequence[Link]:
        since = transition["since"]
        moment = since if isinstance(since, datetime) else datetime.fromisoformat(str(since))
        url = make_link(base_url, key, str(transition["alert_id"]), moment, at + _LINKS_LAST)
        return (Link("确认或静默", url),)

    return links


def outage_watch_of(settings: Settings, configuration: Configuration) -> OutageWatch:
    """What notices that Kafka or ClickHouse is away, or that nobody judges; not started yet."""

    async def record(attempted: Sequence[Attempted]) -> None:
        store = await Store.open(settings.writer)
        try:
            await record_attempts(store, attempted)
        finally:
            await store.close()

    return OutageWatch(
        {
            "Kafka": KafkaProbe(settings.kafka_address),
            "ClickHouse": ClickHouseProbe(settings.writer),
            "worker": JudgingProbe(settings.writer),
        },
        lambda: channels(configuration.channel),
        settings.home / "notifier" / "outages.json",
        record,
        _languages(configuration),
    )


def _languages(configuration: Configuration) -> dict[str, Language]:
    return {name: one.language for name, one in configuration.channel.items()}


def notifier_of(settings: Settings, configuration: Configuration, name: str) -> App:
    """The notifier's app. Raises SettingsError where a channel's secret is not there."""
    made = channels(configuration.channel)
    people = tuple(one for one, told in configuration.channel.items() if isinstance(told, _FOR_PEOPLE))
    routes = tuple(one.route() for one in configuration.route)
    notify = configuration.notify
    catalogue = configuration.catalogue()
    plan = Plan(
        routes=routes,
        maintenance=tuple(one.maintenance() for one in configuration.maintenance),
        joins=people,
        languages=_languages(configuration),
        base_url=notify.base_url,
        catalogue={one.code: one for one in catalogue},
        links=_links(settings, notify.base_url) if notify.base_url else lambda _transition, _at: (),
    )
    rules = RoundRules(
        routes=routes,
        summary_at=notify.summary,
        summary_channels=people if notify.summary_channels is None else notify.summary_channels,
        watchdog_every=notify.watchdog_every if notify.watchdog_channels else None,
        watchdog_channels=notify.watchdog_channels,
    )
    resending = [one for one in made if isinstance(one, AlertmanagerChannel)]

    def rounds(store: Store, notifier: Notifier) -> Rounds:
        return Rounds(store, notifier, rules, catalogue, resending)

    return create_notifier(settings.worker_options(), made, plan, rounds, name)
