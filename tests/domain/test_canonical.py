import dataclasses
import json
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.canonical import digest, digest_of, from_plain, parts_of, text_of, to_plain, told_of
from app.domain.record import (
    ApplicantType,
    Channel,
    ExtensionTold,
    MessageKind,
    Outcome,
    PauseTold,
    ReturnMethod,
    Status,
    Told,
)

NOON = datetime(2026, 8, 3, 5, 0, tzinfo=UTC)

texts = st.text(max_size=20)
instants = st.datetimes(
    datetime.fromisoformat("2000-01-02"),
    datetime.fromisoformat("2100-12-30"),
    timezones=st.just(UTC),
)
pauses = st.builds(
    PauseTold,
    kind=texts,
    started_at=instants,
    ended_at=st.none() | instants,
    new_due_at=st.none() | instants,
)
extensions = st.builds(
    ExtensionTold, issued_at=instants, new_due_at=instants, document=st.none() | texts
)
VALUES: dict[str, st.SearchStrategy[object]] = {
    **dict.fromkeys(
        ("unit", "procedure", "case", "applicant_hash", "parent", "leg", "official"), texts
    ),
    **dict.fromkeys(("pause_kind", "document", "reason"), texts),
    **dict.fromkeys(("submitted_at", "received_at", "clock_start_at", "due_at"), instants),
    **dict.fromkeys(("finished_at", "ended_at", "returned_at", "entered_at"), instants),
    **dict.fromkeys(("old_due_at",), instants),
    **dict.fromkeys(("place_independent", "paid_online", "digitised"), st.booleans()),
    **dict.fromkeys(("exempt", "approved"), st.booleans()),
    **dict.fromkeys(("contacts", "bodies_contacted"), st.integers(0, 10_000)),
    "founded_complaints": st.integers(0, 10_000),
    "channel": st.sampled_from(Channel),
    "applicant_type": st.sampled_from(ApplicantType),
    "status": st.sampled_from(Status),
    "outcome": st.sampled_from(Outcome),
    "return_method": st.sampled_from(ReturnMethod),
    "pauses": st.lists(pauses, max_size=3).map(tuple),
    "extension": extensions,
    "other_codes": st.lists(texts, max_size=3).map(tuple),
}
tolds = st.fixed_dictionaries(
    {}, optional={name: st.none() | values for name, values in VALUES.items()}
).map(told_of)


def test_every_fact_of_a_message_has_a_canonical_form() -> None:
    assert VALUES.keys() == Told.__annotations__.keys()


@pytest.mark.parametrize("kind", [PauseTold, ExtensionTold])
def test_every_part_of_a_pause_and_of_an_extension_is_written(
    kind: type[PauseTold] | type[ExtensionTold],
) -> None:
    names = [field.name for field in dataclasses.fields(kind)]
    whole = kind(**dict.fromkeys(names, NOON))  # type: ignore[arg-type]  # the names are the subject

    assert list(parts_of(whole)) == names


@given(tolds)
def test_what_was_told_is_read_back_exactly_from_text_and_from_plain_values(told: Told) -> None:
    assert from_plain(json.loads(text_of(told))) == told
    assert from_plain(to_plain(told)) == told


@given(tolds)
def test_the_text_is_json_with_ordered_keys_and_survives_a_json_column(told: Told) -> None:
    plain = json.loads(text_of(told))

    assert list(plain) == sorted(plain)
    assert plain == to_plain(told)
    assert text_of(from_plain(plain)) == text_of(told)


@given(tolds)
def test_absent_and_null_are_two_things(told: Told) -> None:
    with_null = told_of({**told, "due_at": None})
    without = told_of({name: value for name, value in told.items() if name != "due_at"})

    assert from_plain(to_plain(with_null))["due_at"] is None
    assert "due_at" not in from_plain(to_plain(without))
    assert digest(MessageKind.RECORD, with_null) != digest(MessageKind.RECORD, without)


def test_the_order_of_the_facts_and_the_zone_of_an_instant_do_not_change_the_digest() -> None:
    east = timezone(timedelta(hours=7))
    one: Told = {"due_at": NOON, "status": Status.PROCESSING}
    other: Told = {"status": Status.PROCESSING, "due_at": NOON.astimezone(east)}

    assert text_of(one) == text_of(other)
    assert digest(MessageKind.RECORD, one) == digest(MessageKind.RECORD, other)


def test_the_canonical_form_is_fixed_for_ever() -> None:
    told: Told = {
        "unit": "UBND phường Việt Trì",
        "received_at": NOON.replace(microsecond=120),
        "due_at": None,
        "status": Status.RECEIVED,
        "place_independent": False,
        "contacts": 2,
        "pauses": (PauseTold("supplement", NOON),),
    }

    assert text_of(told) == (
        '{"contacts":2,"due_at":null,"pauses":[{"kind":"supplement",'
        '"started_at":"2026-08-03T05:00:00Z"}],"place_independent":false,'
        '"received_at":"2026-08-03T05:00:00.000120Z","status":"received",'
        '"unit":"UBND phường Việt Trì"}'
    )
    assert (
        digest(MessageKind.RECORD, {"contacts": 2}) == sha256(b'record||{"contacts":2}').hexdigest()
    )


def test_kind_and_moment_are_part_of_what_an_event_says() -> None:
    told: Told = {"status": Status.PROCESSING}
    later = NOON + timedelta(seconds=1)

    digests = {
        digest(MessageKind.STEP, told, at=NOON),
        digest(MessageKind.STEP, told, at=later),
        digest(MessageKind.RECORD, told),
        digest(MessageKind.RECORD, {}),
    }

    assert len(digests) == 4
    assert digest_of(MessageKind.STEP, text_of(told).encode(), at=NOON) in digests


def test_a_naive_time_has_no_canonical_form() -> None:
    with pytest.raises(ValueError, match="naive"):
        text_of({"due_at": NOON.replace(tzinfo=None)})


@pytest.mark.parametrize("value", [1.5, object(), {"a": 1}, b"bytes"])
def test_a_value_that_is_no_fact_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="no canonical form"):
        text_of(told_of({"unit": value}))
    with pytest.raises(ValueError, match="no canonical form"):
        to_plain(told_of({"unit": value}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("colour", "red"),
        ("unit", 1),
        ("place_independent", 1),
        ("contacts", True),
        ("contacts", "1"),
        ("status", "sleeping"),
        ("due_at", "tomorrow"),
        ("pauses", {}),
        ("pauses", [1]),
        ("pauses", [{"kind": "supplement"}]),
        ("extension", []),
        ("other_codes", [1]),
    ],
)
def test_a_stored_value_that_does_not_fit_is_an_error_and_not_a_guess(
    name: str, value: object
) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_plain({name: value})
