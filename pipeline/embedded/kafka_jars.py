"""The jars of Apache Kafka: which ones (a lock file), fetched once, checked, kept in a cache shared over checkouts.

The lock names every jar by its Maven coordinates, size and sha256, and no address: where jars come from is the
business of the machine's ordinary Maven set-up (proxy and certificate variables included). A jar whose bytes are not
the locked ones is refused, so the same version of this project always runs the same broker.
"""

import fcntl
import hashlib
import os
import shutil
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jgo.maven import MavenContext

LOCK_FILE = Path(__file__).with_name("kafka.lock.toml")
ROOT = ("org.apache.kafka", "kafka_2.13")
# Kafka logs through slf4j, and its POM leaves the choice of a backend to the distribution: without this jar a broker
# that cannot start would say nothing at all.
LOG_BINDING = ("org.apache.logging.log4j", "log4j-slf4j-impl")
LOG_CORE = ("org.apache.logging.log4j", "log4j-core")

Progress = Callable[[int, int], None]
"""Called with (bytes fetched so far, bytes in all) while jars are fetched; from several threads, one at a time."""

_PARALLEL_DOWNLOADS = 8
_ATTEMPTS = 4
_HTTP_TIMEOUT_S = 30


class KafkaError(RuntimeError):
    """The embedded Kafka cannot be fetched, prepared or reached; the text is one sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One locked jar: Maven coordinates, size in bytes, sha256 in hex."""

    group: str
    artifact: str
    version: str
    size: int
    sha256: str

    @property
    def file_name(self) -> str:
        """Name in the flat cache directory; artifact and version are unique within one lock."""
        return f"{self.artifact}-{self.version}.jar"

    def __str__(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"


@dataclass(frozen=True, slots=True)
class Lock:
    """All jars of one Kafka version."""

    version: str
    jars: tuple[Jar, ...]

    @property
    def digest(self) -> str:
        """Identity of the whole set, so that a cache made from another lock of the same version is not taken."""
        return hashlib.sha256("\n".join(f"{jar} {jar.sha256}" for jar in self.jars).encode()).hexdigest()


def read_lock(path: Path = LOCK_FILE) -> Lock:
    """The lock file as a value.

    Raises KafkaError when the file is missing or is not a lock."""
    try:
        content = tomllib.loads(path.read_text("utf-8"))
        jars = tuple(Jar(**entry) for entry in content["jar"])
        return Lock(str(content["version"]), jars)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KafkaError(
            f"{path.name} is missing or damaged ({error}); restore it from the repository, or write it again with "
            "python -m pipeline.embedded.kafka --lock VERSION"
        ) from error


def cache_directory(version: str) -> Path:
    """Where the jars of this version are kept: XDG_CACHE_HOME (default ~/.cache), shared by all checkouts."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "yangguang" / "kafka" / version


def class_path(lock: Lock, directory: Path) -> str:
    """The JVM's class path in the lock's order: a start-up archive is valid for exactly one order."""
    return os.pathsep.join(str(directory / jar.file_name) for jar in lock.jars)


def is_complete(lock: Lock, directory: Path) -> bool:
    """True if these jars were all checked once and still have their size; hashing 45 MB at each start would be felt."""
    try:
        if (directory / ".complete").read_text("ascii") != lock.digest:
            return False
        return all((directory / jar.file_name).stat().st_size == jar.size for jar in lock.jars)
    except OSError:
        return False


def fetch(lock: Lock, directory: Path | None = None, progress: Progress | None = None) -> Path:
    """Make the locked jars available and return their directory; at once if they already are.

    Raises KafkaError when a jar cannot be fetched, or is not the locked one."""
    directory = directory or cache_directory(lock.version)
    if is_complete(lock, directory):
        return directory
    directory.mkdir(parents=True, exist_ok=True)
    with _only_one(directory / ".lock"):
        if is_complete(lock, directory):  # another process fetched them while this one waited
            return directory
        staging = directory / ".staging"
        shutil.rmtree(staging, ignore_errors=True)  # what a killed fetch left half-written
        try:
            _fetch_missing(lock, directory, staging, progress)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        marker = directory / ".complete.new"
        marker.write_text(lock.digest, "ascii")
        marker.replace(directory / ".complete")
    return directory


def resolve_lock(version: str) -> Lock:
    """Ask the registry which jars this Kafka version consists of, fetch them all and hash them.

    Raises KafkaError when the version or one of its jars cannot be fetched."""
    staging = cache_directory(version) / ".resolving"
    shutil.rmtree(staging, ignore_errors=True)
    try:
        context = _maven(staging)
        component = context.project(*ROOT).at_version(version)
        try:
            _, nodes = context.pom_dependency_list(component.pom())
        except Exception as error:  # the resolver raises whatever its XML or HTTP layer raised
            raise _not_fetched(":".join((*ROOT, version)), error) from error
        found = {(node.dep.groupId, node.dep.artifactId): str(node.dep.version) for node in nodes}
        found[ROOT] = version
        found[LOG_BINDING] = found[LOG_CORE]
        coordinates = [(group, artifact, chosen) for (group, artifact), chosen in sorted(found.items())]
        with ThreadPoolExecutor(_PARALLEL_DOWNLOADS) as pool:
            files = pool.map(lambda one: _download(context, *one), coordinates)
            jars = [
                Jar(*one, size=file.stat().st_size, sha256=_sha256(file))
                for one, file in zip(coordinates, files, strict=True)
            ]
        return Lock(version, tuple(jars))
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def write_lock(lock: Lock, path: Path = LOCK_FILE) -> None:
    """Write the lock file, jars in alphabetical order, so that a change of version is a readable diff."""
    lines = [
        "# Every jar of the embedded Apache Kafka. Written by: python -m pipeline.embedded.kafka --lock VERSION",
        f'version = "{lock.version}"',
    ]
    for jar in lock.jars:
        lines += [
            "",
            "[[jar]]",
            f'group = "{jar.group}"',
            f'artifact = "{jar.artifact}"',
            f'version = "{jar.version}"',
            f"size = {jar.size}",
            f'sha256 = "{jar.sha256}"',
        ]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def _fetch_missing(lock: Lock, directory: Path, staging: Path, progress: Progress | None) -> None:
    total = sum(jar.size for jar in lock.jars)
    done = 0
    counting = threading.Lock()
    context = _maven(staging)

    def fetch_one(jar: Jar) -> None:
        nonlocal done
        target = directory / jar.file_name
        if not (target.exists() and _sha256(target) == jar.sha256):
            file = _download(context, jar.group, jar.artifact, jar.version)
            actual = _sha256(file)
            if actual != jar.sha256:
                raise KafkaError(
                    f"{jar} was refused: its sha256 is {actual}, the lock file says {jar.sha256}; fetch again, and if "
                    "it stays so, find out who changed the jar before you trust it"
                )
            file.replace(target)
        with counting:
            done += jar.size
            if progress:
                progress(done, total)

    with ThreadPoolExecutor(_PARALLEL_DOWNLOADS) as pool:
        # Big jars first: the download then ends with many small ones side by side instead of one long one.
        waiting = [pool.submit(fetch_one, jar) for jar in sorted(lock.jars, key=lambda jar: -jar.size)]
        try:
            for future in waiting:
                future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _maven(repository: Path) -> "MavenContext":
    # Imported late: a start from the cache does not need the resolver, and it takes 0.2 s to import.
    from jgo.maven import MavenContext  # noqa: PLC0415

    return MavenContext(repo_cache=repository, timeout=_HTTP_TIMEOUT_S)


def _download(context: "MavenContext", group: str, artifact: str, version: str) -> Path:
    """One jar into the context's own directory, tried again while the network fails."""
    from requests import RequestException  # noqa: PLC0415 (see _maven)

    wanted = context.project(group, artifact).at_version(version).artifact()
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return wanted.resolve()
        except RequestException as error:
            # The resolver would take a half-written file for the whole jar at the next attempt.
            if wanted.cached_path is not None:
                wanted.cached_path.unlink(missing_ok=True)
            if attempt == _ATTEMPTS:
                raise _not_fetched(f"{group}:{artifact}:{version}", error) from error
            time.sleep(2.0 ** (attempt - 1))
        except RuntimeError as error:
            raise _not_fetched(f"{group}:{artifact}:{version}", error) from error
    raise AssertionError("the last attempt returns or raises")


def _not_fetched(coordinates: str, error: Exception) -> KafkaError:
    cause = "no repository has it" if isinstance(error, RuntimeError) else type(error).__name__
    return KafkaError(
        f"{coordinates} could not be fetched ({cause}); check the network and the proxy variables and run the command "
        "again, or set YANGGUANG_KAFKA to a Kafka that runs already"
    )


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """One fetching process per cache at a time; the kernel takes the lock back from a killed one."""
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
