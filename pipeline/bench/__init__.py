"""Measurements that anybody can repeat: `yangguang bench`."""

from typing import Any


def __getattr__(name: str) -> Any:
    """Loads the command when it is asked for: the measured processes import this package too, and not its command."""
    if name in ("bench_land", "land"):
        from pipeline.bench import command  # noqa: PLC0415

        return getattr(command, name)
    if name in ("bench_rates", "rates"):
        from pipeline.bench import rates_command  # noqa: PLC0415

        return getattr(rates_command, name)
    if name in ("bench_gateway", "gateway_command"):
        from pipeline.bench.gateway import command as gateway  # noqa: PLC0415

        return gateway.bench_gateway if name == "bench_gateway" else gateway.gateway
    if name in ("bench_alerts", "alerts_command"):
        from pipeline.bench.alerts import command as alerts  # noqa: PLC0415

        return alerts.bench_alerts if name == "bench_alerts" else alerts.alerts
    raise AttributeError(f"module {__name__} has no attribute {name}")
