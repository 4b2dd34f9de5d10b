"""Names of units are compared from strict to loose; what fits two units is not guessed."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.unit_name import Fit, fits, plain, toned

NAMES = {
    1: "UBND phường Việt Trì",
    2: "Ủy ban nhân dân xã Hy Cương",
    3: "UBND xã Tân Hòa",
    4: "UBND xã Tân Hóa",
    5: "UBND thị trấn Phong Châu",
    6: "Sở Tư pháp",
    7: "UBND phường Tân Lập",
    8: "UBND xã Tân Lập",
    9: "UBND xã Đồng Thịnh",
}


@pytest.mark.parametrize(
    ("word", "unit"),
    [
        ("ubnd  PHƯỜNG việt trì", 1),
        ("Phường Việt Trì", 1),
        ("P. Việt Trì", 1),
        ("UBND P.Việt Trì, tỉnh Phú Thọ", 1),
        ("UBND phuong Viet Tri", 1),
        ("Việt Trì", 1),
        ("Uỷ ban nhân dân xã Hy Cương", 2),
        ("UBND X. Hy Cương", 2),
        ("UBND xã Tân Hoà", 3),
        ("UBND xã Tân Hoá", 4),
        ("TT. Phong Châu", 5),
        ("U.B.N.D thị trấn Phong Châu", 5),
        ("SỞ TƯ PHÁP", 6),
        ("xã Tân Lập", 8),
        ("Xã Đồng Thịnh", 9),
        ("xa dong thinh", 9),
    ],
)
def test_a_name_that_fits_one_unit_means_it(word: str, unit: int) -> None:
    assert fits([word], NAMES)[word].units == (unit,)


@pytest.mark.parametrize(
    ("word", "units"), [("Tân Lập", (7, 8)), ("xa tan hoa", (3, 4)), ("Tân Hoa", (3, 4))]
)
def test_a_name_that_fits_two_units_names_both(word: str, units: tuple[int, ...]) -> None:
    assert fits([word], NAMES)[word] == Fit(units, is_exact=False)


@pytest.mark.parametrize("word", ["", "   ", "Phòng Giáo dục", "Trì Việt", "UBND"])
def test_a_name_that_fits_none_is_left_out(word: str) -> None:
    assert fits([word], NAMES) == {}


def test_a_strict_fit_goes_before_a_looser_one() -> None:
    found = fits(["Xã Tân Lập", "UBND xã Tân Lập"], {1: "Xã Tân Lập", 2: "UBND xã Tân Lập"})

    assert found == {"Xã Tân Lập": Fit((1,), True), "UBND xã Tân Lập": Fit((2,), True)}


words = st.text("aàáảãạâấăđeêioơuưyỷ PXUBND.,", min_size=1, max_size=20)


@given(words)
def test_composition_and_case_tell_no_names_apart(name: str) -> None:
    other = unicodedata.normalize("NFD", name)

    assert (toned(name), plain(name)) == (toned(other), plain(other))


@given(words, words)
def test_a_name_always_fits_itself_strictly(name: str, other: str) -> None:
    found = fits([name], {1: name, 2: other}).get(name)

    assert found is None if not name.strip() else found is not None and found.is_exact
