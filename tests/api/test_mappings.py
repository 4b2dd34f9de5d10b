"""The meaning of a sender's words, told over HTTP, and what it restates."""

from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import HandClock, MakeKey, as_key
from tests.feeds.corpus import a_record

UNITS = [
    {"code": "H44", "name": "Tỉnh Phú Thọ", "level": "province"},
    {"code": "H44.100", "name": "UBND phường Việt Trì", "level": "commune", "parent": "H44"},
    {"code": "H44.101", "name": "UBND xã Hy Cương", "level": "commune", "parent": "H44"},
    {"code": "H15", "name": "Tỉnh Đắk Lắk", "level": "province"},
]
PROCEDURE = {
    "code": "1.001193",
    "name": "Đăng ký khai sinh",
    "field": "G15-TP01",
    "limits": [
        {
            "valid_from": "2025-01-01",
            "kind": "working_days",
            "value": 3,
            "legal_basis": "Quyết định công bố",
        }
    ],
}
WORD = "Bộ phận một cửa Hy Cương"
AUGUST = {"from": "2026-08-01", "to": "2026-08-31"}


@pytest.fixture
def key(client: TestClient, make_key: MakeKey) -> str:
    """Give a key of a province with a catalogue of one procedure."""
    whole = as_key(make_key())
    client.post("/v1/units/batch", json={"units": UNITS}, headers=whole)
    client.post("/v1/procedures/batch", json={"procedures": [PROCEDURE]}, headers=whole)
    return make_key(unit="H44")


def send(client: TestClient, key: str, *records: dict[str, object]) -> None:
    answer = client.post(
        "/v1/dossiers/batch", json={"dossiers": list(records)}, headers=as_key(key)
    )
    assert answer.json()["quarantined"] == 0, answer.text


def put(client: TestClient, key: str, kind: str, *meanings: tuple[str, str], **query: str) -> Any:
    name = kind.removesuffix("s")
    body = {"mappings": [{"told": told, name: target} for told, target in meanings]}
    return client.put(f"/v1/mappings/{kind}", json=body, params=query, headers=as_key(key))


def listed(client: TestClient, key: str, kind: str, **query: str) -> dict[str, Any]:
    answer = client.get(f"/v1/mappings/{kind}", params=query, headers=as_key(key))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def counts(client: TestClient, key: str, unit: str, **query: str) -> dict[str, int]:
    asked = AUGUST | {"unit": unit} | query
    answer = client.get("/v1/statistics", params=asked, headers=as_key(key))
    assert answer.status_code == 200, answer.text
    found: dict[str, int] = answer.json()["total"]["counts"]
    return {name: number for name, number in found.items() if number}


def test_a_mapped_word_restates_its_dossiers_as_if_always_at_the_real_unit(
    client: TestClient, key: str, clock: HandClock
) -> None:
    send(
        client,
        key,
        a_record(code="HS-1", unit=WORD),
        a_record(code="HS-2", unit=WORD),
        a_record(code="HS-3", unit="H44.101"),
        a_record(code="HS-4", unit="Phòng khác"),
    )
    whole = counts(client, key, "H44")
    known_at = clock().isoformat()
    clock.advance(timedelta(days=1))

    answer = put(client, key, "units", (WORD, "H44.101"))

    assert answer.json()["mappings"] == [
        {"told": WORD, "target": "H44.101", "verdict": "created", "dossiers": 2}
    ]
    after = counts(client, key, "H44.101")
    assert (after["received"], after.get("transferred_in")) == (3, None)
    assert counts(client, key, "H44~unknown")["received"] == 1
    assert counts(client, key, "H44") == whole
    assert counts(client, key, "H44.101", known_at=known_at)["received"] == 1
    found = client.get("/v1/dossiers/HS-1", headers=as_key(key)).json()
    assert (found["unit"], found["unit_told"]) == ("H44.101", WORD)
    assert "unknown_unit" not in found["flags"]


def test_later_news_with_the_word_goes_to_the_real_unit(client: TestClient, key: str) -> None:
    put(client, key, "units", (WORD, "H44.101"))

    send(client, key, a_record(code="HS-1", unit=WORD))

    assert client.get("/v1/dossiers/HS-1", headers=as_key(key)).json()["unit"] == "H44.101"


def test_a_dossier_that_moved_on_from_the_unknown_unit_is_restated_too(
    client: TestClient, key: str
) -> None:
    moved = a_record(code="HS-1", unit="H44.100", source_updated_at="2026-08-04T09:00:00+07:00")
    send(client, key, a_record(code="HS-1", unit=WORD), moved)
    assert counts(client, key, "H44.100")["transferred_in"] == 1

    put(client, key, "units", (WORD, "H44.100"))

    assert counts(client, key, "H44.100").get("transferred_in") is None
    assert counts(client, key, "H44.100")["received"] == 1
    assert counts(client, key, "H44~unknown") == {}


def test_a_meaning_can_be_corrected(client: TestClient, key: str) -> None:
    send(client, key, a_record(code="HS-1", unit=WORD), a_record(code="HS-2", unit="H44.100"))
    put(client, key, "units", (WORD, "H44.100"))

    answer = put(client, key, "units", (WORD, "H44.101"))

    assert answer.json()["mappings"][0] | {"dossiers": 1} == answer.json()["mappings"][0]
    assert counts(client, key, "H44.101")["received"] == 1
    assert counts(client, key, "H44.100")["received"] == 1


def test_the_same_meaning_again_changes_nothing(client: TestClient, key: str) -> None:
    send(client, key, a_record(code="HS-1", unit=WORD))
    put(client, key, "units", (WORD, "H44.101"))
    before = client.get("/v1/dossiers/HS-1", headers=as_key(key)).json()

    again = put(client, key, "units", (WORD, "H44.101"))

    assert again.json()["mappings"] == [
        {"told": WORD, "target": "H44.101", "verdict": "unchanged", "dossiers": 0}
    ]
    assert client.get("/v1/dossiers/HS-1", headers=as_key(key)).json() == before
    assert len(listed(client, key, "units")["mappings"]) == 1


def test_the_words_that_wait_for_a_meaning_are_listed_with_their_dossiers(
    client: TestClient, key: str
) -> None:
    send(
        client,
        key,
        *(a_record(code=f"HS-{n}", unit=WORD, procedure="P-1") for n in range(3)),
        a_record(code="HS-9", unit="Phòng khác"),
    )

    assert listed(client, key, "units")["unknown"] == [
        {"told": WORD, "dossiers": 3, "candidates": []},
        {"told": "Phòng khác", "dossiers": 1, "candidates": []},
    ]
    assert listed(client, key, "procedures")["unknown"] == [
        {"told": "P-1", "dossiers": 3, "candidates": []}
    ]
    put(client, key, "units", (WORD, "H44.101"))
    after = listed(client, key, "units")
    assert [one["told"] for one in after["unknown"]] == ["Phòng khác"]
    assert [(one["told"], one["target"]) for one in after["mappings"]] == [(WORD, "H44.101")]


def test_a_name_that_fits_one_unit_is_used_and_shown_as_such(
    client: TestClient, key: str, make_key: MakeKey
) -> None:
    names = [("H44.7", "UBND phường Tân Lập"), ("H44.8", "UBND xã Tân Lập")]
    units = [{"code": c, "name": n, "level": "commune", "parent": "H44"} for c, n in names]
    client.post("/v1/units/batch", json={"units": units}, headers=as_key(make_key()))
    send(
        client,
        key,
        a_record(code="HS-1", unit="Uỷ ban nhân dân P. Tân Lập"),
        a_record(code="HS-2", unit="Tân Lập"),
    )

    clear = client.get("/v1/dossiers/HS-1", headers=as_key(key)).json()
    vague = client.get("/v1/dossiers/HS-2", headers=as_key(key)).json()

    assert clear["unit"] == "H44.7"
    assert "unit_by_name" in clear["flags"]
    assert vague["unit"] == "H44~unknown"
    assert listed(client, key, "units")["unknown"] == [
        {"told": "Tân Lập", "dossiers": 1, "candidates": ["H44.7", "H44.8"]}
    ]


def test_a_mapped_procedure_brings_its_field_and_its_limit(client: TestClient, key: str) -> None:
    record = a_record(code="HS-1", procedure="RIÊNG-01")
    send(client, key, {name: value for name, value in record.items() if name != "due_at"})
    before = client.get("/v1/dossiers/HS-1", headers=as_key(key)).json()

    answer = put(client, key, "procedures", ("RIÊNG-01", "1.001193"))
    after = client.get("/v1/dossiers/HS-1", headers=as_key(key)).json()

    assert answer.json()["mappings"][0]["dossiers"] == 1
    assert (before["procedure"], before["state"]) == (None, "open_no_due")
    assert (after["procedure"], after["procedure_told"]) == ("1.001193", "RIÊNG-01")
    assert after["readings"]["promised"]["due_on"] == "2026-08-06"
    assert counts(client, key, "H44", field="G15-TP01")["received"] == 1


def test_words_belong_to_the_root_of_the_key_that_used_them(
    client: TestClient, key: str, make_key: MakeKey
) -> None:
    commune = make_key(unit="H44.101", source="xa")
    send(client, commune, a_record(code="HS-1", unit="Một cửa"))
    assert listed(client, key, "units")["unknown"] == []
    assert listed(client, key, "units", root="H44.101")["unknown"] == [
        {"told": "Một cửa", "dossiers": 1, "candidates": []}
    ]

    outside = put(client, key, "units", ("Một cửa", "H44.100"), root="H44.101")
    answer = put(client, key, "units", ("Một cửa", "H44.101"), root="H44.101")

    assert (outside.status_code, outside.json()["code"]) == (422, "mapping.target_unknown")
    assert answer.json()["mappings"][0]["dossiers"] == 1
    assert client.get("/v1/dossiers/HS-1", headers=as_key(key)).json()["unit"] == "H44.101"


def test_a_key_of_everything_maps_its_own_words(
    client: TestClient, key: str, make_key: MakeKey
) -> None:
    whole = make_key(source="trung-uong")
    send(client, whole, a_record(code="HS-1", unit="Nơi nào đó"))
    assert counts(client, whole, "~unknown")["received"] == 1

    put(client, whole, "units", ("Nơi nào đó", "H15"))

    assert client.get("/v1/dossiers/HS-1", headers=as_key(whole)).json()["unit"] == "H15"


@pytest.mark.parametrize(
    ("kind", "meanings", "code"),
    [
        ("units", [("x", "H99")], "mapping.target_unknown"),
        ("units", [("x", "H15")], "mapping.target_unknown"),
        ("units", [("x", "H44.100"), ("x", "H44.101")], "mapping.twice"),
        ("units", [("H44.100", "H44.101")], "mapping.word_known"),
        ("procedures", [("x", "9.999999")], "mapping.target_unknown"),
        ("procedures", [("1.001193", "1.001193")], "mapping.word_known"),
    ],
)
def test_a_meaning_that_cannot_be_is_refused(
    client: TestClient, key: str, kind: str, meanings: list[tuple[str, str]], code: str
) -> None:
    answer = put(client, key, kind, *meanings)

    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    assert listed(client, key, kind)["mappings"] == []


def test_the_bucket_of_unknown_units_is_no_meaning(client: TestClient, key: str) -> None:
    send(client, key, a_record(code="HS-1", unit=WORD))

    answer = put(client, key, "units", ("Khác", "H44~unknown"))

    assert (answer.status_code, answer.json()["code"]) == (422, "field.bad_form")


def test_telling_meanings_needs_the_right_to_the_catalogue(
    client: TestClient, key: str, make_key: MakeKey
) -> None:
    reader = make_key(["dossiers:read"], unit="H44")

    assert put(client, reader, "units", (WORD, "H44.101")).status_code == 403
    assert listed(client, reader, "units")["mappings"] == []
    other = make_key(unit="H15")
    assert put(client, other, "units", (WORD, "H44.101"), root="H44").status_code == 404
