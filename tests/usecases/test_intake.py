"""From decoded values to ingest: readers by format, rights by event, hashes for persons."""

import hmac
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from app.domain.faults import Fault
from app.store.session import WriteSession
from app.usecases import ingest, intake
from app.usecases.access import Principal, Scope
from app.usecases.ingest import VerdictWord
from app.usecases.intake import Form
from tests.factories import make_source, make_unit

NOW = datetime(2026, 8, 10, tzinfo=UTC)


def who(session: WriteSession, *scopes: Scope) -> Principal:
    """Return a key of a province."""
    unit = make_unit(session)
    return Principal(
        key_id=1,
        prefix="test",
        name="test",
        source_id=make_source(session),
        source_code="mot-cua",
        unit_id=unit.id,
        unit_code=unit.code,
        lft=unit.lft,
        rgt=unit.rgt,
        scopes=frozenset(scopes),
    )


def test_the_hash_of_an_applicant_needs_the_key() -> None:
    one, other = intake.hasher(b"a"), intake.hasher(b"b")

    assert one("025123456789") == intake.hasher(b"a")("025123456789")
    assert one("025123456789") != other("025123456789")
    assert len(one("x")) == 64


@given(st.binary(max_size=200), st.text(max_size=100).filter(str.isprintable))
def test_the_hash_of_an_applicant_is_the_hmac_of_the_standard_library(
    key: bytes, number: str
) -> None:
    assert intake.hasher(key)(number) == hmac.digest(key, number.encode(), "sha256").hex()


def test_a_line_that_could_not_be_read_is_kept_beside_the_good_ones(session: WriteSession) -> None:
    raws = [Fault("", "body.syntax"), {"code": "HS-1", "unit": "H44", "procedure": "P"}]

    found = intake.native_records(
        session, raws, who=who(session), hash_applicant=intake.hasher(b"k"), now=NOW
    )

    assert [one.word for one in found] == [VerdictWord.QUARANTINED, VerdictWord.ACCEPTED]


def test_a_correction_is_approved_by_the_right_of_its_teller(session: WriteSession) -> None:
    event = {
        "code": "HS-1",
        "kind": "correction",
        "at": "2026-08-04T10:00:00+07:00",
        "finished_at": "2026-08-03T10:00:00+07:00",
        "document": "12",
        "reason": "typing",
    }
    sender = who(session, Scope.DOSSIERS_WRITE)

    found = intake.native_events(session, [event], who=sender, now=NOW)

    assert found[0].word is VerdictWord.ACCEPTED


def test_national_steps_and_dossiers_meet_under_one_number(session: WriteSession) -> None:
    sender = who(session)
    step = {
        "MaHoSo": "HS-1",
        "NguoiXuLy": "x",
        "ThoiDiemXuLy": "20260804100000",
        "NoiDungXuLy": "x",
        "TrangThai": "4",
    }
    dossier = {
        "MaHoSo": "HS-1",
        "MaTTHC": "1.001193",
        "DonViXuLy": "H44",
        "NgayTiepNhan": "20260803091000",
        "NgayHenTra": "20260805170000",
        "TrangThaiHoSo": "4",
    }

    by = intake.sender_of(sender)
    read = intake.read_national_steps([step], now=NOW)
    steps = ingest.accept(session, read, by=by, door=Form.NATIONAL_STEP, now=NOW)
    read = intake.read_national_dossiers(
        [dossier], unit=None, hash_applicant=intake.hasher(b"k"), now=NOW
    )
    dossiers = ingest.accept(session, read, by=by, door=Form.NATIONAL, now=NOW)

    assert (steps[0].word, steps[0].is_new) == (VerdictWord.ACCEPTED, True)
    assert (dossiers[0].word, dossiers[0].is_new) == (VerdictWord.ACCEPTED, False)
