"""Printed reports through the doors: sent as dossiers, read back as figures.

Vĩnh Phúc is sent whole, the others with one dossier for a hundred or a thousand;
``run.py published send <report>`` sends them whole.
"""

import io
from typing import Any

from fastapi.testclient import TestClient
from rich.console import Console

from app.cli import published as command
from app.rulebook.published import get_report
from app.usecases import published
from app.usecases.published import Comparison
from tests.api.conftest import HandClock, MakeKey, as_key


def _sent(client: TestClient, make_key: MakeKey, name: str, scale: int = 1) -> Comparison:
    key = as_key(make_key())

    def call(method: str, path: str, body: object) -> Any:
        answer = client.request(method, path, json=body, headers=key)
        assert answer.status_code < 300, answer.text
        return answer.json()

    report = published.scaled(get_report(name), scale)
    found = command.run(report, call, console=Console(file=io.StringIO()))
    command.show(report, found, Console(width=160))
    return found


def _rates(found: Comparison) -> dict[str, str | None]:
    return {rate.definition.partition("@")[0]: rate.percent for rate in found.rates}


def _explaining(found: Comparison) -> list[str]:
    return [rate.definition for rate in found.rates if rate.printed]


def test_vinh_phuc_whole_gives_every_printed_figure(client: TestClient, make_key: MakeKey) -> None:
    found = _sent(client, make_key, "vinh-phuc-2021-09")

    assert found.is_equal
    shown = {one.figure.title.en: (one.figure.value, one.read) for one in found.figures}
    assert {name: read for name, (_, read) in shown.items()} == {
        "New": 4_131,
        "Carried over": 2_171,
        "In hand": 6_302,
        "Due in the period": 4_169,
        "On time": 4_157,
        "Late": 12,
        "Handed back": None,
        "Online": 1_598,
        "Online, partial": 61,
        "Online, full": 1_537,
    }
    assert all(read is None or read == printed for printed, read in shown.values())
    assert _rates(found) | {
        "on_time_of_due": "99.71",
        "on_time_of_finished": "99.81",
        "finished_on_time_of_received": "65.96",
        "on_time_of_received": "99.81",
    } == _rates(found)
    assert "on_time_of_due@1" in _explaining(found)


def test_quan_1_is_explained_by_the_rate_over_all_received(
    client: TestClient, make_key: MakeKey
) -> None:
    found = _sent(client, make_key, "quan-1-2018", scale=100)

    assert found.is_equal
    assert [one.read for one in found.figures] == [5_853, 5_851, 0, 2]
    rates = _rates(found)
    assert (rates["on_time_of_finished"], rates["on_time_of_due"]) == ("100.00", "100.00")
    assert rates["finished_on_time_of_received"] == "99.97"


def test_thach_ha_is_explained_by_no_definition(client: TestClient, make_key: MakeKey) -> None:
    found = _sent(client, make_key, "thach-ha-2019", scale=100)

    assert found.is_equal
    assert [one.read for one in found.figures] == [769, 765, 4, 35]
    rates = _rates(found)
    assert rates["on_time_of_finished"] == "100.00"
    assert rates["on_time_of_received"] == "100.00"
    assert rates["finished_on_time_of_received"] == "99.48"
    assert _explaining(found) == []


def test_sending_a_report_twice_changes_nothing(client: TestClient, make_key: MakeKey) -> None:
    first = _sent(client, make_key, "thach-ha-2019", scale=1_000)
    again = _sent(client, make_key, "thach-ha-2019", scale=1_000)

    assert first == again
    assert again.is_equal


def test_a_quarter_that_began_in_december_gives_its_printed_shares(
    client: TestClient, make_key: MakeKey
) -> None:
    """One dossier for a thousand; 98.81 % and 1.19 % are those of the whole."""
    found = _sent(client, make_key, "lam-dong-2020-q1", scale=1_000)

    assert found.is_equal
    assert {one.figure.title.en: one.read for one in found.figures} == {
        "Received": None,
        "Finished": None,
        "On time": 635,
        "Late": 8,
        "In hand": 7,
        "Open in time": 6,
        "Open overdue": 1,
    }


def test_a_province_of_many_units_adds_up(
    client: TestClient, make_key: MakeKey, clock: HandClock
) -> None:
    """One dossier for a thousand, over 163 units; I4 is among the identities read back."""
    clock.now = clock.now.replace(month=10)

    found = _sent(client, make_key, "phu-tho-2026-08", scale=1_000)

    assert found.is_equal
    assert found.identities["I4"] == 0
    shares = _rates(found)
    assert shares["progress_766"] == shares["on_time_of_received"]
