"""What all tests share: how hypothesis searches. In CI the same examples are tried on every run.

A shell starts background jobs with Ctrl-C ignored, and children inherit that; the tests of Ctrl-C need it as it is in a
terminal, wherever the suite was started."""

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("local", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("local"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "local")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_LONGEST = ("test_rejects_condition", "tests/system/", "tests/secure/", "tests/examples/", "tests/pipeline/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that no worker has minutes of it left when the others have nothing more."""

    def rank(item: pytest.Item) -> int:
        return next((place for place, part in enumerate(_LONGEST) if part in item.nodeid), len(_LONGEST))

    items.sort(key=rank)
