"""Connections to Kafka and ClickHouse that are encrypted and ask who is there."""
