"""The 766 sheet of a commune is filled from its registers over HTTP."""

from fastapi.testclient import TestClient

from tests.api.test_petitions import entry, put

ADDRESS = "/v1/scorecards/qd766.profile-2026/fill"
ASKED = {"unit": "H44", "period": "2026-07"}


def test_the_registers_fill_the_sheets_of_a_province(
    client: TestClient, sender: dict[str, str]
) -> None:
    put(client, sender, entry())

    done = client.post(ADDRESS, params=ASKED, headers=sender).json()
    sheet = client.get(
        "/v1/scorecards/qd766.profile-2026/H44.1", params={"period": "2026-07"}, headers=sender
    ).json()

    assert done == {
        "rule_set": "qd766.profile-2026",
        "changed": {"H44": 4, "H44.1": 4},
        "refused": [],
    }
    leaves = {leaf["id"]: leaf for node in sheet["nodes"] for leaf in node["children"]}
    assert leaves["petitions_on_time"]["score"] == "6.00"
    told = leaves["petitions_on_time"]["inputs"]["pet_total"]
    assert (told["value"], told["source"]) == ("1", "declared")
