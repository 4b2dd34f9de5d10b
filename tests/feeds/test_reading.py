import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import app.feeds
from app.domain.canonical import text_of
from app.domain.faults import Fault
from app.domain.record import PauseTold, Status
from app.feeds.body import BodyNul, Broken
from app.feeds.masking import mask
from app.feeds.reading import (
    MOST_KNOWN,
    Fields,
    Flaw,
    bounded,
    canonical_bytes,
    choice,
    contradictions,
    flag,
    in_order,
    instant,
    known,
    list_of,
    newest,
    note,
    number,
    read_fields,
    remember,
    text,
)
from app.i18n import Language, catalogue
from tests.domain.test_canonical import tolds
from tests.feeds.corpus import NOW, PERSONS

DAY = timedelta(days=1)


def refusal(check: object, value: object) -> str:
    assert callable(check)
    with pytest.raises(Flaw) as refused:
        check(value)
    return refused.value.faults[0].code


# ------------------------------------------------------------------ instants


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-08-03T09:10:00+07:00", datetime(2026, 8, 3, 2, 10, tzinfo=UTC)),
        ("2026-08-03T02:10:00Z", datetime(2026, 8, 3, 2, 10, tzinfo=UTC)),
        ("2026-08-03T02:10:00-00:00", datetime(2026, 8, 3, 2, 10, tzinfo=UTC)),
        ("2026-08-03t02:10:00z", datetime(2026, 8, 3, 2, 10, tzinfo=UTC)),
        ("2026-08-03 02:10:00Z", datetime(2026, 8, 3, 2, 10, tzinfo=UTC)),
        ("2026-08-02T21:40:00-04:30", datetime(2026, 8, 3, 2, 10, tzinfo=UTC)),
        ("2026-08-03T02:27:00+00:17", datetime(2026, 8, 3, 2, 10, tzinfo=UTC)),
        ("2026-08-03T02:10:00.5Z", datetime(2026, 8, 3, 2, 10, 0, 500_000, tzinfo=UTC)),
        ("2026-08-03T09:10:00.1234567+07:00", datetime(2026, 8, 3, 2, 10, 0, 123_456, tzinfo=UTC)),
        ("2000-01-01T00:00:00+07:00", datetime(1999, 12, 31, 17, tzinfo=UTC)),
        ("2100-12-31T23:59:59-11:00", datetime(2101, 1, 1, 10, 59, 59, tzinfo=UTC)),
    ],
)
def test_an_instant_with_its_offset_is_given_in_utc(value: str, expected: datetime) -> None:
    assert instant(value) == expected
    assert instant(value).tzinfo is UTC


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("2026-08-03T09:10:00", "record.naive_instant"),
        ("2026-08-03T09:10:00.123", "record.naive_instant"),
        ("0001-01-01T00:00:00+07:00", "record.year_range"),
        ("9999-12-31T23:59:59-07:00", "record.year_range"),
        ("1999-12-31T23:59:59+07:00", "record.year_range"),
        ("2101-01-01T00:00:00Z", "record.year_range"),
        ("0001-01-01T00:00:00.1+07:00", "record.year_range"),
        ("", "record.not_instant"),
        ("2026-08-03", "record.not_instant"),
        ("20260803T091000+0700", "record.not_instant"),
        ("2026-08-03T09:10+07:00:00", "record.not_instant"),
        ("2026-08-03T091000.1+07:00", "record.not_instant"),
        ("2026-W32-1T09:10:00+07:00", "record.not_instant"),
        ("2026-02-30T09:10:00+07:00", "record.not_instant"),
        ("2026-08-03T24:00:00+07:00", "record.not_instant"),
        ("2026-08-03 24:00:00+07:00", "record.not_instant"),
        ("2026-08-03T09:10:60+07:00", "record.not_instant"),
        ("2026-08-03T09:10:00+25:00", "record.not_instant"),
        ("2026-08-03T09:10:00 +07:00", "record.not_instant"),
        ("٢٠٢٦-08-03T09:10:00+07:00", "record.not_instant"),
        ("03/08/2026 09:10", "record.not_instant"),
        ("45000", "record.not_instant"),
        (45000, "record.not_instant"),
        (45000.5, "record.not_instant"),
        (True, "record.not_instant"),
        ({}, "record.not_instant"),
        (Broken(BodyNul()), "body.nul"),
    ],
)
def test_what_is_no_instant_is_refused_with_its_reason(value: object, code: str) -> None:
    assert refusal(instant, value) == code


@given(
    st.datetimes(
        datetime.fromisoformat("2000-01-02"),
        datetime.fromisoformat("2100-12-30"),
        timezones=st.timezones(),
    )
)
def test_every_instant_is_read_as_written(moment: datetime) -> None:
    whole = moment.replace(microsecond=0, fold=0)
    offset = whole.utcoffset()
    if offset is None or offset.total_seconds() % 60:
        return  # RFC 3339 has no seconds in an offset

    exact = moment.replace(fold=0)
    assert instant(whole.isoformat()) == whole.astimezone(UTC)
    assert instant(exact.isoformat()) == exact.astimezone(UTC)


halves = st.tuples(
    st.datetimes(datetime.fromisoformat("2000-01-01"), datetime.fromisoformat("2100-12-31")),
    st.integers(0, 59),
    st.integers(0, 59),
    st.sampled_from(["Z", "+00:00", "+07:00", "-07:00", "+08:45"]),
)


@given(st.lists(halves, min_size=2, max_size=2))
def test_an_instant_made_of_halves_told_before_is_read_as_written(
    told: list[tuple[datetime, int, int, str]],
) -> None:
    hours = [f"{moment:%Y-%m-%dT%H}" for moment, _, _, _ in told]
    rests = [f":{minute:02}:{second:02}{offset}" for _, minute, second, offset in told]
    for hour, rest in zip(hours, rests, strict=True):
        instant(hour + rest)

    for hour in hours:
        for rest in rests:
            assert instant(hour + rest) == datetime.fromisoformat(hour + rest)
            assert instant(hour + rest).tzinfo is UTC


def test_what_is_wrong_with_one_half_is_told_whatever_was_read_before() -> None:
    instant("2026-08-03T09:10:00+07:00")

    assert refusal(instant, "2026-08-03T24:10:00+07:00") == "record.not_instant"
    assert refusal(instant, "2026-08-03T09:60:00+07:00") == "record.not_instant"
    assert refusal(instant, "2026-08-03T09") == "record.not_instant"
    assert refusal(instant, ":10:00+07:00") == "record.not_instant"
    assert refusal(instant, "1999-08-03T09:10:00+07:00") == "record.year_range"


@given(st.text(st.sampled_from("0123456789-T:Z+. W"), min_size=18, max_size=27))
def test_the_quick_way_accepts_nothing_that_the_pattern_refuses(value: str) -> None:
    pattern = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"
    try:
        instant(value)
    except Flaw:
        return

    assert re.fullmatch(pattern, value)


# ------------------------------------------------------------------ other single values


def test_only_words_that_are_fine_as_they_stand_are_remembered() -> None:
    asked: list[object] = []

    def check(value: object) -> str:
        asked.append(value)
        if type(value) is not str:
            raise Flaw
        return value.strip()

    look = known(check)

    assert [look(word) for word in ("a", "a", " a", " a", "a")] == ["a"] * 5
    assert asked == ["a", " a", " a"]
    with pytest.raises(Flaw):
        look(["a"])


def outcome(check: Callable[[object], object], value: object) -> object:
    try:
        return check(value)
    except Flaw as error:
        return error.faults


short = text(20)


@given(
    st.lists(
        st.text(st.sampled_from("aA1 .-\u0301\u1ec7\ufffd\x07\u200b"), max_size=25)
        | st.sampled_from(PERSONS)
        | st.none()
        | st.lists(st.just("a"), max_size=1),
        max_size=8,
    )
)
def test_what_a_checker_remembers_changes_nothing(values: list[object]) -> None:
    def check(value: object) -> str:
        return mask(short(value))

    look = known(check)

    for value in (*values, *values):
        assert outcome(look, value) == outcome(check, value)


def test_a_memory_of_words_begins_anew_when_it_is_full() -> None:
    memory: dict[str, int] = {}

    for place in range(2 * MOST_KNOWN + 5):
        remember(memory, str(place), place)
        assert memory[str(place)] == place

    assert len(memory) == 5


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("H44.100", "H44.100"),
        ("  H44.100\t", "H44.100"),
        ("Vie\u0323\u0302t Tri\u0300", "Việt Trì"),
        ("x" * 20, "x" * 20),
        ("x" * 20 + "  ", "x" * 20),
    ],
)
def test_a_code_is_trimmed_and_composed(value: str, expected: str) -> None:
    assert text(20)(value) == expected


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", "record.empty"),
        ("  \t", "record.empty"),
        ("x" * 21, "record.too_long"),
        ("ư" * 21, "record.too_long"),
        ("x" * 1_000_000, "record.too_long"),
        ("a\0b", "record.control_character"),
        ("a\nb", "record.control_character"),
        ("a\u200bb", "record.control_character"),
        ("a\u202eb", "record.control_character"),
        ("a\ud800b", "record.control_character"),
        ("Vi\ufffdt", "record.broken_text"),
        (1, "record.not_text"),
        (True, "record.not_text"),
        ([], "record.not_text"),
        (Broken(BodyNul()), "body.nul"),
    ],
)
def test_a_code_that_cannot_be_kept_is_refused(value: object, code: str) -> None:
    assert refusal(text(20), value) == code


@pytest.mark.parametrize("person", PERSONS)
def test_a_note_keeps_no_number_of_a_person(person: str) -> None:
    assert person not in note(200)(f"Theo đơn của ông A, {person}")


def test_a_note_is_one_line_and_bounded() -> None:
    assert note(20)(" 12/TB\n-UBND ") == "12/TB -UBND"
    assert refusal(note(5), "123456") == "record.too_long"
    assert refusal(note(5), " ") == "record.empty"
    assert refusal(note(5), "a\0") == "record.control_character"
    assert refusal(note(5), 1) == "record.not_text"


def test_truth_is_no_number_and_a_number_is_no_truth() -> None:
    assert flag(True) is True
    assert number(0, 5)(5) == 5
    assert refusal(flag, 1) == "record.not_boolean"
    assert refusal(flag, "true") == "record.not_boolean"
    assert refusal(number(0, 5), True) == "record.not_number"
    assert refusal(number(0, 5), 1.0) == "record.not_number"
    assert refusal(number(0, 5), "1.234") == "record.not_number"
    assert refusal(number(0, 5), 6) == "record.number_range"
    assert refusal(number(0, 5), -1) == "record.number_range"


def test_a_word_outside_its_list_is_refused_with_the_list() -> None:
    with pytest.raises(Flaw) as refused:
        choice(Status)("Processing")

    (fault,) = refused.value.faults
    assert fault.code == "record.not_among"
    assert fault.params["allowed"].startswith("submitted, refused_at_intake, received")
    assert choice(Status)("received") is Status.RECEIVED
    assert refusal(choice(Status), ["received"]) == "record.not_text"


def test_all_items_of_a_list_are_judged_by_their_index() -> None:
    with pytest.raises(Flaw) as refused:
        list_of(number(0, 5), 4)([1, "x", 9, 3])

    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [
        ("/1", "record.not_number"),
        ("/2", "record.number_range"),
    ]
    assert list_of(number(0, 5), 4)([1, 2]) == (1, 2)
    assert refusal(list_of(number(0, 5), 4), [0] * 5) == "record.too_many_items"
    assert refusal(list_of(number(0, 5), 4), {"0": 1}) == "record.not_list"


# ------------------------------------------------------------------ whole objects

FIELDS = Fields(
    {"received_at": instant, "unit": text(20), "contacts": number(0, 5)},
    required=("unit",),
    not_null=frozenset({"unit"}),
    elsewhere=frozenset({"status"}),
)


@pytest.mark.parametrize(
    ("name", "code", "similar"),
    [
        ("receivedAt", "record.misspelt_field", "received_at"),
        ("recieved_at", "record.misspelt_field", "received_at"),
        ("recived_at", "record.misspelt_field", "received_at"),
        ("UNIT", "record.misspelt_field", "unit"),
        ("colour", "record.unknown_field", None),
        ("status", "record.field_elsewhere", None),
    ],
)
def test_an_unknown_field_is_a_fault_that_helps(name: str, code: str, similar: str | None) -> None:
    _, (fault,) = read_fields({"unit": "H44", name: None}, FIELDS)

    assert (fault.pointer, fault.code, fault.params.get("similar")) == (f"/{name}", code, similar)


@pytest.mark.parametrize("person", PERSONS)
def test_a_key_that_holds_a_person_is_not_repeated(person: str) -> None:
    _, (fault,) = read_fields({"unit": "H44", person: 1}, FIELDS)

    assert fault == Fault("", "record.unknown_field_unnamed")


def test_absent_null_and_value_are_three_things() -> None:
    facts, faults = read_fields({"unit": "H44", "received_at": None}, FIELDS)

    assert not faults
    assert facts == {"unit": "H44", "received_at": None}
    _, faults = read_fields({"unit": None}, FIELDS)
    assert faults == [Fault("/unit", "record.null")]
    _, faults = read_fields({}, FIELDS)
    assert faults == [Fault("/unit", "record.required")]


def test_a_record_of_nothing_but_faults_is_answered_briefly() -> None:
    _, faults = read_fields({f"x{index}": 1 for index in range(100_000)}, FIELDS)

    shown = bounded(faults)

    assert len(faults) < 100
    assert len(shown) == 51
    assert shown[-1].code == "record.too_many_faults"


# ------------------------------------------------------------------ what cannot be true


@pytest.mark.parametrize(
    "name",
    ["submitted_at", "received_at", "finished_at", "ended_at", "returned_at", "entered_at"],
)
def test_what_happened_lies_at_most_a_day_ahead_of_its_arrival(name: str) -> None:
    too_far = {name: NOW + DAY + timedelta(microseconds=1)}

    assert contradictions({name: NOW + DAY}, now=NOW) == []
    assert contradictions(too_far, now=NOW) == [Fault(f"/{name}", "record.too_far_ahead")]


@pytest.mark.parametrize("name", ["due_at", "clock_start_at"])
def test_what_is_to_come_may_lie_ahead(name: str) -> None:
    assert contradictions({name: NOW + 400 * DAY}, now=NOW) == []


def test_a_finish_on_a_day_before_receipt_cannot_be_true() -> None:
    received_at = datetime(2026, 8, 3, 17, 30, tzinfo=UTC)  # 00:30 on 4 August, local time
    before = received_at - timedelta(minutes=31)

    (fault,) = contradictions({"received_at": received_at, "finished_at": before}, now=NOW)

    assert fault.pointer == "/finished_at"
    assert fault.params == {"received_on": "2026-08-04", "finished_on": "2026-08-03"}


def test_a_finish_earlier_on_the_day_of_receipt_is_left_to_the_issues() -> None:
    received_at = datetime(2026, 8, 3, 9, 0, tzinfo=UTC)
    facts = {"received_at": received_at, "finished_at": received_at - timedelta(hours=8)}

    assert contradictions(facts, now=NOW) == []


def test_a_return_stands_for_the_finish_while_none_is_told() -> None:
    received_at = datetime(2026, 8, 3, 9, 0, tzinfo=UTC)
    facts: dict[str, object] = {"received_at": received_at, "returned_at": received_at - 2 * DAY}

    assert contradictions(facts, now=NOW)[0].pointer == "/returned_at"
    assert contradictions(facts | {"finished_at": received_at}, now=NOW) == []


# ------------------------------------------------------------------ the stamp of unstamped news


def test_the_newest_date_is_of_what_happened_and_never_ahead_of_us() -> None:
    received_at, paused_at = NOW - 5 * DAY, NOW - 3 * DAY
    pause = PauseTold("supplement", paused_at, None, NOW + 9 * DAY)

    assert newest({"received_at": received_at, "due_at": NOW + DAY}, now=NOW) == received_at
    assert newest({"received_at": received_at, "pauses": (pause,)}, now=NOW) == paused_at
    assert newest({"received_at": NOW + timedelta(hours=2)}, now=NOW) == NOW
    assert newest({"due_at": NOW - DAY, "finished_at": None}, now=NOW) == NOW


def test_pauses_are_put_in_order_each_once() -> None:
    one, other = PauseTold("supplement", NOW), PauseTold("payment", NOW - DAY, NOW)

    assert in_order([one, other, one]) == (other, one)


# ------------------------------------------------------------------ the seal and the sentences


@given(tolds)
def test_the_quick_canonical_form_is_the_canonical_form(told: object) -> None:
    assert canonical_bytes(told).decode() == text_of(told)  # type: ignore[arg-type]  # a Told


def test_every_code_of_the_feeds_has_a_sentence_in_both_languages() -> None:
    folder = Path(str(app.feeds.__path__[0]))
    sources = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    used = set(re.findall(r'"((?:record|body|national)\.[a-z_]+)"', sources))

    assert len(used) > 40
    for language in Language:
        assert used <= catalogue(language).keys()
