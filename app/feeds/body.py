"""Bodies as bytes into JSON values: kind to good records, exact about what is broken.

A broken place inside a readable body becomes a ``Broken`` value where it stands, so that the
reader of records can set aside that record with a pointer and keep the others. A body that cannot
be read at all raises an error that names the fault.
"""

import json
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, NoReturn

import orjson

from app.domain.errors import AppError, Invalid
from app.domain.faults import Fault
from app.domain.values import immutable

MAX_DEPTH = 32
MAX_LINE = 1 << 20
MAX_BODY = 16 << 20
MAX_VALUES = 1_000_000
"""Values in one JSON text: five thousand records of two hundred each."""
MAX_RATIO = 200
RATIO_FREE = 1 << 20
"""Bytes after inflation up to which no ratio is asked for."""

INT64_MAX = (1 << 63) - 1
INT64_MIN = -(1 << 63)
_BOM = b"\xef\xbb\xbf"
_PIECE = 1 << 16


@dataclass(eq=False, kw_only=True)
class BodyEmpty(Invalid):
    """There is nothing in the body."""

    code: ClassVar[str] = "body.empty"


@dataclass(eq=False, kw_only=True)
class BodyEncoding(Invalid):
    """The body is not UTF-8 text."""

    code: ClassVar[str] = "body.encoding"


@dataclass(eq=False, kw_only=True)
class BodyTruncated(Invalid):
    """The body ends in the middle of a value."""

    code: ClassVar[str] = "body.truncated"


@dataclass(eq=False, kw_only=True)
class BodySyntax(Invalid):
    """The body is not JSON."""

    code: ClassVar[str] = "body.syntax"
    line: int
    column: int


@dataclass(eq=False, kw_only=True)
class BodyDepth(Invalid):
    """Values are nested more deeply than any record needs."""

    code: ClassVar[str] = "body.depth"
    limit: int = MAX_DEPTH


@dataclass(eq=False, kw_only=True)
class BodyNotFinite(Invalid):
    """NaN, Infinity, or a number too great for any type stands where JSON wants a number."""

    code: ClassVar[str] = "body.not_finite"


@dataclass(eq=False, kw_only=True)
class BodyNumber(Invalid):
    """A whole number does not fit in 64 bits."""

    code: ClassVar[str] = "body.number"


@dataclass(eq=False, kw_only=True)
class BodyDuplicateKey(Invalid):
    """An object names the same key twice, and which one is meant cannot be known."""

    code: ClassVar[str] = "body.duplicate_key"


@dataclass(eq=False, kw_only=True)
class BodyNul(Invalid):
    """A text holds the character NUL."""

    code: ClassVar[str] = "body.nul"


@dataclass(eq=False, kw_only=True)
class BodySurrogate(Invalid):
    """A text holds half of a surrogate pair, which is no character."""

    code: ClassVar[str] = "body.surrogate"


@dataclass(eq=False, kw_only=True)
class BodyTooLarge(Invalid):
    """The body is larger than the limit, as sent or after inflation."""

    code: ClassVar[str] = "body.too_large"
    limit: int


@dataclass(eq=False, kw_only=True)
class BodyCrowded(Invalid):
    """A JSON text holds more values than the largest batch of records."""

    code: ClassVar[str] = "body.crowded"
    limit: int


@dataclass(eq=False, kw_only=True)
class BodyInflation(Invalid):
    """The compressed body grows more than any real body does."""

    code: ClassVar[str] = "body.inflation"
    limit: int


@dataclass(eq=False, kw_only=True)
class BodyGzip(Invalid):
    """The body is announced as gzip, and is not, or is cut off."""

    code: ClassVar[str] = "body.gzip"


@dataclass(eq=False, kw_only=True)
class LineTooLong(Invalid):
    """A line of NDJSON is longer than the limit."""

    code: ClassVar[str] = "body.line_too_long"
    limit: int


@dataclass(eq=False, kw_only=True)
class LineTruncated(Invalid):
    """The last line of NDJSON breaks off in the middle."""

    code: ClassVar[str] = "body.line_truncated"


@dataclass(frozen=True, slots=True)
class Broken:
    """What stands in place of a value that could not be read; never a value itself."""

    error: AppError


@immutable
class Line:
    """One line of NDJSON by its number from 1, as a value or as a fault."""

    number: int
    value: object


def decode(body: bytes) -> object:
    """Read a body as one JSON value, with ``Broken`` in the places that cannot be read.

    Such places are NaN and Infinity, whole numbers beyond 64 bits, a key given twice, NUL and
    lone surrogates in texts, and what is nested more than 32 deep. One UTF-8 byte order mark is
    passed over.

    :raises BodyEmpty: nothing was sent.
    :raises BodyEncoding: the body is not UTF-8.
    :raises BodyTruncated: it ends too early.
    :raises BodySyntax: it is not JSON.
    :raises BodyDepth: it is nested so deeply that it cannot be read at all.
    :raises BodyCrowded: it holds so many values that they would not fit in memory.
    """
    if len(body) > MAX_VALUES and values_in(body) > MAX_VALUES:  # each takes a byte at least
        raise BodyCrowded(limit=MAX_VALUES)
    body = body.removeprefix(_BOM)
    try:
        value: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _read_slowly(body)
    may_hold_nul = b"\\" in body and b"\\u0000" in body
    if may_hold_nul or _survey(value) != _key_tokens(body):
        return _read_slowly(body)
    return value


def values_in(body: bytes) -> int:
    """Count the values of a JSON text without reading it; the count may be too great."""
    return body.count(b",") + body.count(b"{") + body.count(b"[")


def decode_strict(body: bytes) -> object:
    """Read a body as one JSON value in which nothing is broken.

    :raises BodyEmpty: as ``decode``, and likewise its other errors.
    :raises BodyNotFinite: NaN or Infinity occurs.
    :raises BodyNumber: a whole number does not fit in 64 bits.
    :raises BodyDuplicateKey: a key is given twice.
    :raises BodyNul: a text holds NUL.
    :raises BodySurrogate: a text holds a lone surrogate.
    """
    value = decode(body)
    broken = find_broken(value)
    if broken is not None:
        raise broken.error
    return value


def find_broken(value: object) -> Broken | None:
    """Return the first broken place within a value, or None."""
    if isinstance(value, Broken):
        return value
    below: Iterable[object] = ()
    if isinstance(value, dict):
        below = value.values()
    elif isinstance(value, list):
        below = value
    for item in below:
        found = find_broken(item)
        if found is not None:
            return found
    return None


_PLAIN = frozenset({str, bool, type(None)})
"""Types of which every value can be kept."""


def _survey(value: object) -> int | None:
    """Count the keys in a value, or return None when something in it wants a closer look."""
    keys = 0
    level: list[object] = [value]
    for _ in range(MAX_DEPTH):
        below: list[object] = []
        for node in level:
            if type(node) is dict:
                keys += len(node)
                below += [part for part in node.values() if type(part) not in _PLAIN]
            elif type(node) is list:
                below += [part for part in node if type(part) not in _PLAIN]
            elif not _is_fit(node):
                return None
        if not below:
            return keys
        level = below
    return keys if all(map(_is_fit_leaf, level)) else None


def _is_fit_leaf(part: object) -> bool:
    return not isinstance(part, dict | list) and _is_fit(part)


def _is_fit(part: object) -> bool:
    """Tell whether a number fits in 64 bits; a whole number beyond them was read as a float."""
    if isinstance(part, float):
        return -(2.0**63) < part < 2.0**63
    return not isinstance(part, int) or INT64_MIN <= part <= INT64_MAX


_LOOSE_KEY = re.compile(rb'"[ \t\r\n]+:')


def _key_tokens(body: bytes) -> int:
    """Count at least as many places as there are key tokens in the text.

    A key token is a quote, blanks, a colon. A string may hold the same characters, so the count
    may be too great, never too small: equality with the keys of the value proves that no key was
    given twice, and anything else is read again slowly.
    """
    count = body.count(b'":')
    if any(blank in body and blank + b":" in body for blank in (b" ", b"\n", b"\t", b"\r")):
        count += sum(1 for _ in _LOOSE_KEY.finditer(body))
    return count


def _read_slowly(body: bytes) -> object:
    """Read with the standard library, which tells what is wrong and where."""
    if not body or body.isspace():
        raise BodyEmpty
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BodyEncoding from error
    if "\0" in text[:4]:  # UTF-16 and UTF-32 without a mark
        raise BodyEncoding
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=lambda _: Broken(BodyNotFinite()),
            parse_int=_whole,
            parse_float=_fraction,
        )
        return _mended(value, MAX_DEPTH)
    except json.JSONDecodeError as error:
        _refuse(error, text)
    except RecursionError:
        raise BodyDepth from None


def _refuse(error: json.JSONDecodeError, text: str) -> NoReturn:
    cut = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string")
    if cut:
        raise BodyTruncated from error
    raise BodySyntax(line=error.lineno, column=error.colno) from error


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                found[key] = Broken(BodyDuplicateKey())
            seen.add(key)
    return found


def _whole(digits: str) -> object:
    if len(digits) <= len("-9223372036854775808"):
        number = int(digits)
        if INT64_MIN <= number <= INT64_MAX:
            return number
    return Broken(BodyNumber())


def _fraction(digits: str) -> object:
    number = float(digits)
    if _is_fit(number):
        return number
    return Broken(BodyNumber() if abs(number) < float("inf") else BodyNotFinite())


_SURROGATE = re.compile("[\ud800-\udfff]")


def _mended(value: object, depth: int) -> object:
    """Return the value with ``Broken`` where a text or the nesting cannot be kept."""
    if isinstance(value, str):
        if "\0" in value:
            return Broken(BodyNul())
        return Broken(BodySurrogate()) if _SURROGATE.search(value) else value
    if not isinstance(value, dict | list):
        return value
    if depth == 0:
        return Broken(BodyDepth())
    if isinstance(value, list):
        return [_mended(item, depth - 1) for item in value]
    return {key: _mended(item, depth - 1) for key, item in value.items()}


def lines(chunks: Iterable[bytes], *, max_line: int = MAX_LINE) -> Iterator[Line]:
    """Read NDJSON piece by piece: each line a value or a ``Fault``, blank lines passed over.

    No more than one line is held. A line beyond ``max_line`` bytes is a fault and is skipped to
    its end; a last line without a line feed counts when it can be read.
    """
    for number, (raw, is_whole) in enumerate(_raw_lines(chunks, max_line), start=1):
        if raw is None:
            yield Line(number, _fault(LineTooLong(limit=max_line)))
        elif raw.strip():
            yield Line(number, _line(raw, is_whole=is_whole))


def _line(raw: bytes, *, is_whole: bool) -> object:
    try:
        return decode(raw)
    except BodyTruncated as error:
        return _fault(error if is_whole else LineTruncated())
    except AppError as error:
        return _fault(error)


def _fault(error: AppError) -> Fault:
    return Fault("", error.code, error.params)


def _raw_lines(chunks: Iterable[bytes], max_line: int) -> Iterator[tuple[bytes | None, bool]]:
    """Split into lines; None stands for one that is too long, False for the last without end."""
    held = bytearray()
    too_long = False
    for chunk in chunks:
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            fits = not too_long and len(held) + end - start <= max_line
            yield (bytes(held) + chunk[start:end] if fits else None), True
            held.clear()
            too_long = False
            start = end + 1
        if not too_long:
            held += chunk[start : start + max_line + 1]
        if len(held) > max_line:
            held.clear()
            too_long = True
    if too_long:
        yield None, False
    elif held:
        yield bytes(held), False


def inflate(
    chunks: Iterable[bytes], *, max_bytes: int = MAX_BODY, max_ratio: int = MAX_RATIO
) -> Iterator[bytes]:
    """Inflate gzip piece by piece, in bounded memory.

    :raises BodyGzip: it is not gzip, or is cut off.
    :raises BodyTooLarge: more than ``max_bytes`` come out.
    :raises BodyInflation: beyond the first MiB, more than ``max_ratio`` bytes come out for one.
    """
    taken = given = 0
    stream = zlib.decompressobj(wbits=31)
    for chunk in _small(chunks):
        taken += len(chunk)
        rest, is_full = chunk, False
        while rest or is_full:
            if stream.eof:  # another member, as `cat a.gz b.gz` makes
                stream = zlib.decompressobj(wbits=31)
            piece, rest = _piece(stream, rest)
            is_full = len(piece) == _PIECE and not stream.eof
            given += len(piece)
            if given > max_bytes:
                raise BodyTooLarge(limit=max_bytes)
            if given > RATIO_FREE and given > max_ratio * (taken - len(rest)):
                raise BodyInflation(limit=max_ratio)
            if piece:
                yield piece
    if not stream.eof:
        raise BodyGzip


def _small(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut into pieces, since what is left of one is copied at every step."""
    for chunk in chunks:
        for start in range(0, len(chunk), _PIECE):
            yield chunk[start : start + _PIECE]


def _piece(stream: "zlib._Decompress", rest: bytes) -> tuple[bytes, bytes]:
    try:
        piece = stream.decompress(rest, _PIECE)
    except zlib.error as error:
        raise BodyGzip from error
    return piece, stream.unused_data if stream.eof else stream.unconsumed_tail


def gunzip(body: bytes, *, max_bytes: int = MAX_BODY, max_ratio: int = MAX_RATIO) -> bytes:
    """Inflate a whole gzip body within its bounds.

    :raises BodyGzip: it is not gzip, or is cut off.
    :raises BodyTooLarge: more than ``max_bytes`` come out.
    :raises BodyInflation: it grows more than ``max_ratio`` times.
    """
    return b"".join(inflate((body,), max_bytes=max_bytes, max_ratio=max_ratio))
