"""Where Kafka is, and how a client proves to it who it is: one value, and what each client library calls its parts."""

from typing import Any, NamedTuple


class KafkaAddress(NamedTuple):
    """Kafka for one client: from the settings."""

    servers: str
    """Bootstrap servers, `host:port` with commas."""

    @property
    def server_list(self) -> list[str]:
        """The bootstrap servers one by one."""
        return [one.strip() for one in self.servers.split(",")]

    def for_kafka_python(self) -> dict[str, Any]:
        """Keyword arguments of kafka-python's clients."""
        return {"bootstrap_servers": self.server_list}

    def for_aiokafka(self) -> dict[str, Any]:
        """Keyword arguments of aiokafka's clients."""
        return {"bootstrap_servers": self.server_list}
