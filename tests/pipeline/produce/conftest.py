"""A Kafka for the tests of this folder."""

from tests.pipeline.gateway.conftest import broker, tape

__all__ = ["broker", "tape"]
