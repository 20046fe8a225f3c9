"""Messages of vendors, broken on purpose, for the mappings that make events of them."""

import json
from copy import deepcopy
from random import Random
from typing import Final

from tests.hostile.bodies import JSON, LINES, Body
from tests.hostile.events import any_event, bent, changed
from tests.hostile.requests import POSTED, Attempt, Keys, bearer, post, typed
from tests.pipeline.vendors.samples import TABLE
from tests.pipeline.vendors.test_shipped import MESSAGES

VENDOR: Final = "vendor"
CONFIGURATION: Final = "".join(f'[vendor.{name}]\nmapping = "{name}"\ndevices = "devices.csv"\n' for name in MESSAGES)
"""What yangguang.toml says of them; beside it lies the table of devices."""
DEVICES: Final = TABLE


def of_vendor(chance: Random, keys: Keys) -> Attempt:
    """A message, or several, to a mapping that may be another vendor's."""
    name = chance.choice(list(MESSAGES))
    several = [_message(chance, name) for _ in range(chance.choice((1, 1, 1, 3)))]
    if len(several) == 1:
        body = Body(several[0], JSON)
    elif chance.random() < 0.5:
        body = Body(b"[" + b",".join(several) + b"]", JSON)
    else:
        body = Body(b"\n".join(several), LINES)
    path = f"/v1/vendors/{chance.choice((name, name, name, chance.choice(list(MESSAGES))))}".encode()
    return Attempt(VENDOR, post(body.data, [bearer(keys.whole), *typed(body)], path), 1, POSTED | {200})


def _message(chance: Random, name: str) -> bytes:
    match chance.randrange(8):
        case 0:
            return json.dumps(MESSAGES[name]).encode()
        case 1 | 2 | 3:
            return bent(chance, json.dumps(MESSAGES[name], ensure_ascii=False).encode())
        case 4:
            return any_event(chance)
        case _:
            return changed(chance, deepcopy(MESSAGES[name]))
