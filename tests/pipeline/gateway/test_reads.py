"""What the gateway shows of ClickHouse, and what it says of itself."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from schemas.action import acknowledgement, silence
from sinks.clickhouse.alerts import LOG_COLUMNS
from tests.pipeline.embedded_clickhouse import Server
from tests.pipeline.gateway.test_acting import SINCE, insert_alert, write_down


def test_the_process_is_alive_and_ready(http: httpx.Client) -> None:
    assert http.get("/healthz").json() == {"status": "alive"}
    assert http.get("/readyz").json() == {"status": "ready", "missing": []}


def test_rates_are_the_rows_of_the_view_by_name(http: httpx.Client) -> None:
    rates = http.get("/v1/rates").json()["rates"]
    assert {one["indicator"] for one in rates} >= {"kitchen_build", "seal_coverage"}
    city = http.get("/v1/rates", params={"indicator": "seal_coverage", "scope": "city", "window": "1h"}).json()["rates"]
    assert [(one["scope_id"], one["status"], one["rate"], one["target"]) for one in city] == [
        ("330681", "no_data", None, None)
    ]


def test_a_filter_may_have_several_values_and_an_unknown_one_is_refused(http: httpx.Client) -> None:
    query = "indicator=seal_coverage&window=1h&scope=town&scope_id=330681001&scope_id=330681002"
    assert len(http.get(f"/v1/rates?{query}").json()["rates"]) == 2
    assert http.get("/v1/rates", params={"indicator": "x' OR 1=1 --\0"}).json() == {"rates": []}
    answer = http.get("/v1/rates", params={"indicater": "seal_coverage"})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert "indicator" in answer.json()["detail"]


def test_alerts_have_moments_of_shanghai_and_named_places(http: httpx.Client, clickhouse: Server) -> None:
    at = datetime(2026, 11, 23, 4, 0, 30, 250000, tzinfo=UTC)
    row = {
        "alert_id": "a-1", "transition_id": "t-1", "kind": "rate", "indicator": "seal_coverage", "scope": "city",
        "scope_id": "330681", "window": "1h", "from_state": "pending", "to_state": "firing", "since": at, "held": 0,
        "as_of": at, "recorded_at": at, "numerator": 50, "denominator": 100, "unknown": 3, "rate": 0.5, "target": 0.9,
        "worst": [("town", "330681001", "暨阳街道", 1, 9, 0.1)], "reason": "", "step": 1,
        "subject": "", "inhibited_by": "", "facts": "",
    }  # fmt: skip
    client = clickhouse.client()
    client.insert("yangguang.alert_log", [[row[name] for name in LOG_COLUMNS]], column_names=LOG_COLUMNS)
    client.close()
    [alert] = http.get(
        "/v1/alerts", params={"state": "firing", "scope_id": "330681", "indicator": "seal_coverage"}
    ).json()["alerts"]
    assert alert["since"] == alert["as_of"] == "2026-11-23T12:00:30.250000+08:00"
    assert (alert["alert_id"], alert["numerator"], alert["rate"], alert["acknowledged_by"]) == ("a-1", 50, 0.5, None)
    assert alert["worst"] == [
        {
            "scope": "town",
            "scope_id": "330681001",
            "name": "暨阳街道",
            "numerator": 1,
            "denominator": 9,
            "rate": 0.1,
        }
    ]
    assert http.get("/v1/alerts", params={"state": "resolved", "scope": "city"}).json() == {"alerts": []}


def test_alerts_are_found_by_kind_and_by_what_people_did_about_them(http: httpx.Client, clickhouse: Server) -> None:
    place = {"indicator": "no_data", "scope_id": "330681002"}
    names = ("seen", "quiet", "held", "left", "alone")
    for name in names:
        held_by = {"held": "found-alone", "left": "found-over"}.get(name, "")
        told: dict[str, Any] = {"kind": "condition", **place, "inhibited_by": held_by}
        insert_alert(clickhouse, f"found-{name}", **told)
        later: dict[str, Any] = {"transition_id": "", "as_of": SINCE + timedelta(minutes=1), "step": 0}
        insert_alert(clickhouse, f"found-{name}", **told | later | {"inhibited_by": ""})
    now = datetime.now(UTC)
    seen = acknowledgement("found-seen", SINCE, "王", "去看", now, "cli")
    quiet = silence({"alert_id": "found-quiet"}, now + timedelta(hours=1), "李", "检修", now, "cli")
    write_down(clickhouse, [seen, quiet])

    def found(**asked: Any) -> set[str]:
        alerts = http.get("/v1/alerts", params=place | asked).json()["alerts"]
        return {one["alert_id"].removeprefix("found-") for one in alerts}

    assert found(kind="condition") == set(names)
    assert found(kind="event") == set()
    for flag, name in (("acknowledged", "seen"), ("silenced", "quiet"), ("inhibited", "held")):
        assert found(**{flag: "true"}) == {name}
        assert found(**{flag: "false"}) == set(names) - {name}
        assert found(**{flag: ["true", "false"]}) == set(names)
        answer = http.get("/v1/alerts", params={flag: "yes"})
        assert (answer.status_code, answer.json()["detail"]) == (400, f"{flag} is 'yes': write true or false")
    assert found(acknowledged="false", silenced="false", inhibited="false", state="firing") == {"left", "alone"}


def test_what_is_not_there_is_a_problem_too(http: httpx.Client) -> None:
    for answer, status in ((http.get("/v1/none"), 404), (http.get("/v1/events"), 405)):
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status
