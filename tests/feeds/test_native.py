import itertools
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.canonical import from_plain, text_of
from app.domain.record import (
    ApplicantType,
    Channel,
    ExtensionTold,
    MessageKind,
    Outcome,
    PauseTold,
    ReturnMethod,
    Status,
)
from app.feeds import native
from app.feeds.body import decode
from app.feeds.masking import LOST
from app.feeds.native import EVENT_FIELDS, RECORD_FIELDS, code_in, pseudonym, strip
from app.feeds.reading import EventIn, RecordIn
from app.i18n import Language, phrase
from tests.feeds.corpus import NOW, PERSONS, a_record, hashed, json_values

MORNING = datetime(2026, 8, 3, 2, 10, tzinfo=UTC)
WIRE_MORNING = "2026-08-03T09:10:00+07:00"


def read(raw: object, code: str | None = None) -> RecordIn:
    found = native.read_record(raw, code=code, now=NOW, hash_applicant=hashed)
    assert isinstance(found, RecordIn), found
    return found


def faults_of(raw: object, code: str | None = None) -> dict[str, str]:
    found = native.read_record(raw, code=code, now=NOW, hash_applicant=hashed)
    assert isinstance(found, tuple)
    return {fault.pointer: fault.code for fault in found}


def read_event(raw: object, code: str | None = None) -> EventIn:
    found = native.read_event(raw, code=code, now=NOW)
    assert isinstance(found, EventIn), found
    return found


def event_faults(raw: object, code: str | None = None) -> dict[str, str]:
    found = native.read_event(raw, code=code, now=NOW)
    assert isinstance(found, tuple)
    return {fault.pointer: fault.code for fault in found}


# ------------------------------------------------------------------ records


def test_a_plain_record_is_read() -> None:
    found = read(a_record())

    assert found.code == "H44.100-260803-0012"
    assert found.source_updated_at == MORNING + timedelta(seconds=5)
    assert found.stamped
    assert found.told == {
        "unit": "H44.100",
        "procedure": "1.001193",
        "channel": Channel.ONLINE,
        "applicant_type": ApplicantType.CITIZEN,
        "submitted_at": datetime(2026, 8, 3, 1, 12, tzinfo=UTC),
        "received_at": MORNING,
        "due_at": datetime(2026, 8, 5, 10, 0, tzinfo=UTC),
        "status": Status.PROCESSING,
        "finished_at": None,
        "returned_at": None,
        "outcome": None,
        "place_independent": False,
        "official": "cb-17",
    }


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("case", " lần đầu ", "lần đầu"),
        ("channel", "post", Channel.POST),
        ("applicant_type", "state_body", ApplicantType.STATE_BODY),
        ("clock_start_at", WIRE_MORNING, MORNING),
        ("ended_at", WIRE_MORNING, MORNING),
        ("returned_at", WIRE_MORNING, MORNING),
        ("entered_at", WIRE_MORNING, MORNING),
        ("status", "awaiting_supplement", Status.AWAITING_SUPPLEMENT),
        ("outcome", "refused", Outcome.REFUSED),
        ("return_method", "post", ReturnMethod.POST),
        ("place_independent", True, True),
        ("other_codes", ["B", "A", "B"], ("A", "B")),
        ("parent", "H44-260803-0001", "H44-260803-0001"),
        ("leg", "2", "2"),
        ("paid_online", True, True),
        ("digitised", False, False),
        ("contacts", 2, 2),
        ("bodies_contacted", 1, 1),
        ("founded_complaints", 0, 0),
        ("pauses", [], ()),
        (
            "extension",
            {"issued_at": WIRE_MORNING, "new_due_at": WIRE_MORNING, "document": "12/TB"},
            ExtensionTold(MORNING, MORNING, "12/TB"),
        ),
        (
            "extension",
            {"issued_at": WIRE_MORNING, "new_due_at": WIRE_MORNING},
            ExtensionTold(MORNING, MORNING),
        ),
    ],
)
def test_each_field_becomes_its_fact(name: str, value: object, expected: object) -> None:
    assert dict(read(a_record(**{name: value})).told)[name] == expected


def test_pauses_are_read_in_order_each_once() -> None:
    later = {"kind": "payment", "started_at": "2026-08-04T08:00:00+07:00", "ended_at": None}
    first = {"kind": "supplement", "started_at": WIRE_MORNING, "ended_at": WIRE_MORNING}

    found = read(a_record(pauses=[later, first, later])).told["pauses"]

    assert found == (
        PauseTold("supplement", MORNING, MORNING),
        PauseTold("payment", datetime(2026, 8, 4, 1, tzinfo=UTC)),
    )


@pytest.mark.parametrize("name", sorted(RECORD_FIELDS - {"code", "unit", "procedure"}))
def test_every_other_field_may_be_absent_or_null(name: str) -> None:
    whole = a_record()
    absent = {field: value for field, value in whole.items() if field != name}
    fact = "applicant_hash" if name == "applicant_key" else name

    assert fact not in read(absent).told
    if name != "source_updated_at":
        assert dict(read(whole | {name: None}).told)[fact] is None


@pytest.mark.parametrize("name", ["unit", "procedure"])
def test_unit_and_procedure_must_be_there(name: str) -> None:
    absent = {field: value for field, value in a_record().items() if field != name}

    assert faults_of(absent) == {f"/{name}": "record.required"}
    assert faults_of(a_record(**{name: None})) == {f"/{name}": "record.null"}


def test_the_code_stands_in_the_record_or_in_the_path() -> None:
    without = {field: value for field, value in a_record().items() if field != "code"}

    assert read(without, code=" H44-1 ").code == "H44-1"
    assert read(a_record(code="HĐ-ư"), code="HĐ-u\u031b").code == "HĐ-ư"
    assert faults_of(without) == {"/code": "record.required"}
    assert faults_of(a_record(code=None)) == {"/code": "record.null"}
    assert faults_of(a_record(), code="H44-1") == {"/code": "record.code_differs"}
    assert faults_of(without, code="a\0") == {"/code": "record.control_character"}


def test_codes_in_two_normal_forms_are_one_code() -> None:
    assert read(a_record(code="HĐ-u\u031b")).code == read(a_record(code="HĐ-ư")).code


def test_the_applicant_leaves_only_a_keyed_hash() -> None:
    found = read(a_record(applicant_key=" 001 203 004 567 "))

    assert found.told["applicant_hash"] == "hash-12"
    assert "001203004567" not in text_of(found.told)
    assert read(a_record(applicant_key=None)).told["applicant_hash"] is None


@pytest.mark.parametrize("official", ["cb-17", "CB17", "a.b:c/d_e", "12345678"])
def test_a_pseudonym_of_an_official_is_kept(official: str) -> None:
    assert read(a_record(official=official)).told["official"] == official


@pytest.mark.parametrize("official", ["Nguyễn Văn A", "Nguyen Van A", *PERSONS])
def test_an_official_named_in_clear_becomes_a_pseudonym(official: str) -> None:
    found = pseudonym(official, lambda _: "f" * 64)

    assert found == "#" + "f" * 24
    assert dict(read(a_record(official=official)).told)["official"] == f"#{hashed(official)}"


@pytest.mark.parametrize("person", PERSONS)
@pytest.mark.parametrize("name", ["unit", "case"])
def test_a_name_of_a_unit_keeps_no_number_of_a_person(name: str, person: str) -> None:
    assert person not in text_of(read(a_record(**{name: f"UBND xã {person}"})).told)


def test_without_a_stamp_the_newest_date_counts_else_the_arrival() -> None:
    unstamped = a_record(source_updated_at=None)
    dateless = unstamped | {"submitted_at": None, "received_at": None}

    assert read(unstamped).source_updated_at == MORNING
    assert not read(unstamped).stamped
    assert read(dateless).source_updated_at == NOW


def test_everything_wrong_with_a_record_is_told_together() -> None:
    found = faults_of(
        {
            "code": 12,
            "unit": "",
            "receivedAt": WIRE_MORNING,
            "due_at": "2026-08-05T17:00:00",
            "status": "done",
            "contacts": True,
            "place_independent": "no",
            "other_codes": ["a", 1],
            "pauses": [{"kind": "lunch"}, 7],
            "extension": {"issued_at": "x", "why": 1},
        }
    )

    assert found == {
        "/code": "record.not_text",
        "/unit": "record.empty",
        "/procedure": "record.required",
        "/receivedAt": "record.misspelt_field",
        "/due_at": "record.naive_instant",
        "/status": "record.not_among",
        "/contacts": "record.not_number",
        "/place_independent": "record.not_boolean",
        "/other_codes/1": "record.not_text",
        "/pauses/0/kind": "record.not_among",
        "/pauses/0/started_at": "record.required",
        "/pauses/1": "record.not_object",
        "/extension/issued_at": "record.not_instant",
        "/extension/why": "record.unknown_field",
        "/extension/new_due_at": "record.required",
    }


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"received_at": "2026-08-12T09:00:00+07:00"}, "/received_at", "record.too_far_ahead"),
        ({"finished_at": "2026-08-12T09:00:00+07:00"}, "/finished_at", "record.too_far_ahead"),
        (
            {"source_updated_at": "2026-08-12T09:00:00+07:00"},
            "/source_updated_at",
            "record.too_far_ahead",
        ),
        (
            {"finished_at": "2026-08-02T23:59:59+07:00"},
            "/finished_at",
            "record.finished_before_received",
        ),
        ({"received_at": "0001-01-01T00:00:00+07:00"}, "/received_at", "record.year_range"),
        ({"due_at": "9999-12-31T00:00:00+07:00"}, "/due_at", "record.year_range"),
        ({"received_at": 46237}, "/received_at", "record.not_instant"),
        ({"contacts": "1.234"}, "/contacts", "record.not_number"),
        (
            {
                "pauses": [
                    {
                        "kind": "other",
                        "started_at": WIRE_MORNING,
                        "ended_at": WIRE_MORNING[:10].replace("03", "02") + WIRE_MORNING[10:],
                    }
                ]
            },
            "/pauses/0/ended_at",
            "record.pause_backwards",
        ),
        ({"pauses": [{}] * 201}, "/pauses", "record.too_many_items"),
        ({"other_codes": ["a"] * 21}, "/other_codes", "record.too_many_items"),
        ({"code": "x" * 101}, "/code", "record.too_long"),
    ],
)
def test_a_record_that_cannot_be_true_is_refused_at_its_field(
    changes: dict[str, object], pointer: str, code: str
) -> None:
    assert faults_of(a_record(**changes)) == {pointer: code}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("NaN", "body.not_finite"),
        ("Infinity", "body.not_finite"),
        ("123456789012345678901234567890", "body.number"),
        ('"a\\u0000b"', "body.nul"),
        ('"a\\ud800b"', "body.surrogate"),
        ("[" * 40 + "]" * 40, "body.depth"),
    ],
)
@pytest.mark.parametrize(
    "name",
    ["code", "unit", "received_at", "status", "contacts", "pauses", "extension", "digitised"],
)
def test_a_place_broken_in_the_body_is_told_at_its_field(name: str, text: str, code: str) -> None:
    whole = json.dumps(a_record(**{name: "@"})).replace('"@"', text)

    (fault,) = native.read_record(  # type: ignore[misc]  # a tuple of one fault
        decode(whole.encode()), code=None, now=NOW, hash_applicant=hashed
    )

    assert fault.code == code
    assert fault.pointer.startswith(f"/{name}")


def test_a_key_given_twice_is_told_at_that_key() -> None:
    whole = json.dumps(a_record())[:-1] + ', "unit": "H44.101"}'

    assert faults_of(decode(whole.encode())) == {"/unit": "body.duplicate_key"}


@pytest.mark.parametrize("raw", [None, 1, "x", [], [a_record()], True])
def test_what_is_no_object_is_no_record(raw: object) -> None:
    assert faults_of(raw) == {"": "record.not_object"}
    assert event_faults(raw) == {"": "record.not_object"}


@given(
    json_values
    | st.dictionaries(st.sampled_from(sorted(RECORD_FIELDS | EVENT_FIELDS)), json_values)
)
def test_any_json_value_is_a_record_or_faults_that_can_be_said(raw: object) -> None:
    record = native.read_record(raw, code=None, now=NOW, hash_applicant=hashed)
    event = native.read_event(raw, code=None, now=NOW)

    for found in (record, event):
        if isinstance(found, tuple):
            assert found
            for fault, language in itertools.product(found, Language):
                assert phrase(language, fault.code, fault.params)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "pauses": st.lists(
                st.fixed_dictionaries(
                    {
                        "kind": st.sampled_from(["supplement", "payment", "stopped"]),
                        "started_at": st.sampled_from([WIRE_MORNING, "2026-08-04T08:00:00+07:00"]),
                    },
                    optional={"new_due_at": st.none() | st.just("2026-08-09T17:00:00+07:00")},
                ),
                max_size=4,
            ),
            "status": st.none() | st.sampled_from([status.value for status in Status]),
            "returned_at": st.none() | st.just("2026-08-06T08:00:00+07:00"),
            "case": st.none() | st.text("abc ", min_size=1).filter(str.strip),
        },
    )
)
def test_what_was_read_survives_the_canonical_form(changes: dict[str, object]) -> None:
    told = read(a_record(**changes)).told

    assert from_plain(json.loads(text_of(told))) == told


# ------------------------------------------------------------------ events


def an_event(kind: str, **changes: object) -> dict[str, object]:
    return {"code": "H44-1", "kind": kind, "at": WIRE_MORNING} | changes


@pytest.mark.parametrize(
    ("kind", "fields", "told"),
    [
        ("step", {"status": "processing"}, {"status": Status.PROCESSING}),
        (
            "step",
            {"status": "received", "unit": "H44.100"},
            {"status": Status.RECEIVED, "unit": "H44.100"},
        ),
        ("pause", {"pause_kind": "other_agency"}, {"pause_kind": "other_agency"}),
        ("resume", {}, {}),
        (
            "resume",
            {"pause_kind": "supplement", "new_due_at": WIRE_MORNING},
            {"pause_kind": "supplement", "due_at": MORNING},
        ),
        (
            "extension",
            {"new_due_at": WIRE_MORNING, "document": "12/TB-UBND"},
            {"due_at": MORNING, "document": "12/TB-UBND"},
        ),
        ("transfer", {"unit": "H44.101"}, {"unit": "H44.101"}),
        (
            "correction",
            {"finished_at": WIRE_MORNING, "document": "1", "reason": "gõ nhầm"},
            {"finished_at": MORNING, "document": "1", "reason": "gõ nhầm"},
        ),
        ("correction", {"due_at": WIRE_MORNING}, {"due_at": MORNING}),
        ("correction", {"received_at": WIRE_MORNING}, {"received_at": MORNING}),
        ("reopening", {"reason": None}, {}),
        ("void", {"reason": "gửi thử"}, {"reason": "gửi thử"}),
        ("apology", {"document": "3/XL", "exempt": True}, {"document": "3/XL", "exempt": True}),
    ],
)
def test_each_kind_of_event_is_read(
    kind: str, fields: dict[str, object], told: dict[str, object]
) -> None:
    found = read_event(an_event(kind, **fields))

    assert (found.code, found.kind, found.at) == ("H44-1", MessageKind(kind), MORNING)
    assert found.told == told
    assert found.source_updated_at == MORNING
    assert found.stamped


def test_every_kind_of_event_has_its_fields() -> None:
    for kind in set(MessageKind) - {MessageKind.RECORD, MessageKind.CALENDAR_CHANGE}:
        found = native.read_event(an_event(kind.value), code=None, now=NOW)

        assert isinstance(found, EventIn) or "/kind" not in {fault.pointer for fault in found}


def test_an_event_may_carry_a_stamp_of_its_own() -> None:
    stamped = an_event("resume", source_updated_at="2026-08-04T08:00:00+07:00")

    assert read_event(stamped).source_updated_at == datetime(2026, 8, 4, 1, tzinfo=UTC)
    assert read_event(an_event("resume", source_updated_at=None)).source_updated_at == MORNING


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"code": "H44-1", "at": WIRE_MORNING}, {"/kind": "record.required"}),
        (an_event("record"), {"/kind": "record.not_among"}),
        (an_event("dance"), {"/kind": "record.not_among"}),
        ({"code": "x", "kind": 1}, {"/kind": "record.not_text"}),
        ({"code": "x", "kind": "resume"}, {"/at": "record.required"}),
        ({"kind": "resume", "at": WIRE_MORNING}, {"/code": "record.required"}),
        (an_event("resume", at=None), {"/at": "record.null"}),
        (an_event("resume", at="2026-08-12T09:00:00+07:00"), {"/at": "record.too_far_ahead"}),
        (an_event("step"), {"/status": "record.required"}),
        (an_event("step", status=None), {"/status": "record.null"}),
        (an_event("pause"), {"/pause_kind": "record.required"}),
        (an_event("extension", document="1"), {"/new_due_at": "record.required"}),
        (an_event("transfer"), {"/unit": "record.required"}),
        (an_event("void"), {"/reason": "record.required"}),
        (an_event("correction", reason="x"), {"": "record.nothing_corrected"}),
        (
            an_event("correction", due_at=None),
            {"/due_at": "record.null", "": "record.nothing_corrected"},
        ),
        (an_event("pause", pause_kind="other", status="x"), {"/status": "record.field_elsewhere"}),
        (an_event("step", status="received", approved=True), {"/approved": "record.unknown_field"}),
    ],
)
def test_an_event_that_does_not_fit_is_refused_at_its_field(
    raw: dict[str, object], expected: dict[str, str]
) -> None:
    assert event_faults(raw) == expected


@pytest.mark.parametrize("person", PERSONS)
def test_a_reason_keeps_no_number_of_a_person(person: str) -> None:
    found = read_event(an_event("void", reason=f"trùng với hồ sơ của {person}"))

    assert person not in text_of(found.told)


# ------------------------------------------------------------------ the quarantine


def test_a_plain_record_is_stripped_of_persons_only() -> None:
    whole = a_record(
        applicant_key="001203004567",
        pauses=[{"kind": "supplement", "started_at": WIRE_MORNING, "ended_at": None}],
        extension={"issued_at": WIRE_MORNING, "new_due_at": WIRE_MORNING, "document": "1/TB"},
        other_codes=["A-1"],
        contacts=2,
    )
    expected = {
        name: value for name, value in whole.items() if name not in {"applicant_key", "official"}
    }

    assert strip(whole) == expected


def test_a_stripped_record_that_was_good_is_read_as_it_was() -> None:
    whole = a_record(pauses=[{"kind": "supplement", "started_at": WIRE_MORNING}])
    told = dict(read(whole).told)
    del told["official"]

    assert read(strip(whole)).told == told


@given(
    st.dictionaries(
        st.sampled_from(sorted(RECORD_FIELDS | EVENT_FIELDS)) | st.text(max_size=8), json_values
    ),
    st.booleans(),
)
def test_a_record_that_was_refused_is_refused_again_when_stripped(
    changes: dict[str, object], is_whole: bool
) -> None:
    raw = a_record(**changes) if is_whole else changes
    found = native.read_record(raw, code=None, now=NOW, hash_applicant=hashed)
    pointers = {fault.pointer for fault in found} if isinstance(found, tuple) else set()
    if pointers <= {"/applicant_key", "/official"}:
        return  # these leave no trace

    again = native.read_record(strip(raw), code=None, now=NOW, hash_applicant=hashed)

    assert isinstance(again, tuple)


@given(
    st.dictionaries(
        st.sampled_from(sorted(RECORD_FIELDS | EVENT_FIELDS)) | st.sampled_from(PERSONS),
        st.recursive(
            st.sampled_from([f"{before}{person}" for person in PERSONS for before in ("", "HS ")])
            | st.sampled_from([1203004567, 123456789, 912345678]),
            lambda below: (
                st.lists(below, max_size=3)
                | st.dictionaries(
                    st.sampled_from(sorted(RECORD_FIELDS | EVENT_FIELDS))
                    | st.sampled_from(PERSONS),
                    below,
                    max_size=3,
                )
            ),
            max_leaves=6,
        ),
    )
)
def test_stripping_leaves_no_person_whatever_the_box(raw: dict[str, object]) -> None:
    shown = json.dumps(strip(raw), ensure_ascii=False)

    for person in (*PERSONS, "1203004567", "123456789", "912345678"):
        assert person not in shown


def test_names_in_the_wrong_box_are_lost() -> None:
    boxes = ("code", "procedure", "parent", "leg", "status", "channel", "received_at", "contacts")
    raw: dict[str, object] = {**dict.fromkeys(boxes, "Nguyễn Văn A"), "reason": "Nguyễn Văn A"}

    found = strip(raw | {"applicant_name": "Nguyễn Văn A", "Nguyễn Văn A": 1})

    assert found == {**dict.fromkeys((*boxes, "reason"), LOST), "?": 2}


@pytest.mark.parametrize("raw", [None, "Nguyễn Văn A", [1], 7])
def test_what_is_no_object_is_stripped_to_nothing(raw: object) -> None:
    assert strip(raw) == {"?": 1}
    assert code_in(raw) is None


def test_the_code_of_a_refused_record_is_shown_when_it_can_be() -> None:
    assert code_in({"code": " H44-1 "}) == "H44-1"
    assert code_in({"code": 1}) is None
    assert code_in({"code": "001203004567"}) is None
