"""An event of 64 KiB can be wrong in tens of thousands of places; the reason is still the first in the order."""

from schemas.reject import Reason, Rejection
from tests.schemas.events import OPERATOR, judge, whole


def detail(**changes: object) -> tuple[Reason, str]:
    outcome = judge(whole(OPERATOR, **changes))
    assert isinstance(outcome, Rejection)
    return outcome.reason, outcome.detail.partition(":")[0]


def test_the_first_place_of_the_first_reason_is_told() -> None:
    assert detail(certificates=[{}] * 15_000) == (Reason.MISSING_FIELD, "/data/certificates/0/scheme")
    assert detail(platforms=["meituan"] * 100 + ["x"] * 8_000) == (Reason.BAD_VALUE, "/data/platforms/100")


def test_a_reason_that_comes_before_is_found_behind_thousands_of_others() -> None:
    last = {"scheme": "HACCP", "valid_until": "2027-01-31", "colour": "red"}
    found = detail(certificates=[*[{}] * 10_000, last], platforms=["x"] * 500)
    assert found == (Reason.UNKNOWN_FIELD, "/data/certificates/10000/colour")
