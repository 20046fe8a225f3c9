"""What the gateway shows of ClickHouse, and what it says of itself."""

from datetime import UTC, datetime

import httpx

from sinks.clickhouse.alerts import LOG_COLUMNS
from tests.pipeline.embedded_clickhouse import Server


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
    [alert] = http.get("/v1/alerts", params={"state": "firing", "scope": "city"}).json()["alerts"]
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
    assert http.get("/v1/alerts", params={"state": "resolved"}).json() == {"alerts": []}


def test_what_is_not_there_is_a_problem_too(http: httpx.Client) -> None:
    for answer, status in ((http.get("/v1/none"), 404), (http.get("/v1/events"), 405)):
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status
