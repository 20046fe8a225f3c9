"""The notifier as the settings want it."""

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
from sinks.clickhouse.client import Store
from sinks.notify.alertmanager import AlertmanagerChannel
from streams.app import App
from streams.notifier import create_notifier
from streams.notify import Notifier, Plan
from streams.rounds import RoundRules, Rounds

_FOR_PEOPLE = (AppriseSettings, DingTalkSettings, EmailSettings, FeishuSettings, WeComSettings)


def notifier_of(settings: Settings, configuration: Configuration, name: str) -> App:
    """The notifier's app. Raises SettingsError where a channel's secret is not there."""
    made = channels(configuration.channel)
    people = tuple(one for one, told in configuration.channel.items() if isinstance(told, _FOR_PEOPLE))
    routes = tuple(one.route() for one in configuration.route)
    notify = configuration.notify
    plan = Plan(
        routes=routes,
        maintenance=tuple(one.maintenance() for one in configuration.maintenance),
        joins=people,
        language=notify.language,
        base_url=notify.base_url,
    )
    rules = RoundRules(
        routes=routes,
        summary_at=notify.summary,
        summary_channels=people if notify.summary_channels is None else notify.summary_channels,
        watchdog_every=notify.watchdog_every if notify.watchdog_channels else None,
        watchdog_channels=notify.watchdog_channels,
        language=notify.language,
    )
    resending = [one for one in made if isinstance(one, AlertmanagerChannel)]
    catalogue = configuration.catalogue()

    def rounds(store: Store, notifier: Notifier) -> Rounds:
        return Rounds(store, notifier, rules, catalogue, resending)

    return create_notifier(settings.worker_options(), made, plan, rounds, name)
