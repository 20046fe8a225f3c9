"""The gateway: events over HTTP into Kafka, rates and alerts out of ClickHouse, and the dashboard."""

from pipeline.gateway.app import Options, create_gateway
from pipeline.gateway.limits import Limits
from pipeline.gateway.server import run

__all__ = ["Limits", "Options", "create_gateway", "run"]
