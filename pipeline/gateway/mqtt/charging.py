"""A producer's rate over MQTT: nothing is turned away, it has to wait."""

from collections.abc import Sequence
from http import HTTPStatus

from pipeline.gateway.callers import Caller, Callers
from pipeline.gateway.problems import ProblemError


def charge(counting: Callers, keys: Sequence[Caller], due: int) -> tuple[int, float]:
    """Counts as many events as the producer's rate has room for: how many are still due, and after how many seconds to
    try again. So a message may have more events than the rate allows at once.

    :param keys: the producer as each of its keys has it; the greatest rate counts.
    """
    rates = [one.rate for one in keys]
    if not rates or None in rates:
        return 0, 0
    caller = max(keys, key=_per_second)
    most = caller.rate.amount if caller.rate else due
    while due:
        try:
            counting.charge(caller, min(due, most))
        except ProblemError as error:
            if error.status is not HTTPStatus.TOO_MANY_REQUESTS:
                raise
            return due, float((error.headers or {}).get("Retry-After", 1))
        due -= min(due, most)
    return 0, 0


def _per_second(caller: Caller) -> float:
    return caller.rate.amount / caller.rate.get_expiry() if caller.rate else 0
