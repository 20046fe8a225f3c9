"""Pushes one request that is signed as Standard Webhooks has it, for a key that was made with --signed.

    YANGGUANG_API_KEY=yg_... YANGGUANG_SIGNING_SECRET=whsec_... python sign.py orders.ndjson

Environment: YANGGUANG_API_KEY and YANGGUANG_SIGNING_SECRET (needed), YANGGUANG_URL (http://127.0.0.1:8080 if not set).
Nothing but Python is needed; the library `standardwebhooks` does the same, for many languages.
"""

import base64
import hashlib
import hmac
import os
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path


def signed(secret: str, body: bytes) -> dict[str, str]:
    """The three headers for a request with this body, exactly as it is sent. A repeat is signed anew."""
    identity, moment = str(uuid.uuid4()), str(int(time.time()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = hmac.digest(key, f"{identity}.{moment}.".encode() + body, hashlib.sha256)
    return {
        "webhook-id": identity,
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }


def main(path: Path) -> int:
    """Pushes a file of at most 10 000 events, prints the answer, and returns the exit status."""
    body = path.read_bytes()
    request = urllib.request.Request(
        os.environ.get("YANGGUANG_URL", "http://127.0.0.1:8080") + "/v1/events",
        body,
        {
            "Authorization": f"Bearer {os.environ['YANGGUANG_API_KEY']}",
            "Content-Type": "application/x-ndjson",
            **signed(os.environ["YANGGUANG_SIGNING_SECRET"], body),
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            print(answer.read().decode())
            return 0 if answer.status == 202 else 1
    except urllib.error.HTTPError as error:
        print(error.read().decode(), file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
