import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.feeds.masking import MASK, SHORTEST_NUMBER, field_name, is_personal, mask
from tests.feeds.corpus import PERSONS


@pytest.mark.parametrize("person", PERSONS)
@pytest.mark.parametrize("around", ["{}", "CCCD {} của ông A", "({})", "số:{}.", "a{}b", "{}, {}"])
def test_numbers_and_addresses_of_persons_are_masked(person: str, around: str) -> None:
    shown = mask(around.format(person, person))

    assert person not in shown
    assert MASK in shown
    assert is_personal(around.format(person, person))


@pytest.mark.parametrize(
    "text",
    [
        "H44.100-260803-0012",
        "H15.50.05.13-261008-0975",
        "H44-261008-1500123",
        "000.00.100.H44",
        "1.001193.000.00.00.H44",
        "G15-TP01",
        "20260803091000",
        "2026-08-03T09:10:00+07:00",
        "UBND phường Việt Trì",
        "12/TB-UBND ngày 03/08/2026",
        "Sở Kế hoạch và Đầu tư 2",
        "1.234.567 đồng",
        "",
    ],
)
def test_codes_dates_and_names_of_units_are_left_alone(text: str) -> None:
    assert mask(text) == text
    assert not is_personal(text)


@given(st.text(max_size=60))
def test_masking_twice_is_masking_once(text: str) -> None:
    assert mask(mask(text)) == mask(text)


@given(st.text(max_size=SHORTEST_NUMBER - 1))
def test_nothing_shorter_than_a_number_is_personal_but_an_address(text: str) -> None:
    assert not is_personal(text) or "@" in text


@pytest.mark.parametrize("name", ["code", "receivedAt", "NgayTra", "x", "a" * 48])
def test_the_name_of_a_field_can_be_repeated(name: str) -> None:
    assert field_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "0912345678", "Nguyễn Văn A", "a b", "id_001203004567", "a" * 49]
)
def test_a_key_that_looks_like_no_name_of_a_field_is_not_repeated(name: str) -> None:
    assert field_name(name) is None
