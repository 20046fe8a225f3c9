"""What the embedded broker is told: server.properties and the log configuration, as texts."""

LOG_CONFIG = """\
# Written at every start. To standard output: whoever started the broker owns its log.
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{yyyy-MM-dd'T'HH:mm:ss.SSSXXX} %p %c{1}: %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
"""

_NODE = 1
_DAY_MS = 86_400_000

_FIXED: dict[str, str | int] = {
    "process.roles": "broker,controller",
    "node.id": _NODE,
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    # A misspelt topic must be an error, not a new topic that nobody reads.
    "auto.create.topics.enable": "false",
    # One node can keep one copy; internal topics with few partitions make a young broker quick and small.
    "default.replication.factor": 1,
    "min.insync.replicas": 1,
    "num.partitions": 1,
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 4,
    "offsets.topic.segment.bytes": 16_777_216,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 2,
    "transaction.state.log.segment.bytes": 16_777_216,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "share.coordinator.state.topic.num.partitions": 2,
    # A worker that starts, ends or dies should be noticed in a second or two.
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1000,
    # After kill -9 the controller waits until the former life of the broker has expired: 11 s with the defaults.
    "broker.session.timeout.ms": 2000,
    "broker.heartbeat.interval.ms": 500,
    # The time of arrival, not the producer's: otherwise events that tell of last month would be deleted by retention
    # before they are read, and events an hour ahead refused by the broker instead of being recorded as rejected.
    "log.message.timestamp.type": "LogAppendTime",
    # Acknowledged means with the operating system: kill -9 loses nothing, a power failure the last second. A flush
    # before each acknowledgement halves what a producer can send, and one node is no answer to a lost disk anyway.
    "log.flush.interval.ms": 1000,
    "log.flush.scheduler.interval.ms": 1000,
    "log.retention.ms": 7 * _DAY_MS,
    "log.segment.bytes": 134_217_728,
    "log.index.size.max.bytes": 1_048_576,
    # A group that has been away for longer than its topic's retention still knows where it was.
    "offsets.retention.minutes": 30 * 24 * 60,
    # Defaults are made for many disks and thousands of partitions: 128 MB for cleaning alone.
    "log.cleaner.dedupe.buffer.size": 8_388_608,
    "num.network.threads": 2,
    "num.io.threads": 4,
    "background.threads": 4,
    "num.recovery.threads.per.data.dir": 2,
    "metadata.log.segment.bytes": 33_554_432,
    "metadata.max.idle.interval.ms": 5000,
}


def server_properties(host: str, port: int, controller_port: int, data: str) -> str:
    """The broker's configuration; `data` is the storage directory, relative to the directory the broker is run in,
    because log.dirs splits at commas and properties swallow backslashes."""
    placed: dict[str, str | int] = {
        "listeners": f"PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{host}:{port}",
        "controller.quorum.voters": f"{_NODE}@{host}:{controller_port}",
        "log.dirs": data,
    }
    lines = [f"{name}={value}" for name, value in (placed | _FIXED).items()]
    return "# Written at every start; changes made here are lost.\n" + "\n".join(lines) + "\n"
