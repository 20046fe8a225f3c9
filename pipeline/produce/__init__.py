"""Events of a file on their way to Kafka: judged beforehand, sent in portions, gone on with after an interruption."""
