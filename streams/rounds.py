"""What the notifier does by the clock: who is told next when nobody acknowledges, the summary of the day, the sign of
life, and telling Alertmanager again what still fires."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import Final, NamedTuple

from schemas.indicator import SHANGHAI, Indicator
from schemas.towns import CITY_CODE
from sinks.clickhouse import duty
from sinks.clickhouse.alert_actions import active_silences
from sinks.clickhouse.client import Store, now
from sinks.notify.alertmanager import AlertmanagerChannel
from sinks.notify.envelope import Message
from sinks.notify.message import Late, Progress, WhyLate, compose, severity, summary, watchdog
from sinks.notify.words import Language
from streams.notify import Notifier
from streams.routing import Route, escalations

log: Final = logging.getLogger(__name__)

_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
ROUND_SECONDS: Final = 10.0
SUMMARY_LATEST: Final = timedelta(minutes=10)
"""Later than so after its time a summary is not sent: a notifier that starts in the afternoon has missed it."""


ON_ITS_WAY: Final = timedelta(minutes=1)
"""A transition is with the notifier so long after it was recorded, at the latest."""


AFTER_CITY: Final = timedelta(minutes=10)
"""What goes on for so long after the end of the city's alert, which names it, is told by itself."""


class RoundRules(NamedTuple):
    """What the configuration wants."""

    routes: Sequence[Route] = ()
    summary_at: time | None = time(8, 30)
    """Of the day in Asia/Shanghai; None: never."""
    summary_channels: Collection[str] = ()
    watchdog_every: timedelta | None = None
    watchdog_channels: Collection[str] = ()


def summary_is_due(at: datetime, of_day: time | None) -> bool:
    """Whether the summary's time has just come. Pure."""
    if of_day is None:
        return False
    local = at.astimezone(SHANGHAI)
    begins = local.replace(hour=of_day.hour, minute=of_day.minute, second=0, microsecond=0)
    return begins <= local < begins + SUMMARY_LATEST


def watchdog_minute(at: datetime, every: timedelta) -> datetime:
    """The moment of the last sign of life that was due: whole multiples of its interval, so that a restart repeats
    none. Pure."""
    seconds = int(every.total_seconds())
    return datetime.fromtimestamp(int(at.timestamp()) // seconds * seconds, at.tzinfo)


class Rounds:
    """Looks every few seconds at what the clock asks for.

    :param catalogue: indicators with the configuration applied.
    :param resending: Alertmanagers, which forget what is not told again."""

    def __init__(
        self,
        store: Store,
        notifier: Notifier,
        rules: RoundRules,
        catalogue: Iterable[Indicator],
        resending: Sequence[AlertmanagerChannel] = (),
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._store = store
        self._notifier = notifier
        self._rules = rules
        self._catalogue = list(catalogue)
        self._resending = resending
        self._clock = clock
        self._began = clock()
        self._resent: dict[str, datetime] = {}
        self._held: dict[str, bool] = {}
        """Of what fires and nobody was told of, whether it was held back: that does not change any more."""

    async def run(self, is_ours: Callable[[], bool]) -> None:
        """Looks for ever.

        :param is_ours: whether it is this process that looks at the clock now, where there are several."""
        while True:
            if is_ours():
                await self.once()
            await asyncio.sleep(ROUND_SECONDS)

    async def once(self) -> None:
        """One round."""
        at = self._clock()
        await self._call(at)
        await self._resend(at)
        if self._rules.summary_channels and summary_is_due(at, self._rules.summary_at):
            make = await self._summary(at)
            for channel in self._rules.summary_channels:
                message = make(self._notifier.language(channel))
                await self._notifier.tell(message, [channel])
        if self._rules.watchdog_every is not None and await duty.judged_lately(self._store, at - duty.LATELY):
            for channel in self._rules.watchdog_channels:
                due = watchdog_minute(at, self._rules.watchdog_every)
                await self._notifier.tell(watchdog(due, language=self._notifier.language(channel)), [channel])

    async def _call(self, at: datetime) -> None:
        """Tells of what fires and nobody sees to: what was held back until now, and to the next what is unanswered."""
        silences = await active_silences(self._store, at)
        before, self._held = self._held, {}
        for one in await duty.unacknowledged(self._store):
            if self._notifier.held_back(one.transition, silences, at):
                continue
            why: WhyLate = "unanswered" if one.delivered else "undelivered"
            if one.tried:
                channels = self._next(one, at)
            elif one.transition["inhibited_by"]:
                if at < one.told_at + AFTER_CITY:
                    continue
                why, channels = "inhibited", self._notifier.assigned(one.transition, at)
            elif at < one.told_at + ON_ITS_WAY:
                continue
            elif await self._was_held_back(one, before):
                why, channels = "held_back", self._notifier.assigned(one.transition, at)
            else:
                channels = self._next(one, at)
            if told := await self._notifier.tell_late(one.transition, Late(why, one.told_at), channels):
                log.info("%s still fires (%s) and is told to %d channels", one.transition["alert_id"], why, told)

    def _next(self, one: duty.Unanswered, at: datetime) -> list[str]:
        """Who is told next by now. What waits on the topic since before this process began may come yet."""
        since = one.told_at if one.tried else max(one.told_at, self._began)
        due = escalations(self._rules.routes, one.transition, severity(one.transition), since, False, at)
        return [assignment.channel for assignment in due]

    async def _was_held_back(self, one: duty.Unanswered, before: Mapping[str, bool]) -> bool:
        """Whether a maintenance or a silence held it back when it was recorded, or when it came to the notifier.

        :param before: what is known of the round before."""
        name = str(one.transition["transition_id"])
        if name not in before:
            moments = one.told_at, one.told_at + ON_ITS_WAY
            silences = [await active_silences(self._store, moment) for moment in moments]
            held = [self._notifier.held_back(one.transition, *when) for when in zip(silences, moments, strict=True)]
            self._held[name] = any(held)
        else:
            self._held[name] = before[name]
        return self._held[name]

    async def _resend(self, at: datetime) -> None:
        for channel in self._resending:
            if at - self._resent.get(channel.name, _NEVER) < channel.resend_every:
                continue
            outcome = await channel.resend(partial(self._firing, channel.name))
            self._resent[channel.name] = at
            if outcome.word != "delivered":
                log.warning("channel %s: what fires could not be sent again: %s", channel.name, outcome.detail)

    async def _firing(self, channel: str) -> list[Message]:
        return [compose(one) for one in await duty.told_and_firing(self._store, [channel])]

    async def _summary(self, at: datetime) -> Callable[[Language], Message]:
        rates, firing, transitions = await duty.of_the_day(self._store, at - timedelta(days=1))
        day = at.astimezone(SHANGHAI).date()
        city = {str(row["indicator"]): row for row in rates if row["scope_id"] == CITY_CODE}
        progress = [
            Progress(one.code, float(city[one.code]["rate"]), target, one.deadline)
            for one in self._catalogue
            if one.deadline is not None
            and day <= one.deadline
            and (target := one.target_on(day)) is not None
            and city.get(one.code, {}).get("rate") is not None
        ]
        return lambda language: summary(day, rates, firing, transitions, progress, language=language)
