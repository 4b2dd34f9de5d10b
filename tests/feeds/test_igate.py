"""Items of iGate's search as records."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.record import Channel, Status
from app.feeds import igate, native
from app.feeds.reading import RecordIn
from tests.fakes import igate_item

NOW = datetime(2026, 8, 10, 1, tzinfo=UTC)


def read(statuses: igate.Statuses | None = None, **more: Any) -> Any:
    item = igate_item(1, **more)
    return igate.read_item(item, statuses=statuses or {}, now=NOW, hash_applicant=str)


def test_an_item_is_read_whole() -> None:
    found = read()

    assert isinstance(found, RecordIn)
    assert (found.code, found.stamped) == ("H44.100-000001", True)
    assert found.source_updated_at == datetime(2026, 8, 3, 0, 1, tzinfo=UTC)
    assert found.told == {
        "unit": "Đơn vị H44.100",
        "procedure": "1.001193",
        "channel": Channel.ONLINE,
        "submitted_at": datetime(2026, 8, 3, 1, tzinfo=UTC),
        "received_at": datetime(2026, 8, 3, 2, 10, tzinfo=UTC),
        "due_at": datetime(2026, 8, 5, 10, tzinfo=UTC),
        "finished_at": None,
        "status": Status.PROCESSING,
        "other_codes": ("G22.000001",),
    }


def test_nothing_of_a_person_is_read_or_kept() -> None:
    item = igate_item(1, acceptedDate="Nguyễn Văn A 0912345678")

    kept = str(igate.strip(item, statuses={})) + str(read(acceptedDate="Nguyễn"))

    for told in ("Nguyễn", "0912345678", "012345678901"):
        assert told not in kept


def test_a_number_of_a_status_means_nothing_until_the_operator_says_so() -> None:
    silent = read(dossierStatus={"id": 4})
    told = read({"4": Status.RETURNED}, dossierStatus={"id": 4})

    assert "status" not in silent.told
    assert told.told["status"] is Status.RETURNED


def test_a_day_of_completion_says_finished_where_nothing_else_does() -> None:
    found = read(dossierStatus={"id": 4}, completedDate="2026-08-04T02:00:00Z")

    assert found.told["status"] is Status.FINISHED


def test_an_open_dossier_may_lose_its_completion_and_a_closed_one_not() -> None:
    assert read().told["finished_at"] is None
    assert "finished_at" not in read(dossierStatus={"name": "Đã trả kết quả"}).told


@pytest.mark.parametrize(
    ("agency", "unit"),
    [
        ({"code": "H44.100", "name": "UBND"}, "H44.100"),
        ({"code": "x1", "name": "UBND"}, "UBND"),
        ({"name": [{"languageId": 228, "name": "UBND"}]}, "UBND"),
        ({"translate": [{"name": ""}, {"name": "UBND"}]}, "UBND"),
    ],
)
def test_a_unit_is_its_code_or_its_name(agency: dict[str, Any], unit: str) -> None:
    assert read(agency=agency).told["unit"] == unit


def test_a_procedure_without_a_code_is_the_beginning_of_its_name() -> None:
    found = read(procedure={"translate": [{"name": "Cấp giấy " * 30}]})

    assert found.told["procedure"].startswith("Cấp giấy Cấp")
    assert len(found.told["procedure"]) <= 100


@pytest.mark.parametrize(
    ("more", "pointer", "code"),
    [
        ({"code": None}, "/code", "record.required"),
        ({"agency": None}, "/agency/name", "record.required"),
        ({"acceptedDate": "03/08/2026"}, "/acceptedDate", "record.not_instant"),
        ({"acceptedDate": "2026-08-03T09:10:00"}, "/acceptedDate", "record.naive_instant"),
        ({"acceptedDate": 1785722400000}, "/acceptedDate", "record.not_instant"),
        ({"acceptedDate": "2027-08-03T09:10:00Z"}, "/acceptedDate", "record.too_far_ahead"),
        ({"updatedDate": "0001-01-01T00:00:00Z"}, "/updatedDate", "record.year_range"),
    ],
)
def test_what_is_wrong_is_told_where_it_stands_in_the_item(
    more: dict[str, Any], pointer: str, code: str
) -> None:
    found = read(**more)

    assert [(fault.pointer, fault.code) for fault in found] == [(pointer, code)]


_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(st.sampled_from(["id", "name", "code", "translate"]), inner, max_size=3),
    ),
    max_leaves=6,
)


@given(st.one_of(_values, st.dictionaries(st.sampled_from(list(igate_item(1))), _values)))
def test_no_item_breaks_the_reader(raw: Any) -> None:
    found = igate.read_item(raw, statuses={}, now=NOW, hash_applicant=str)

    if isinstance(found, tuple):
        kept = igate.strip(raw, statuses={})
        again = native.read_record(kept, code=None, now=NOW, hash_applicant=str)
        assert isinstance(again, tuple)
    assert igate.updated_at(raw) is None or isinstance(raw, dict)
