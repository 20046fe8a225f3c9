"""Kafka, ClickHouse and a gateway of these tests' own: hostile requests fill them with what nobody else should find."""

from tests.pipeline.gateway.conftest import broker, clickhouse

__all__ = ["broker", "clickhouse"]
