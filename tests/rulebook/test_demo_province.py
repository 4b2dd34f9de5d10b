"""The demonstration's units and procedures: real names, real codes, honest about their limits."""

import re
from datetime import date

import pytest

from app.rulebook import demo_province
from app.rulebook.demo_province import (
    DemoDataBroken,
    load_demo_procedures,
    load_demo_units,
)

ENTRY = {
    "code": "1.001193",
    "name": "Đăng ký khai sinh",
    "field": "G15-TP01",
    "field_name": "Hộ tịch",
    "level": "commune",
    "online_level": "full",
    "kind": "same_day",
    "valid_from": date(2025, 7, 1),
    "verified": False,
    "weight": 1,
}


def test_every_unit_stands_below_the_province() -> None:
    units = load_demo_units()

    assert len(units) == 164
    assert {unit.parent for unit in units[1:]} == {"H44"}
    assert len({unit.code for unit in units}) == len(units)


def test_procedures_have_national_codes_each_once() -> None:
    codes = [one.code for one in load_demo_procedures()]

    assert len(codes) == len(set(codes)) >= 25
    assert all(re.fullmatch(r"[1-9]\.\d{6}", code) for code in codes)


def test_a_limit_is_called_verified_only_with_its_text() -> None:
    for one in load_demo_procedures():
        assert one.is_verified == (one.limit.limit.legal_basis is not None), one.code


def test_a_procedure_of_one_body_names_a_unit_that_exists() -> None:
    known = {unit.code for unit in load_demo_units()}

    assert {one.at for one in load_demo_procedures() if one.at} <= known


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"weigth": 2}, "unknown key weigth"),
        ({"verified": True}, "names its text"),
        ({"valid_from": "2025-07-01"}, "must be a day"),
    ],
)
def test_a_slip_in_the_file_is_named(change: dict[str, object], fault: str) -> None:
    with pytest.raises(DemoDataBroken, match=fault):
        demo_province._procedure({**ENTRY, **change})
