"""Real payloads, mutated the way real senders get them wrong, as raw bytes.

JSON that no library would write (NaN, half a surrogate pair, a key given twice, thirty digits)
is written here by hand: a ``Token`` stands in a payload as it is, ``Pairs`` is an object whose
keys may repeat.
"""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from tests.faults.harness import UNITS

Fields = dict[str, Any]


class Token(str):
    """Text that stands in the body as it is."""

    __slots__ = ()


class Pairs(list[tuple[str, Any]]):
    """An object whose keys may come twice."""


def write(value: object) -> str:
    """Write a value as JSON, tokens and repeated keys included."""
    match value:
        case Token():
            return str(value)
        case Pairs():
            return "{" + ",".join(f"{json.dumps(k)}:{write(v)}" for k, v in value) + "}"
        case dict():
            return write(Pairs(value.items()))
        case list():
            return "[" + ",".join(map(write, value)) + "]"
        case str():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return json.dumps(value)


# ---------------------------------------------------------------- real payloads


def a_record(number: int) -> Fields:
    """Return a native record that must be accepted."""
    minute = number % 60
    return {
        "code": f"HS-{number:06}",
        "unit": UNITS[number % len(UNITS)],
        "procedure": "1.001193",
        "channel": "online",
        "applicant_type": "citizen",
        "submitted_at": f"2026-08-03T08:{minute:02}:00+07:00",
        "received_at": f"2026-08-03T09:{minute:02}:00+07:00",
        "due_at": "2026-08-05T17:00:00+07:00",
        "status": "processing",
        "finished_at": None,
        "pauses": [{"kind": "supplement", "started_at": "2026-08-04T08:00:00+07:00"}],
        "extension": None,
        "place_independent": False,
        "other_codes": [f"KH-{number:06}"],
        "official": "cb-17",
        "contacts": 1,
        "source_updated_at": "2026-08-04T09:10:05+07:00",
    }


def an_event(number: int) -> Fields:
    """Return a native event that must be accepted."""
    return {
        "code": f"HS-{number:06}",
        "kind": "extension",
        "at": "2026-08-05T10:00:00+07:00",
        "new_due_at": "2026-08-10T17:00:00+07:00",
        "document": "12/TB-UBND",
        "reason": "Chờ kết quả xác minh",
        "source_updated_at": "2026-08-05T10:00:01+07:00",
    }


def a_national_record(number: int) -> Fields:
    """Return an element of ``DongBoHoSoMC`` that must be accepted."""
    return {
        "MaHoSo": f"HS-{number:06}",
        "MaTTHC": "1.001193",
        "TenTTHC": "Đăng ký khai sinh",
        "KenhThucHien": "2",
        "LoaiDoiTuong": "1",
        "NgayNopHoSo": "20260803081200",
        "NgayTiepNhan": f"2026080309{number % 60:02}00",
        "NgayHenTra": "20260805170000",
        "TrangThaiHoSo": "4",
        "NgayKetThucXuLy": "",
        "DonViXuLy": UNITS[number % len(UNITS)],
        "HinhThuc": "0",
        "MaHoSoKhac": f"KH-{number:06}",
        "DanhSachHoSoBoSung": [
            {
                "NgayYeuCauBoSung": "20260804080000",
                "NgayTiepNhanBoSung": "20260804100000",
                "NgayHenTraTruoc": "20260805170000",
                "NgayHenTraMoi": "20260806170000",
            }
        ],
        "DanhSachLePhi": [],
    }


def a_national_step(number: int) -> Fields:
    """Return an element of ``CapNhatTienDoHoSoMC`` that must be accepted."""
    return {
        "MaHoSo": f"HS-{number:06}",
        "ThoiDiemXuLy": f"20260804{number // 3600 % 24:02}{number // 60 % 60:02}{number % 60:02}",
        "PhongBanXuLy": "Tư pháp",
        "TrangThai": "4",
        "NgayBatDau": "20260804080000",
        "NgayKetThucTheoQuyDinh": "20260805170000",
    }


# ---------------------------------------------------------------- what goes wrong in a record

HOSTILE: Final[tuple[object, ...]] = (
    *(None, True, False, 0, -1, 1.5, "", " ", "null", "0", [], {}, [[]], [None], [{}]),
    *(Token("NaN"), Token("Infinity"), Token("-Infinity"), Token("1e999"), Token("-0.0")),
    *(Token("9" * 30), Token("-" + "9" * 30), Token("1E400"), 2**63, -(2**63) - 1, 2**53 + 1),
    *(Token('"\\ud800"'), Token('"a\\udfffb"'), Token('"\\u0000"'), Token('"HS\\u0000"')),
    *("\u200b", "\u202eabc", "\ufeff", "\ufffd", "a\tb", "a\nb", "\x7f", "\U0001f600" * 30),
    *("x" * 101, "x" * 2_000, "e\u0302\u0301" * 40, "UBND phu\u031bo\u031b\u0300ng"),
    *("2026-08-03", "2026-08-03T09:10:00", "2026-08-03T09:10", "03/08/2026", "20260803091000"),
    *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1999-12-31T23:59:59+07:00"),
    *("2026-02-30T00:00:00Z", "2026-08-03T24:00:00Z", "2026-08-03T23:59:60Z", "45872.38"),
    *("2026-08-03T09:10:00+99:99", "2026-08-03T09:10:00-00:00", "2026-08-03T09:10:00.1234567Z"),
    *("2027-01-01T00:00:00+07:00", "2101-01-01T00:00:00Z", "٢٠٢٦-٠٨-٠٣T09:10:00Z"),
    *("00010101000000", "99991231235959", "20260230000000", "2026080309100", "1.234", "1,5"),
    *("=1+1", "<script>", "'; DROP TABLE dossier; --", "../../etc", "%00", "{{7*7}}", "${x}"),
    *("finished", "FINISHED", "9", "99", "supplement", "online", "2", "-", "H44", "H99.1"),
    *(["HS", 7, None], {"kind": "supplement"}, [{"kind": "supplement"}], [["a"]] * 30),
)
"""Values that have no business where they are put."""


def deep(levels: int) -> Token:
    """Return lists nested so deep."""
    return Token("[" * levels + "]" * levels)


def _swap_value(fields: Fields, random: Random) -> object:
    return fields | {random.choice(list(fields)): random.choice(HOSTILE)}


def _swap_values(fields: Fields, random: Random) -> object:
    names = random.sample(list(fields), k=min(4, len(fields)))
    return fields | {name: random.choice(HOSTILE) for name in names}


def _drop_field(fields: Fields, random: Random) -> object:
    dropped = random.choice(list(fields))
    return {name: value for name, value in fields.items() if name != dropped}


def _rename_field(fields: Fields, random: Random) -> object:
    name = random.choice(list(fields))
    new = random.choice((name.upper(), name + "s", name[:-1], f" {name}", "x" * 300, "", "\u0000"))
    return {new if key == name else key: value for key, value in fields.items()}


def _repeat_key(fields: Fields, random: Random) -> object:
    name = random.choice(list(fields))
    return Pairs([*fields.items(), (name, random.choice((fields[name], *HOSTILE[:20])))])


def _nest(fields: Fields, random: Random) -> object:
    return fields | {random.choice(list(fields)): deep(random.choice((5, 31, 33, 200, 900)))}


def _swap_dates(fields: Fields, random: Random) -> object:
    """Exchange two values, so that every value is well formed and the record cannot be true."""
    one, other = random.sample(list(fields), k=2)
    return fields | {one: fields[other], other: fields[one]}


def _cut_text(fields: Fields, random: Random) -> object:
    name = random.choice([key for key, value in fields.items() if isinstance(value, str)])
    text = str(fields[name])
    return fields | {name: text[: random.randrange(len(text) + 1)] if text else "x"}


def _decompose(fields: Fields, random: Random) -> object:
    name = random.choice(list(fields))
    return fields | {name: "U\u0309y ban pho\u031bo\u031b\u0300ng Vie\u0323\u0302t Tri\u0300"}


def _giant(fields: Fields, random: Random) -> object:
    """Put a text that is longer than a line may be, once in a while."""
    size = 1_200_000 if random.random() < 0.05 else 5_000
    return fields | {random.choice(list(fields)): "ế" * size}


def _no_object(fields: Fields, random: Random) -> object:
    return random.choice((*HOSTILE, [fields], write(fields), [fields, fields]))


MUTATIONS: Final[tuple[Callable[[Fields, Random], object], ...]] = (
    *(_swap_value, _swap_value, _swap_value, _swap_values, _drop_field, _rename_field),
    *(_repeat_key, _nest, _swap_dates, _cut_text, _decompose, _no_object, _giant),
)


def mutated(fields: Fields, random: Random) -> object:
    """Return a payload with something wrong, or at least odd, in it."""
    return random.choice(MUTATIONS)(fields, random)


# ---------------------------------------------------------------- what goes wrong in a body


@dataclass(frozen=True, slots=True)
class Body:
    """Bytes as they are sent, and the headers that go with them."""

    content: bytes
    headers: dict[str, str]


def _with_mark(text: str, random: Random) -> bytes:
    return b"\xef\xbb\xbf" + text.encode()


def _truncated(text: str, random: Random) -> bytes:
    raw = text.encode()
    return raw[: random.randrange(1, len(raw))]


def _utf_16(text: str, random: Random) -> bytes:
    return text.encode(random.choice(("utf-16", "utf-16-le", "utf-32-be")))


def _windows_1258(text: str, random: Random) -> bytes:
    return text.encode("cp1258", "replace") + b"\xff"


def _bit_flipped(text: str, random: Random) -> bytes:
    raw = bytearray(text.encode())
    raw[random.randrange(len(raw))] ^= 1 << random.randrange(8)
    return bytes(raw)


def _abyss(text: str, random: Random) -> bytes:
    return b"[" * 100_000


def _followed(text: str, random: Random) -> bytes:
    return text.encode() + random.choice((b"}", b"]", b" null", b"\x00", b"garbage"))


def _empty(text: str, random: Random) -> bytes:
    return random.choice((b"", b" ", b"null", b"[]", b"{}", b'""'))


BROKEN_TEXTS: Final[tuple[Callable[[str, Random], bytes], ...]] = (
    *(_with_mark, _truncated, _utf_16, _windows_1258, _bit_flipped, _abyss, _followed, _empty),
)
"""Ways in which the text of a body goes wrong; with some of them it may still be read."""


def broken(text: str, random: Random, *, kind: str) -> Body:
    """Return a body that is broken as a whole: its text, its packing, or what is said of it."""
    raw = text.encode()
    match random.randrange(5):
        case 0:
            return Body(raw, {"Content-Type": random.choice(("text/plain", FORM, ""))})
        case 1:
            packed = random.choice((raw, gzip.compress(raw)[:-9], gzip.compress(raw)))
            return Body(packed, {"Content-Type": kind, "Content-Encoding": "gzip"})
        case 2:
            return Body(raw, {"Content-Type": kind, "Content-Encoding": "br"})
        case _:
            return Body(random.choice(BROKEN_TEXTS)(text, random), {"Content-Type": kind})


FORM: Final = "application/x-www-form-urlencoded"
"""What PHP says of every body unless told otherwise."""
