"""The embedded ClickHouse: `python -m pipeline.embedded.clickhouse --data DIR --port N`.

A process of its own that keeps chDB (ClickHouse as a library) on one directory and serves it over ClickHouse's HTTP
interface, so that clickhouse-connect, curl and analysts' tools talk to it as to a server.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import gc
import ipaddress
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from pipeline.embedded.clickhouse_access import Judge, Passwords
from pipeline.embedded.clickhouse_config import analyst_limits
from pipeline.embedded.clickhouse_engine import Engine
from pipeline.embedded.clickhouse_errors import ClickHouseError
from pipeline.embedded.clickhouse_http import WATCH_SECONDS, ClickHouseServer

log = logging.getLogger("yangguang.clickhouse")

WRITER_PASSWORD = "YANGGUANG_CLICKHOUSE_WRITER_PASSWORD"
ANALYST_PASSWORD = "YANGGUANG_CLICKHOUSE_ANALYST_PASSWORD"
# How long running queries may go on after SIGTERM, in seconds.
GRACE = 5.0
# The allocator is asked to give memory back when nothing has run for so many seconds.
IDLE = 5.0
# In a pipeline that never rests it is asked all the same while the process holds more bytes than this, every so many
# seconds.
HEAVY = 1 << 30
HEAVY_EVERY = 60.0


class _RefusedError(Exception):
    """A reason not to start, as one sentence."""


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Exit status: 0 stopped, 1 could not start, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.embedded.clickhouse", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="directory of the data; created when missing")
    parser.add_argument("--port", type=int, required=True, help="TCP port; 0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--memory", type=int, default=0, help="cap of the engine in MiB (default: half of the machine, at most 8192)"
    )
    options = parser.parse_args(argv)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        return _serve(options.data.resolve(), options.host, options.port, options.memory)
    except _RefusedError as refusal:
        print(f"clickhouse: {refusal}", file=sys.stderr)
        return 1


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _lock(data: Path) -> IO[str]:
    """Hold the directory for this process; the lock ends with the process, however it ends."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (data / "lock").open("a+")
    except OSError as error:
        raise _RefusedError(
            f"the data directory {data} cannot be written ({error.strerror}); choose another --data"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        owner = lock.read().strip() or "unknown"
        raise _RefusedError(
            f"the data directory {data} is in use by process {owner}; stop that one or choose another --data"
        ) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _memory(megabytes: int) -> int:
    if megabytes:
        return max(256, megabytes) << 20
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError, ValueError):
        machine = min(machine, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(machine // 2, 8 << 30)


def _serve(data: Path, host: str, port: int, megabytes: int) -> int:
    writer, analyst = os.environ.get(WRITER_PASSWORD, ""), os.environ.get(ANALYST_PASSWORD, "")
    if not writer:
        raise _RefusedError(f"the writer's password is missing; set {WRITER_PASSWORD}")
    if not analyst and not _is_loopback(host):
        raise _RefusedError(f"user analyst needs a password on {host}; set {ANALYST_PASSWORD} or listen on 127.0.0.1")
    lock = _lock(data)

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server = _open(data, (host, port), Passwords(writer, analyst), _memory(megabytes))
    gc.collect()
    gc.freeze()
    threading.Thread(target=server.serve_forever, name="accept", daemon=True).start()
    port = server.server_address[1]
    print(f"listening on http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)
    log.info("ClickHouse %s serves %s on %s port %s", server.engine.version, data, host, port)
    _attend(server, stop)
    log.info("stopping")
    server.stopping.set()
    server.shutdown()
    server.server_close()
    if not server.wait_idle(GRACE):
        log.warning("queries still ran after %.0f s; leaving without them", GRACE)
        sys.stderr.flush()
        # Closing the engine would wait for them. Every acknowledged insert is in its parts already.
        os._exit(0)
    server.engine.close()
    lock.close()
    log.info("stopped")
    return 0


def _open(data: Path, address: tuple[str, int], passwords: Passwords, memory: int) -> ClickHouseServer:
    processors = len(os.sched_getaffinity(0))
    try:
        engine = Engine(data, memory, processors)
        with engine.session() as session:
            judge = Judge(session, analyst_limits(memory, processors))
    except ClickHouseError as error:
        raise _RefusedError(f"the engine cannot open {data}: {error}") from None
    try:
        return ClickHouseServer(address, engine, passwords, judge)
    except OSError as error:
        engine.close()
        raise _RefusedError(
            f"cannot listen on {address[0]} port {address[1]} ({error.strerror}); choose another port"
        ) from None


def _attend(server: ClickHouseServer, stop: threading.Event) -> None:
    """Until `stop`: end the queries of clients that left, and give memory back."""
    purged = time.monotonic()
    while not stop.wait(WATCH_SECONDS):
        now = time.monotonic()
        idle = server.running == 0 and purged < server.last_query < now - IDLE
        try:
            server.watch()
            if idle or (_resident() > HEAVY and now - purged > HEAVY_EVERY):
                purged = now
                server.engine.purge()
        except ClickHouseError as error:
            log.warning("the engine could not be attended to: %d %s", error.code, error.name)


if __name__ == "__main__":
    sys.exit(main())
