"""Kafka, ClickHouse and a gateway for the examples."""

from tests.pipeline.gateway.conftest import broker, clickhouse, gateway, tape

__all__ = ["broker", "clickhouse", "gateway", "tape"]
