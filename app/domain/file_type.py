"""What kind of file some bytes are, told by their content and never by a name or a header."""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

LONGEST_NAME: Final = 120
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_UNSAFE: Final = re.compile(r'[<>:"/\\|?*;%]')
_MARKUP: Final = re.compile(
    rb"<\s*(!doctype|html|head|body|script|svg|iframe|\?xml|object|embed)", re.IGNORECASE
)
_MACROS: Final = (b"vbaProject.bin", b"xl/macrosheets", b"/activeX/")


class FileType(StrEnum):
    """The kinds of files that may prove something."""

    PDF = "pdf"
    PNG = "png"
    JPEG = "jpeg"
    TIFF = "tiff"
    DOCX = "docx"
    XLSX = "xlsx"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Kind:
    """The media type of a kind of file, and the endings that its names may have."""

    media_type: str
    endings: tuple[str, ...]


_OFFICE: Final = "application/vnd.openxmlformats-officedocument"
KINDS: Final = {
    FileType.PDF: Kind("application/pdf", (".pdf",)),
    FileType.PNG: Kind("image/png", (".png",)),
    FileType.JPEG: Kind("image/jpeg", (".jpg", ".jpeg")),
    FileType.TIFF: Kind("image/tiff", (".tif", ".tiff")),
    FileType.DOCX: Kind(f"{_OFFICE}.wordprocessingml.document", (".docx",)),
    FileType.XLSX: Kind(f"{_OFFICE}.spreadsheetml.sheet", (".xlsx",)),
    FileType.TEXT: Kind("text/plain; charset=utf-8", (".txt", ".csv")),
}
_BEGINNINGS: Final = (
    (b"%PDF-", FileType.PDF),
    (b"\x89PNG\r\n\x1a\n", FileType.PNG),
    (b"\xff\xd8\xff", FileType.JPEG),
    (b"II*\x00", FileType.TIFF),
    (b"MM\x00*", FileType.TIFF),
)


def type_of(data: bytes) -> FileType | None:
    """Return the kind of file, None for one that may not be evidence.

    Web pages, drawings that can carry scripts, workbooks with macros, archives and programs are
    none, whatever they are called.
    """
    for beginning, kind in _BEGINNINGS:
        if data.startswith(beginning):
            return kind
    if data.startswith(b"PK\x03\x04"):
        return _office_of(data)
    return FileType.TEXT if _is_plain_text(data) else None


def _office_of(data: bytes) -> FileType | None:
    if b"[Content_Types].xml" not in data or any(mark in data for mark in _MACROS):
        return None
    is_word, is_sheet = b"word/document.xml" in data, b"xl/workbook.xml" in data
    if is_word is is_sheet:
        return None
    return FileType.DOCX if is_word else FileType.XLSX


def _is_plain_text(data: bytes) -> bool:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    if _MARKUP.search(data[:4096]):
        return False
    return not any(
        (letter < " " or letter == "\x7f") and letter not in "\t\r\n\x0c" for letter in text
    )


def safe_name(told: str, kind: FileType) -> str:
    """Return a name that no system reads as a path or a command, with an ending of its kind.

    An ending of another kind is kept within the name and cannot hide what the file is.
    """
    name = unicodedata.normalize("NFC", told)
    name = _UNSAFE.sub("_", _CONTROL.sub("", name)).strip(" ._") or "tep"
    endings = KINDS[kind].endings
    ending = next((one for one in endings if name.lower().endswith(one)), "")
    stem = name[: len(name) - len(ending)].rstrip(" .") or "tep"
    return stem[:LONGEST_NAME] + (ending.lower() or endings[0])
