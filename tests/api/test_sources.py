"""Sources over HTTP: when they were last heard, and that silence shows at the door of readiness."""

from datetime import timedelta

from fastapi.testclient import TestClient

from app.deps import Installation
from app.usecases import silences
from tests.api.conftest import HandClock, MakeKey, as_key

UNITS = [
    {"code": "H44", "name": "Tỉnh Phú Thọ", "level": "province"},
    {"code": "H44.100", "name": "Phường Việt Trì", "level": "commune", "parent": "H44"},
    {"code": "H44.101", "name": "Xã Hy Cương", "level": "commune", "parent": "H44"},
]


def test_a_source_that_falls_silent_is_named(
    client: TestClient, make_key: MakeKey, clock: HandClock
) -> None:
    key = make_key(source="mot-cua")
    client.post("/v1/units/batch", json={"units": UNITS}, headers=as_key(key))
    for number in range(3):
        record = {"unit": "H44.100", "procedure": "1.001193", "case": f"{number}"}
        client.put("/v1/dossiers/D-1", json=record, headers=as_key(key))
        clock.advance(timedelta(days=1))
    clock.advance(timedelta(days=6))

    ready = client.get("/readyz").json()
    (source,) = client.get("/v1/sources?unit=H44", headers=as_key(key)).json()["sources"]
    elsewhere = client.get("/v1/sources?unit=H44.101", headers=as_key(key)).json()

    heard = {
        "last_heard_on": "2026-08-12",
        "rhythm_working_days": 1,
        "quiet_working_days": 5,
        "silent": True,
        "retired_from": None,
    }
    assert source == {
        "source": "mot-cua",
        "name": "mot-cua",
        "units": [{"unit": "H44.100", **heard}],
        **heard,
    }
    assert ready["degraded"]["silent_sources"] == {"mot-cua": "2026-08-12"}
    assert elsewhere == {"sources": [], "next_cursor": None}


def test_a_silence_is_listed_until_and_after_the_source_is_heard(
    client: TestClient, make_key: MakeKey, clock: HandClock, installation: Installation
) -> None:
    key = as_key(make_key(source="mot-cua"))
    client.post("/v1/units/batch", json={"units": UNITS}, headers=key)

    def tell(number: int) -> None:
        record = {"unit": "H44.100", "procedure": "1.001193", "case": f"{number}"}
        client.put("/v1/dossiers/D-1", json=record, headers=key)

    def notice() -> list[dict[str, object]]:
        with installation.database.begin() as session:
            silences.notice(session, now=clock())
        listed: list[dict[str, object]] = client.get(
            "/v1/sources/silences?unit=H44", headers=key
        ).json()["silences"]
        return listed

    for number in range(3):
        tell(number)
        clock.advance(timedelta(days=1))
    before = notice()
    clock.advance(timedelta(days=6))
    raised, again = notice(), notice()
    tell(9)
    ended = notice()

    assert before == []
    assert raised == again
    assert [(one["source"], one["resolved_at"]) for one in raised] == [("mot-cua", None)]
    assert [one["resolved_at"] for one in ended] == ["2026-08-19T01:00:00Z"]
    elsewhere = client.get("/v1/sources/silences?unit=H44.101", headers=key).json()
    assert elsewhere["silences"] == []
