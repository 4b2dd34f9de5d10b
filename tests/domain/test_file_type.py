"""Kinds of files told by content, and names that no system misreads."""

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.file_type import KINDS, FileType, safe_name, type_of


def office(*members: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for member in ("[Content_Types].xml", *members):
            archive.writestr(member, "<x/>")
    return made.getvalue()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"%PDF-1.7\n...", FileType.PDF),
        (b"\x89PNG\r\n\x1a\n....", FileType.PNG),
        (b"\xff\xd8\xff\xe0....", FileType.JPEG),
        (b"II*\x00....", FileType.TIFF),
        (office("word/document.xml"), FileType.DOCX),
        (office("xl/workbook.xml"), FileType.XLSX),
        ("Mã hồ sơ;Hạn trả\n1;2".encode(), FileType.TEXT),
    ],
)
def test_what_may_be_evidence_is_told_by_its_content(data: bytes, kind: FileType) -> None:
    assert type_of(data) is kind


@pytest.mark.parametrize(
    "data",
    [
        b"<html><script>alert(1)</script>",
        b"  <!DOCTYPE html>",
        b'<?xml version="1.0"?><svg onload="x"/>',
        b"MZ\x90\x00",
        b"\x7fELF",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        office("other.txt"),
        office("word/document.xml", "xl/workbook.xml"),
        office("xl/workbook.xml", "xl/vbaProject.bin"),
        b"PK\x03\x04",
        b"a\x00b",
        b"\xff\xfe\xfd",
    ],
)
def test_what_a_browser_or_a_macro_could_run_is_no_evidence(data: bytes) -> None:
    assert type_of(data) is None


@pytest.mark.parametrize(
    ("told", "kind", "name"),
    [
        ("biên bản.pdf", FileType.PDF, "biên bản.pdf"),
        ("../../etc/passwd", FileType.TEXT, "etc_passwd.txt"),
        ("C:\\x\\a.PDF", FileType.PDF, "C__x_a.pdf"),
        ("hoa-don.pdf.exe", FileType.PDF, "hoa-don.pdf.exe.pdf"),
        ("a\u202egnp.pdf", FileType.PDF, "agnp.pdf"),
        ("x\r\nSet-Cookie: a=b.png", FileType.PNG, "xSet-Cookie_ a=b.png"),
        ("", FileType.JPEG, "tep.jpg"),
        (".pdf", FileType.PDF, "pdf.pdf"),
    ],
)
def test_a_name_is_no_path_no_command_and_ends_as_its_content(
    told: str, kind: FileType, name: str
) -> None:
    assert safe_name(told, kind) == name


@given(st.text(max_size=400), st.sampled_from(FileType))
def test_every_name_is_short_printable_and_of_its_kind(told: str, kind: FileType) -> None:
    name = safe_name(told, kind)

    assert 4 < len(name) <= 125
    assert name.endswith(KINDS[kind].endings)
    assert not set(name) & set('/\\"<>|?*:;\r\n')
