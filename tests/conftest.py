"""What all tests share: how hypothesis searches. In CI the same examples are tried on every run.

A shell starts background jobs with Ctrl-C ignored, and children inherit that; the tests of Ctrl-C need it as it is in a
terminal, wherever the suite was started."""

import os
import signal

from hypothesis import HealthCheck, settings

settings.register_profile("local", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("local"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "local")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
