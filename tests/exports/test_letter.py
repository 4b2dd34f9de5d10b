"""The letter of apology in words and as a PDF."""

import re
import zlib
from dataclasses import replace
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.letter import LetterFacts
from app.exports.letter import pdf, written
from tests.factories import local

FACTS = LetterFacts(
    code="H44.100-260803-0012",
    unit="UBND phường Việt Trì",
    parent="UBND tỉnh Phú Thọ",
    procedure="Đăng ký khai sinh (1.001193)",
    received_on=date(2026, 8, 3),
    due_at=local("2026-08-06", 17),
    finished_on=None,
    is_late=True,
    reason=None,
    document=None,
    issued_on=None,
    new_due_on=None,
)


def test_a_letter_that_is_not_issued_leaves_what_is_not_known_to_be_filled_in() -> None:
    words = written(FACTS)

    body = " ".join(words.paragraphs)
    assert words.to.startswith("Kính gửi: ……")
    assert "…" in words.number
    assert "ngày ……… tháng ……… năm ………" in words.place_and_day
    assert "17:00 ngày 06/08/2026" in body
    assert "ngày 03 tháng 8 năm 2026" in body
    assert "Lý do: ……" in body
    assert words.unit == "UBND PHƯỜNG VIỆT TRÌ"
    assert "Mẫu số 04" in words.form


def test_a_letter_that_was_issued_names_its_number_its_day_and_the_new_date() -> None:
    words = written(
        replace(
            FACTS,
            document="15/TXL-UBND",
            issued_on=date(2026, 2, 10),
            new_due_on=date(2026, 8, 12),
            reason="Chờ cơ quan phối hợp",
        )
    )

    assert words.number == "Số: 15/TXL-UBND"
    assert words.place_and_day.endswith("ngày 10 tháng 02 năm 2026")
    assert "Ngày hẹn trả kết quả mới: ngày 12 tháng 8 năm 2026." in words.paragraphs
    assert "Lý do: Chờ cơ quan phối hợp." in words.paragraphs


def test_the_letter_fits_what_has_become_of_the_dossier() -> None:
    done = " ".join(written(replace(FACTS, finished_on=date(2026, 8, 10))).paragraphs)
    ahead = " ".join(written(replace(FACTS, is_late=False)).paragraphs)

    assert "giải quyết xong ngày 10 tháng 8 năm 2026" in done
    assert "hẹn trả kết quả mới" not in done
    assert "chưa thể giải quyết xong" in ahead


def test_a_dossier_received_before_the_form_has_the_letter_of_its_time() -> None:
    old = written(replace(FACTS, received_on=date(2025, 6, 30)))

    assert (old.form, old.title) == ("", "PHIẾU XIN LỖI VÀ HẸN LẠI NGÀY TRẢ KẾT QUẢ")
    assert written(replace(FACTS, received_on=date(2025, 7, 1))).form


def test_the_same_letter_is_the_same_file_with_its_fonts_inside() -> None:
    words = written(FACTS)

    first, second = pdf(words), pdf(words)

    assert first == second
    assert first.startswith(b"%PDF-")
    assert b"/FontFile" in first or b"/FontFile" in _unpacked(first)


def _unpacked(file: bytes) -> bytes:
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", file, re.DOTALL)
    return b"".join(_inflated(one) for one in streams)


def _inflated(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return b""


@settings(max_examples=15)
@given(text=st.text(min_size=1, max_size=200))
def test_no_text_is_taken_for_an_instruction(text: str) -> None:
    evil = '#panic("x") ] $ \\ #read("/etc/passwd") ' + text
    facts = replace(FACTS, unit=evil, procedure=evil, document=evil, reason=evil)

    assert pdf(written(facts)).startswith(b"%PDF-")
