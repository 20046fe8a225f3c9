"""Seal events for measurements: valid, about 420 bytes each, equal bytes for equal seeds."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Final

from pipeline.simulator.moments import SHANGHAI
from schemas.towns import TOWNS

# In the past whatever the machine's clock says, so no event is ever rejected as in the future.
_FIRST: Final = datetime(2024, 1, 15, tzinfo=SHANGHAI)
_DAY_MS: Final = 86_400_000
_PLATFORMS: Final = ("meituan", "eleme", "jd", "douyin")
_WEIGHTS: Final = (58, 29, 8, 5)
_OPERATORS: Final = 3_800


def seal_event(rng: Random, number: int, moment: datetime) -> tuple[bytes, bytes]:
    """Kafka key and value of one order's event, delivered and told at `moment` (any offset)."""
    platform = rng.choices(_PLATFORMS, _WEIGHTS)[0]
    operator = rng.randrange(_OPERATORS)
    order = f"{platform[:2].upper()}-{number:08d}"
    packages = 1 if rng.random() < 0.7 else 2 + rng.randrange(4)
    proof = rng.random()
    if proof < 0.5:
        seal, extra = '"intact","evidence_level":2', f',"photo_uri":"https://photo.invalid/{order}.jpg"'
    elif proof < 0.65:
        seal, extra = '"intact","evidence_level":3', f',"code":"ZJFQ{order}"'
    elif proof < 0.95:
        seal, extra = '"intact","evidence_level":1', ""
    else:
        seal, extra = '"unknown","evidence_level":0', ""
    time = moment.isoformat(timespec="microseconds" if moment.microsecond % 1000 else "milliseconds")
    town = _TOWNS[operator % len(_TOWNS)]
    value = (
        f'{{"specversion":"1.0","id":"{order}-1","source":"/platform/{platform}","type":"yangguang.seal.order.v1",'
        f'"time":"{time}","data":{{"order_id":"{order}","operator_id":"gx-{operator:05d}","platform":"{platform}",'
        f'"town_code":"{town}","delivered_at":"{time}","fulfilment":"delivered","packages":{packages},'
        f'"sealed_packages":{packages},"seal_state":{seal}{extra}}}}}'
    )
    return order.encode(), value.encode()


_TOWNS: Final = tuple(TOWNS)


def seal_events(count: int, seed: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of `count` orders, in the order of their delivery over one day."""
    rng = Random(seed)
    for number in range(count):
        yield seal_event(rng, number, _FIRST + timedelta(milliseconds=number * _DAY_MS // count))
