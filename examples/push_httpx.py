"""Pushes the events of a file (one a line) in batches with httpx. Says what was refused, and sends again what may be.

    YANGGUANG_API_KEY=yg_... python push_httpx.py orders.ndjson

Environment: YANGGUANG_API_KEY (needed), YANGGUANG_URL (http://127.0.0.1:8080 if not set).
Ends with status 1 if events were refused; they are written to FILE.refused with their reasons.
"""

import json
import os
import random
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import httpx

BATCH = 500
AGAIN = {408, 429, 500, 502, 503, 504}
LONGEST_PAUSE = 60.0


def push(client: httpx.Client, events: list[bytes]) -> list[dict[str, Any]]:
    """Sends events until there is an answer about each of them, and returns those answers in the events' order."""
    attempt = 0
    while True:
        pause = min(2.0**attempt, LONGEST_PAUSE) * random.uniform(0.5, 1)  # so that not all come back at once
        try:
            answer = client.post("/v1/events", content=b"\n".join(events))
        except httpx.TransportError as error:
            print(f"{type(error).__name__}, again in {pause:.1f} s", file=sys.stderr)
        else:
            if answer.status_code in {202, 207, 422}:
                results: list[dict[str, Any]] = answer.json()["results"]
                return results
            if answer.status_code not in AGAIN:
                sys.exit(f"answered {answer.status_code}: {answer.text}")
            pause = float(answer.headers.get("Retry-After", pause))
            print(f"answered {answer.status_code}, again in {pause:.1f} s", file=sys.stderr)
        time.sleep(pause)
        attempt += 1


def batches(path: Path) -> Iterator[list[bytes]]:
    """The lines of a file that are not blank, some at a time."""
    with path.open("rb") as file:
        lines = (line.rstrip(b"\n") for line in file if line.strip())
        while batch := list(islice(lines, BATCH)):
            yield batch


def main(path: Path) -> int:
    """Pushes a file and returns the exit status."""
    accepted = refused = 0
    aside = path.with_name(f"{path.name}.refused")
    headers = {
        "Authorization": f"Bearer {os.environ['YANGGUANG_API_KEY']}",
        "Content-Type": "application/x-ndjson",
    }
    url = os.environ.get("YANGGUANG_URL", "http://127.0.0.1:8080")
    with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
        for batch in batches(path):
            for event, result in zip(batch, push(client, batch), strict=True):
                if result["status"] == "accepted":
                    accepted += 1
                    continue
                refused += 1
                why = {"reason": result["reason"], "detail": result["detail"], "event": event.decode(errors="replace")}
                with aside.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(why, ensure_ascii=False) + "\n")
    print(f"{accepted} accepted, {refused} refused{f', see {aside}' if refused else ''}")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
