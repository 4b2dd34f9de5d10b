import gzip
import json
import tracemalloc
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import AppError
from app.domain.faults import Fault
from app.feeds.body import (
    MAX_DEPTH,
    MAX_VALUES,
    BodyCrowded,
    BodyDepth,
    BodyDuplicateKey,
    BodyEmpty,
    BodyEncoding,
    BodyGzip,
    BodyInflation,
    BodyNotFinite,
    BodyNul,
    BodyNumber,
    BodySurrogate,
    BodySyntax,
    BodyTooLarge,
    BodyTruncated,
    Broken,
    Line,
    decode,
    decode_strict,
    find_broken,
    gunzip,
    inflate,
    lines,
    values_in,
)
from tests.feeds.corpus import a_record, json_values, sound_json


def code_of(value: object) -> str | None:
    return value.error.code if isinstance(value, Broken) else None


def refusal_of(body: bytes) -> str:
    try:
        decode(body)
    except AppError as refused:
        return refused.code
    return "body.read"


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


# ------------------------------------------------------------------ what can be read


@given(sound_json)
def test_every_json_value_is_read_as_the_standard_library_reads_it(value: object) -> None:
    body = json.dumps(value).encode()

    assert decode(body) == json.loads(body)


@given(sound_json, st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:\r\n"), (",", " : ")]))
def test_blanks_between_tokens_change_nothing(value: object, separators: tuple[str, str]) -> None:
    compact = json.dumps(value, ensure_ascii=False).encode()
    spaced = json.dumps(value, ensure_ascii=False, separators=separators).encode()

    assert decode(spaced) == decode(compact)


@pytest.mark.parametrize(
    "text",
    ['{"a": "\\" : "}', '{"a": "\\":"}', '{"a": " :"}', '{"a": ":", "b": [{"c": "x\\":y"}]}'],
)
def test_a_text_that_looks_like_a_key_is_no_second_key(text: str) -> None:
    assert decode(text.encode()) == json.loads(text)


def test_one_byte_order_mark_is_passed_over() -> None:
    assert decode(b"\xef\xbb\xbf{}") == {}
    with pytest.raises(BodySyntax):
        decode(b"\xef\xbb\xbf\xef\xbb\xbf{}")


def test_the_greatest_whole_numbers_of_64_bits_are_kept() -> None:
    assert decode(b"[9223372036854775807, -9223372036854775808]") == [2**63 - 1, -(2**63)]


def test_thirty_two_levels_are_read() -> None:
    assert decode_strict(nested(MAX_DEPTH)) == json.loads(nested(MAX_DEPTH))


# ------------------------------------------------------------------ what is broken in one place


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("NaN", "body.not_finite"),
        ("Infinity", "body.not_finite"),
        ("-Infinity", "body.not_finite"),
        ("1e999", "body.not_finite"),
        ("9223372036854775808", "body.number"),
        ("-9223372036854775809", "body.number"),
        ("18446744073709551615", "body.number"),
        ("123456789012345678901234567890", "body.number"),
        ("1" * 5000, "body.number"),
        ("1e30", "body.number"),
        ('"a\\u0000b"', "body.nul"),
        ('"a\\ud800b"', "body.surrogate"),
        ('"\\udc00"', "body.surrogate"),
        (nested(MAX_DEPTH - 1).decode(), "body.depth"),
        ('{"a": 1, "a": 1}', "body.duplicate_key"),
        ('{"a" : 1, "b": ":", "a": 2}', "body.duplicate_key"),
        ('{"\\u0061": 1, "a": 1}', "body.duplicate_key"),
    ],
)
def test_a_broken_place_is_marked_where_it_stands_and_the_rest_is_kept(
    text: str, code: str
) -> None:
    body = f'{{"dossiers": [{{"code": "good"}}, {{"code": "bad", "x": {text}}}]}}'.encode()

    value = decode(body)

    assert isinstance(value, dict)
    good, bad = value["dossiers"]
    assert good == {"code": "good"}
    assert bad["code"] == "bad"
    assert code_of(find_broken(bad["x"])) == code
    with pytest.raises(AppError) as refused:
        decode_strict(body)
    assert refused.value.code == code


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert decode(rb'{"a": "\\u0000"}') == {"a": "\\u0000"}


@pytest.mark.parametrize("error", [BodyNotFinite, BodyNumber, BodyNul, BodySurrogate])
def test_the_first_broken_place_is_found_at_any_depth(error: type[AppError]) -> None:
    broken = Broken(error())

    assert find_broken({"a": [1, {"b": broken}], "c": Broken(BodyDepth())}) is broken
    assert find_broken({"a": [1, "x"]}) is None


def test_a_key_given_twice_spoils_only_that_key() -> None:
    value = decode(b'{"code": "x", "unit": "a", "unit": "b"}')

    assert isinstance(value, dict)
    assert value["code"] == "x"
    assert code_of(value["unit"]) == BodyDuplicateKey.code


# ------------------------------------------------------------------ what cannot be read


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", BodyEmpty),
        (b" \r\n\t", BodyEmpty),
        (b"\xef\xbb\xbf", BodyEmpty),
        ('{"a": "ờ"}'.encode("utf-16"), BodyEncoding),
        ('{"a": 1}'.encode("utf-16-le"), BodyEncoding),
        ('{"a": 1}'.encode("utf-16-be"), BodyEncoding),
        ('{"a": 1}'.encode("utf-32"), BodyEncoding),
        ('{"a": "ư"}'.encode("cp1258"), BodyEncoding),
        (b'{"a": "\xff"}', BodyEncoding),
        (b'{"a": 1', BodyTruncated),
        (b'{"a": "b', BodyTruncated),
        (b'{"a"', BodyTruncated),
        (b"[1,", BodyTruncated),
        (b"{'a': 1}", BodySyntax),
        (b'{"a": 1,}', BodySyntax),
        (b'{"a": tru}', BodySyntax),
        (b'{"a": "line\nbreak"}', BodySyntax),
        (b"a=1&b=2", BodySyntax),
        (b"{} {}", BodySyntax),
        (b"[" * 100_000, BodyDepth),
        (nested(100_000), BodyDepth),
        (b'{"a":' * 100_000, BodyDepth),
    ],
)
def test_a_body_that_cannot_be_read_names_its_fault(body: bytes, error: type[AppError]) -> None:
    with pytest.raises(error):
        decode(body)


def test_a_fault_of_syntax_says_where() -> None:
    with pytest.raises(BodySyntax) as refused:
        decode(b'{\n "a": x}')

    assert (refused.value.line, refused.value.column) == (2, 7)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_value_or_a_known_refusal(body: bytes) -> None:
    assert refusal_of(body).startswith("body.")


@given(json_values, st.integers(0, 200))
def test_a_body_cut_anywhere_is_a_value_or_a_known_refusal(value: object, length: int) -> None:
    body = json.dumps({"a": value}).encode()

    assert refusal_of(body[:length]).startswith("body.")


# ------------------------------------------------------------------ NDJSON


@given(
    st.lists(st.dictionaries(st.text("abc", min_size=1), st.text("xyz"), max_size=3), max_size=8),
    st.integers(1, 40),
)
def test_lines_are_the_same_however_the_pieces_are_cut(
    records: list[dict[str, str]], size: int
) -> None:
    body = b"\n".join(json.dumps(record).encode() for record in records)
    pieces = [body[start : start + size] for start in range(0, len(body), size)]

    assert [line.value for line in lines(pieces)] == records


def test_lines_keep_their_numbers_and_blank_ones_are_passed_over() -> None:
    found = list(lines([b'\xef\xbb\xbf{"a": 1}\r\n\n  \n{"a": 2}\n']))

    assert found == [Line(1, {"a": 1}), Line(4, {"a": 2})]


def test_a_broken_line_leaves_the_others() -> None:
    found = list(lines([b'{"a": 1}\n{"a": \n\xff\n{"a": 2}\n{"a": 3']))

    assert found == [
        Line(1, {"a": 1}),
        Line(2, Fault("", "body.truncated")),
        Line(3, Fault("", "body.encoding")),
        Line(4, {"a": 2}),
        Line(5, Fault("", "body.line_truncated")),
    ]


def test_a_last_line_without_its_end_counts_when_it_is_whole() -> None:
    assert list(lines([b'{"a"', b": 1}"])) == [Line(1, {"a": 1})]


@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
def test_a_line_beyond_the_limit_is_a_fault_and_is_skipped_to_its_end(size: int) -> None:
    body = b'{"a": 1}\n' + b'"' + b"x" * 3_000 + b'"\n{"a": 2}\n' + b"y" * 2_000
    pieces = [body[start : start + size] for start in range(0, len(body), size)]

    found = list(lines(pieces, max_line=100))

    too_long = Fault("", "body.line_too_long", {"limit": "100"})
    assert found == [Line(1, {"a": 1}), Line(2, too_long), Line(3, {"a": 2}), Line(4, too_long)]


def test_a_long_stream_is_read_in_little_memory() -> None:
    record = json.dumps(a_record()).encode() + b"\n"

    def stream() -> Iterator[bytes]:
        for _ in range(200):
            yield record * 100

    tracemalloc.start()
    count = sum(1 for line in lines(stream()) if isinstance(line.value, dict))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == 20_000
    assert peak < 2 << 20


# ------------------------------------------------------------------ gzip


@given(st.binary(max_size=5_000), st.integers(1, 700))
def test_gzip_is_inflated_whatever_the_pieces(body: bytes, size: int) -> None:
    packed = gzip.compress(body)
    pieces = [packed[start : start + size] for start in range(0, len(packed), size)]

    assert b"".join(inflate(pieces)) == body


def test_members_one_after_the_other_are_one_body() -> None:
    assert gunzip(gzip.compress(b"[1,") + gzip.compress(b"2]")) == b"[1,2]"


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 1 << 20])
def test_a_body_of_exactly_a_piece_is_whole(size: int) -> None:
    body = bytes(size)

    assert gunzip(gzip.compress(body), max_ratio=2_000) == body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        gzip.compress(b"[1,2,3]")[:-1],
        gzip.compress(b"[1,2,3]")[:5],
        gzip.compress(b"[1]") + b"rubbish",
        zlib.compress(b"[1]"),
    ],
    ids=["nothing", "plain", "one byte short", "head alone", "followed", "another packing"],
)
def test_what_is_no_whole_gzip_is_refused(body: bytes) -> None:
    with pytest.raises(BodyGzip):
        gunzip(body)


def test_a_body_too_large_after_inflation_is_refused_before_it_is_whole() -> None:
    with pytest.raises(BodyTooLarge) as refused:
        gunzip(gzip.compress(b"x" * 200_000), max_bytes=100_000)

    assert refused.value.limit == 100_000


def test_a_bomb_is_refused_in_little_memory() -> None:
    bomb = gzip.compress(bytes(64 << 20))

    tracemalloc.start()
    with pytest.raises(BodyInflation):
        gunzip(bomb, max_bytes=1 << 30)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 8 << 20


def test_a_body_that_packs_well_but_is_small_is_no_bomb() -> None:
    assert len(gunzip(gzip.compress(b" " * 900_000))) == 900_000


def test_a_text_of_more_values_than_any_batch_is_refused_before_it_is_read() -> None:
    with pytest.raises(BodyCrowded) as refused:
        decode(b"[" + b"[]," * MAX_VALUES + b"[]]")

    assert refused.value.limit == MAX_VALUES
    assert decode(b"[" + b"1," * (MAX_VALUES // 2) + b"1]") == [1] * (MAX_VALUES // 2 + 1)


@given(json_values)
def test_the_count_of_values_is_never_too_small(value: object) -> None:
    def values(one: object) -> int:
        below = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        return 1 + sum(map(values, below))

    assert values_in(json.dumps(value).encode()) + 1 >= values(value)
