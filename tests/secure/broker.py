"""A real Apache Kafka that asks who is there, and lets each user do only what it was granted."""

import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
)

from pipeline.embedded.kafka import EmbeddedKafka
from pipeline.embedded.kafka_config import server_properties
from streams.kafka_access import KafkaAwayError, require_access
from streams.kafka_address import KafkaAddress
from tests.secure.certificates import CLIENT, HOST, Certificates
from tests.system.parts import Part, free_port

USER: Final = "yangguang"
VISITOR: Final = "visitor"
"""A user without any right."""
NEWCOMER: Final = "newcomer"
"""Another one, whom one test gives rights."""
PASSWORD: Final = "it's a = long päss"
READY_SECONDS: Final = 60.0
TOPIC_RIGHTS: Final = ("READ", "WRITE", "CREATE", "DESCRIBE", "DESCRIBE_CONFIGS", "ALTER_CONFIGS")
GROUP_RIGHTS: Final = ("READ", "DESCRIBE")
"""What docs/settings.md says that the pipeline's user needs."""


class SecureBroker:
    """One node with three doors: `sasl` (SASL_SSL), `mutual` (SSL, which asks for a certificate), and `open`, in the
    clear and for this test alone, whose user may do everything."""

    def __init__(self, home: Path, certificates: Certificates) -> None:
        self._certificates = certificates
        own, sasl, mutual, controller = (free_port() for _ in range(4))
        self._kafka = EmbeddedKafka(home, own)
        self._kafka.fetch()
        self.open = KafkaAddress(self._kafka.bootstrap)
        self.sasl = KafkaAddress(f"{HOST}:{sasl}", "SASL_SSL", "SCRAM-SHA-512", USER, PASSWORD, certificates.trusting)
        self.mutual = KafkaAddress(f"{HOST}:{mutual}", "SSL", tls=certificates.client)
        home.mkdir(parents=True)
        (home / "log4j2.properties").write_text("status = error\nrootLogger.level = error\n")
        properties = server_properties("127.0.0.1", own, controller, "data")
        (home / "server.properties").write_text(properties + self._security(own, sasl, mutual, controller))
        self._home = home
        self._format()
        self.part = Part(
            "kafka",
            self._kafka.java_command("kafka.Kafka", "server.properties"),
            home / "log",
            self._kafka.environment(),
            home,
        )
        self.start()
        for user in (USER, CLIENT):
            self.grant(user, TOPIC_RIGHTS, GROUP_RIGHTS)

    def _security(self, own: int, sasl: int, mutual: int, controller: int) -> str:
        password = PASSWORD.encode("unicode_escape").decode().replace("\\x", "\\u00")  # as properties are written
        values = {
            "listeners": f"PLAINTEXT://127.0.0.1:{own},SASL_SSL://127.0.0.1:{sasl},SSL://127.0.0.1:{mutual},"
            f"CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{own},SASL_SSL://{HOST}:{sasl},SSL://{HOST}:{mutual}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512,SCRAM-SHA-256,PLAIN",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": _SCRAM,
            "listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config": _SCRAM,
            "listener.name.sasl_ssl.plain.sasl.jaas.config": (
                f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{password}";'
            ),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self._certificates.server_with_key),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self._certificates.ca,
            "listener.name.ssl.ssl.client.auth": "required",
            "listener.name.ssl.ssl.principal.mapping.rules": "RULE:^.*CN=([^,]+).*$/$1/",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }
        return "".join(f"{name}={value}\n" for name, value in values.items())

    def _format(self) -> None:
        users = [(user, "SCRAM-SHA-512") for user in (USER, VISITOR, NEWCOMER)] + [(USER, "SCRAM-SHA-256")]
        done = subprocess.run(
            self._kafka.java_command(
                "kafka.tools.StorageTool",
                "format",
                "--cluster-id=MkU3OEVBNTcwNTJENDM2Qg",
                "--config=server.properties",
                *(f'--add-scram={mechanism}=[name="{user}",password="{PASSWORD}"]' for user, mechanism in users),
            ),
            cwd=self._home,
            env=self._kafka.environment(),
            capture_output=True,
            text=True,
            timeout=READY_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        """Starts the broker and returns when it lets users in."""
        self.part.start()
        deadline = time.monotonic() + READY_SECONDS
        while not self._answers():
            assert self.part.running, self.part.text()
            assert time.monotonic() < deadline, self.part.text()

    def _answers(self) -> bool:
        try:
            require_access(self.sasl)
        except KafkaAwayError:
            return False
        return True

    def grant(self, user: str, topics: Sequence[str] = (), groups: Sequence[str] = ()) -> None:
        """Rights on topics that begin with `yangguang.` and on groups that begin with `yangguang`."""
        resources = [(ResourceType.TOPIC, "yangguang.", topics), (ResourceType.GROUP, "yangguang", groups)]
        admin = KafkaAdminClient(**self.open.for_kafka_python())
        admin.create_acls(
            [
                ACL(
                    principal=f"User:{user}",
                    host="*",
                    operation=ACLOperation[right],
                    permission_type=ACLPermissionType.ALLOW,
                    resource_pattern=ResourcePattern(kind, prefix, ACLResourcePatternType.PREFIXED),
                )
                for kind, prefix, rights in resources
                for right in rights
            ]
        )
        admin.close()

    def kill(self) -> None:
        """Ends it at once."""
        self.part.end(signal.SIGKILL)

    @property
    def visitor(self) -> KafkaAddress:
        """Somebody who may log in and do nothing."""
        return replace(self.sasl, user=VISITOR)

    @property
    def newcomer(self) -> KafkaAddress:
        """Somebody who may do nothing until `grant` says otherwise."""
        return replace(self.sasl, user=NEWCOMER)

    @property
    def intruder(self) -> KafkaAddress:
        """Somebody who knows the user and not the password."""
        return replace(self.sasl, password="wrong")


_SCRAM: Final = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
