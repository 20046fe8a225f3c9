"""Sends the events of a file (one a line) straight to Kafka with kafka-python, each under the key of its entity.

    python push_kafka.py orders.ndjson

Environment: YANGGUANG_KAFKA (127.0.0.1:9092 if not set). A cluster that asks who you are wants more of KafkaProducer:
security_protocol="SASL_SSL", sasl_mechanism="SCRAM-SHA-512", sasl_plain_username and sasl_plain_password.

Kafka does not look into events: what is wrong shows later, in `yangguang rejected list`. Judge a file beforehand with
`yangguang produce --check FILE`.
"""

import json
import os
import sys
from pathlib import Path

from kafka import KafkaProducer

KEYS = {
    "yangguang.registry.operator.v1": "operator_id",
    "yangguang.registry.village.v1": "village_id",
    "yangguang.registry.measure.v1": "measure_id",
    "yangguang.camera.heartbeat.v1": "camera_id",
    "yangguang.camera.finding.v1": "camera_id",
    "yangguang.camera.kitchen.v1": "operator_id",
    "yangguang.banquet.record.v1": "banquet_id",
    "yangguang.seal.order.v1": "order_id",
}
"""The field whose value is the key: the events of one entity stay in order."""


def main(path: Path) -> None:
    """Sends a file, and returns when all replicas have all of it."""
    producer = KafkaProducer(
        bootstrap_servers=os.environ.get("YANGGUANG_KAFKA", "127.0.0.1:9092"),
        acks="all",
        enable_idempotence=True,
        linger_ms=20,
        compression_type="lz4",
    )
    sent = []
    with path.open("rb") as file:
        for line in file:
            if not line.strip():
                continue
            event = json.loads(line)
            topic = ".".join(event["type"].split(".")[:2])  # yangguang.seal.order.v1 goes to yangguang.seal
            key = event["data"][KEYS[event["type"]]]
            sent.append(producer.send(topic, key=key.encode(), value=line.rstrip(b"\r\n")))
    producer.flush()
    for one in sent:
        one.get(timeout=30)  # raises where it was not acknowledged: run it again, duplicates count once
    producer.close()
    print(f"{len(sent)} events are on Kafka")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
