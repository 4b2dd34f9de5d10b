"""Rule sets through their doors."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.store.session import Database
from tests.api.conftest import MakeKey, as_key
from tests.factories import make_unit
from tests.rule_set_texts import annex

MALFORMED = sorted((Path(__file__).parents[1] / "rulebook" / "malformed").glob("*.yaml"))
YAML = {"Content-Type": "application/yaml"}


@pytest.fixture
def province(database: Database, make_key: MakeKey) -> dict[str, str]:
    with database.begin() as session:
        make_unit(session, "H15")
        make_unit(session, "H44.100", parent=make_unit(session, "H44"))
    return as_key(make_key(unit="H44")) | YAML


def test_a_set_is_put_read_and_listed_with_its_versions(
    client: TestClient, province: dict[str, str]
) -> None:
    made = client.put("/v1/rule-sets/par.h44", content=annex(), headers=province)
    again = client.put("/v1/rule-sets/par.h44", content=annex(), headers=province)
    mended = client.put(
        "/v1/rule-sets/par.h44?replaces=1&document=101/QĐ-UBND",
        content=annex(floor="0.98"),
        headers=province,
    )

    assert (made.status_code, again.status_code, mended.status_code) == (201, 200, 201)
    found = client.get("/v1/rule-sets/par.h44", headers=province).json()
    assert (found["version"], found["owner"], found["replaces"]) == (2, "H44", 1)
    assert found["document"] == "101/QĐ-UBND"
    assert "floor: 0.98" in found["text"]
    versions = client.get("/v1/rule-sets/par.h44/versions", headers=province).json()["versions"]
    assert [(one["version"], one["replaced_by"]) for one in versions] == [(1, 2), (2, None)]
    listed = client.get("/v1/rule-sets", headers=province).json()["rule_sets"]
    assert {"par.h44", "qd766.profile-2026"} <= {one["id"] for one in listed}


def test_the_text_alone_is_what_was_put(client: TestClient, province: dict[str, str]) -> None:
    client.put("/v1/rule-sets/par.h44", content=annex(), headers=province)

    answer = client.get("/v1/rule-sets/par.h44?format=yaml", headers=province)

    assert answer.text == annex()
    assert answer.headers["content-type"].startswith("application/yaml")


def test_a_faulty_set_is_refused_with_the_place_of_each_fault(
    client: TestClient, province: dict[str, str]
) -> None:
    text = annex(floor="95").replace("  max: 2", "  max: 3")

    answer = client.put("/v1/rule-sets/par.h44", content=text, headers=province)

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "request.invalid")
    assert [(one["pointer"].lstrip("/"), one["code"]) for one in problem["errors"]] == [
        ("root", "lint.max_sum"),
        ("root/on_time", "lint.percent_as_whole"),
        ("root/on_time", "lint.floor_above_target"),
    ]
    assert "3" in problem["errors"][0]["detail"]


@pytest.mark.parametrize(
    ("query", "text", "status", "code"),
    [
        ("qd766.profile-2026", annex("qd766.profile-2026"), 409, "rule_set.shipped"),
        ("par.h44", annex("par.h15"), 422, "rule_set.id_differs"),
        ("par.h44?replaces=3", annex(), 409, "rule_set.version_not_in_use"),
        ("par.h44?unit=H15", annex(), 404, "unit.unknown"),
    ],
)
def test_what_cannot_be_put_is_a_problem_in_both_languages(
    client: TestClient, province: dict[str, str], query: str, text: str, status: int, code: str
) -> None:
    path = f"/v1/rule-sets/{query}"

    vietnamese = client.put(path, content=text.encode(), headers=province)
    english = client.put(path, content=text.encode(), headers=province | {"Accept-Language": "en"})

    assert (vietnamese.status_code, vietnamese.json()["code"]) == (status, code)
    assert vietnamese.json()["detail"] != english.json()["detail"]


def test_reading_needs_one_scope_and_putting_another(
    client: TestClient, province: dict[str, str], make_key: MakeKey
) -> None:
    reader = as_key(make_key(["statistics:read"], unit="H44")) | YAML

    assert client.get("/v1/rule-sets", headers=reader).status_code == 200
    refused = client.put("/v1/rule-sets/par.h44", content=annex(), headers=reader)
    assert refused.json()["code"] == "access.scope_missing"


def test_another_office_does_not_find_it(
    client: TestClient, province: dict[str, str], make_key: MakeKey
) -> None:
    client.put("/v1/rule-sets/par.h44", content=annex(), headers=province)
    other = as_key(make_key(unit="H15"))

    assert client.get("/v1/rule-sets/par.h44", headers=other).status_code == 404
    assert client.get("/v1/rule-sets/par.h44/versions", headers=other).status_code == 404


class TestLint:
    def test_every_text_of_the_gallery_is_answered_with_a_sentence_in_both_languages(
        self, client: TestClient, province: dict[str, str]
    ) -> None:
        for path in MALFORMED:
            answer = client.post("/v1/rule-sets/lint", content=path.read_bytes(), headers=province)

            assert answer.status_code == 200, answer.text
            found = answer.json()
            assert found["findings"], path.name
            for finding in found["findings"]:
                assert finding["message"]["vi"] != finding["message"]["en"]
            is_wrong = any(finding["severity"] == "error" for finding in found["findings"])
            assert found["is_usable"] is not is_wrong

    def test_a_broken_or_hostile_text_is_a_finding_and_not_a_failure(
        self, client: TestClient, province: dict[str, str]
    ) -> None:
        hostile = {
            "a: &x [1]\nb: *x": "yaml.anchor",
            "a: [" * 200: "yaml.too_deep",
            "a:\n\t- b": "yaml.unreadable",
            "a: 1\na: 2": "yaml.key_twice",
            "a: !!python/object:os.system ls": "yaml.tag",
            "#" * 300_000: "yaml.too_large",
            "": "rulebook.schema",
            "- a\n- b": "rulebook.not_a_mapping",
            annex(floor=".inf"): "rulebook.not_a_number",
            annex(floor="9.5e-1"): "rulebook.not_a_number",
            annex(floor="0x1"): "rulebook.not_a_number",
        }
        for text, rule in hostile.items():
            answer = client.post("/v1/rule-sets/lint", content=text, headers=province)

            found = answer.json()
            assert answer.status_code == 200
            assert rule in {finding["rule"] for finding in found["findings"]}
            assert not found["is_usable"]

    def test_bytes_that_are_no_text_are_refused(
        self, client: TestClient, province: dict[str, str]
    ) -> None:
        answer = client.post("/v1/rule-sets/lint", content=b"\xff\xfe", headers=province)

        assert (answer.status_code, answer.json()["code"]) == (422, "yaml.not_utf8")

    def test_a_good_text_is_usable(self, client: TestClient, province: dict[str, str]) -> None:
        answer = client.post("/v1/rule-sets/lint", content=annex(), headers=province)

        assert answer.json() == {"is_usable": True, "rule_set": "par.h44", "findings": []}

    def test_another_media_type_is_refused(
        self, client: TestClient, province: dict[str, str]
    ) -> None:
        headers = province | {"Content-Type": "application/json"}

        answer = client.post("/v1/rule-sets/lint", content=annex(), headers=headers)

        assert answer.status_code == 415


class TestConfirmations:
    PATH = "/v1/rule-sets/par-tthc.template/confirmations"

    def confirm(self, client: TestClient, key: dict[str, str], *paths: str) -> dict[str, object]:
        body = {"person": "Nguyễn Thị An", "document": "876/QĐ-UBND", "paths": list(paths)}
        answer = client.post(
            self.PATH, json=body, headers=key | {"Content-Type": "application/json"}
        )
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert isinstance(found, dict)
        return found

    def test_a_template_is_unconfirmed_until_each_number_is_confirmed_by_name(
        self, client: TestClient, province: dict[str, str]
    ) -> None:
        one = self.confirm(client, province, "root/on_time_sum/linear/floor")
        assert (one["confirmed"], one["is_confirmed"]) == (1, False)

        rest = one["left"]
        assert isinstance(rest, list)
        whole = self.confirm(client, province, *rest)

        assert (whole["is_confirmed"], whole["left"]) == (True, [])
        found = client.get("/v1/rule-sets/par-tthc.template", headers=province).json()
        assert found["is_confirmed"] is True
        floor = next(n for n in found["numbers"] if n["path"] == "root/on_time_sum/linear/floor")
        assert floor["confirmed_by"]["person"] == "Nguyễn Thị An"
        assert floor["confirmed_by"]["unit"] == "H44"

    def test_a_number_that_is_not_there_is_refused(
        self, client: TestClient, province: dict[str, str]
    ) -> None:
        body = {"person": "An", "document": "1/QĐ", "paths": ["root/nothing"]}

        answer = client.post(
            self.PATH, json=body, headers=province | {"Content-Type": "application/json"}
        )

        assert (answer.status_code, answer.json()["code"]) == (422, "rule_set.number_unknown")
