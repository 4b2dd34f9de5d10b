import itertools
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.canonical import from_plain, text_of
from app.domain.errors import AppError
from app.domain.faults import Fault
from app.domain.record import (
    ApplicantType,
    Channel,
    MessageKind,
    Outcome,
    PauseTold,
    ReturnMethod,
    Status,
)
from app.feeds import national
from app.feeds.body import decode
from app.feeds.masking import LOST, MASK
from app.feeds.national import (
    AnswerCode,
    Envelope,
    EnvelopeUnreadable,
    FlagUnreadable,
    Reply,
    Service,
    ServiceUnknown,
    TooManyRecords,
    answer,
    code_in,
    failure,
    not_signed_in,
    procedure_code,
    read_bare,
    read_envelope,
    read_login,
    read_step,
    refusal,
    signed_in,
    strip,
    unit_code_forms,
)
from app.feeds.reading import EventIn, RecordIn
from app.i18n import Language, catalogue, phrase
from tests.feeds.corpus import (
    NOW,
    PERSONS,
    a_new_dossier,
    a_step,
    an_old_dossier,
    hashed,
    json_values,
)

MORNING = datetime(2026, 8, 3, 2, 10, tzinfo=UTC)
ALL_FIELDS = sorted(a_new_dossier().keys() | {"MaHoSoKhac", "Fax", "ThongTinKhac"})
SUCCESS_WORDS = ("thành công", "đã tồn tại")


def say(code: str, params: Mapping[str, str]) -> str:
    return phrase(Language.VI, code, params)


def read(raw: object, unit: str | None = None) -> RecordIn:
    found = national.read_dossier(raw, unit=unit, now=NOW, hash_applicant=hashed)
    assert isinstance(found, RecordIn), found
    return found


def faults_of(raw: object) -> dict[str, str]:
    found = national.read_dossier(raw, unit=None, now=NOW, hash_applicant=hashed)
    assert isinstance(found, tuple)
    return {fault.pointer: fault.code for fault in found}


def refusal_of(read_one: Callable[[object], Envelope], raw: object) -> str:
    try:
        read_one(raw)
    except AppError as refused:
        return refused.code
    return "national.read"


def told(raw: object) -> dict[str, object]:
    return dict(read(raw).told)


# ------------------------------------------------------------------ dossiers


def test_a_dossier_of_the_older_generation_is_read() -> None:
    found = read(an_old_dossier())

    assert (found.code, found.stamped) == ("H44.100-260803-0012", False)
    assert found.source_updated_at == MORNING
    assert found.told == {
        "unit": "UBND phường Việt Trì",
        "procedure": "1.001193",
        "applicant_type": ApplicantType.CITIZEN,
        "applicant_hash": "hash-12",
        "received_at": MORNING,
        "due_at": datetime(2026, 8, 5, 10, 0, tzinfo=UTC),
        "status": Status.PROCESSING,
        "return_method": ReturnMethod.COUNTER,
        "finished_at": None,
        "ended_at": None,
        "returned_at": None,
    }


def test_a_dossier_of_the_newer_generation_tells_more() -> None:
    older, newer = told(an_old_dossier()), told(a_new_dossier())

    assert newer == older | {
        "channel": Channel.ONLINE,
        "submitted_at": datetime(2026, 8, 3, 1, 12, tzinfo=UTC),
        "digitised": True,
        "paid_online": None,
    }


@pytest.mark.parametrize(
    ("name", "value", "fact", "expected"),
    [
        ("MaTTHC", "1.001193.000.00.00.H44", "procedure", "1.001193"),
        ("MaTTHC", " 1.001193.H44 ", "procedure", "1.001193"),
        ("KenhThucHien", "1", "channel", Channel.IN_PERSON),
        ("KenhThucHien", "2", "channel", Channel.ONLINE),
        ("KenhThucHien", 3, "channel", Channel.POST),
        ("KenhThucHien", "9", "channel", Channel.UNKNOWN),
        ("LoaiDoiTuong", "2", "applicant_type", ApplicantType.BUSINESS),
        ("LoaiDoiTuong", "3", "applicant_type", ApplicantType.STATE_BODY),
        ("LoaiDoiTuong", "4", "applicant_type", ApplicantType.ORGANISATION),
        ("LoaiDoiTuong", "7", "applicant_type", ApplicantType.UNKNOWN),
        ("NgayNopHoSo", "20260803091000", "submitted_at", MORNING),
        ("NgayTiepNhan", 20260803091000, "received_at", MORNING),
        ("NgayTra", "20260803091000", "returned_at", MORNING),
        ("NgayKetThucXuLy", "20260803091000", "finished_at", MORNING),
        ("NgayTuChoi", "20260803091000", "ended_at", MORNING),
        ("HinhThuc", "1", "return_method", ReturnMethod.POST),
        ("DonViXuLy", "H44.100", "unit", "H44.100"),
        ("DonViXuLy", "000.00.100.H44", "unit", "000.00.100.H44"),
        ("DonViXuLy", "UBND phu\u031bo\u031b\u0300ng A", "unit", "UBND phường A"),
        ("DonViXuLy", "UBND xã A, ĐT 0912345678", "unit", f"UBND xã A, ĐT {MASK}"),
        ("HoSoCoThanhPhanSoHoa", "0", "digitised", False),
        ("HoSoCoThanhPhanSoHoa", True, "digitised", True),
        ("DuocThanhToanTrucTuyen", "1", "paid_online", True),
        ("DuocThanhToanTrucTuyen", "3", "paid_online", False),
        ("MaHoSoKhac", "B-2; A-1,B-2", "other_codes", ("A-1", "B-2")),
    ],
)
def test_each_field_becomes_its_fact(name: str, value: object, fact: str, expected: object) -> None:
    assert told(a_new_dossier(**{name: value}))[fact] == expected


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("1", Status.SUBMITTED),
        ("2", Status.RECEIVED),
        ("3", Status.REFUSED_AT_INTAKE),
        ("4", Status.PROCESSING),
        ("5", Status.AWAITING_SUPPLEMENT),
        ("6", Status.AWAITING_PAYMENT),
        ("7", Status.WITHDRAWN),
        ("8", Status.STOPPED),
        ("9", Status.FINISHED),
        ("10", Status.RETURNED),
        (4, Status.PROCESSING),
        ("04", Status.PROCESSING),
        (" 4 ", Status.PROCESSING),
    ],
)
def test_each_code_of_the_status_list_is_known(code: object, status: Status) -> None:
    assert told(an_old_dossier(TrangThaiHoSo=code))["status"] is status


@pytest.mark.parametrize("code", ["0", "", None])
def test_a_status_that_says_nothing_is_absent(code: object) -> None:
    assert "status" not in told(an_old_dossier(TrangThaiHoSo=code))


def test_a_status_outside_the_list_is_refused_with_the_list() -> None:
    (fault,) = national.read_dossier(  # type: ignore[misc]  # a tuple of one fault
        an_old_dossier(TrangThaiHoSo="11"), unit=None, now=NOW, hash_applicant=hashed
    )

    assert fault == Fault(
        "/TrangThaiHoSo",
        "national.status_unknown",
        {"allowed": "1, 2, 3, 4, 5, 6, 7, 8, 9, 10"},
    )


# ------------------------------------------------------------------ empty fields

EMPTIED = ("NgayTiepNhan", "NgayHenTra", "NgayTra", "NgayKetThucXuLy", "NgayTuChoi", "HinhThuc")
FACTS = ("received_at", "due_at", "returned_at", "finished_at", "ended_at", "return_method")


@pytest.mark.parametrize("status", ["2", "4", "5", "6", "8"])
@pytest.mark.parametrize("empty", ["", None, "  "])
def test_an_empty_field_of_an_open_dossier_is_null(status: str, empty: object) -> None:
    found = told(an_old_dossier(**dict.fromkeys(EMPTIED, empty), TrangThaiHoSo=status))

    assert {fact: found[fact] for fact in FACTS} == dict.fromkeys(FACTS)


@pytest.mark.parametrize("status", ["0", "1", "3", "7", "9", "10", ""])
def test_an_empty_field_of_any_other_dossier_is_absent(status: str) -> None:
    found = told(an_old_dossier(**dict.fromkeys(EMPTIED, ""), TrangThaiHoSo=status))

    assert not set(FACTS) & found.keys()


def test_a_field_that_is_not_there_is_absent_whatever_the_status() -> None:
    raw = {name: value for name, value in an_old_dossier().items() if name not in EMPTIED}

    assert not set(FACTS) & told(raw).keys()


def test_an_empty_field_of_the_newer_generation_erases_nothing_in_an_older_record() -> None:
    padded = an_old_dossier(KenhThucHien="", NgayNopHoSo="", SoGiayToChuHoSo="", DinhDanhCHS=[])

    assert not {"channel", "submitted_at"} & told(padded).keys()
    newer = told(a_new_dossier(KenhThucHien="", NgayNopHoSo=""))
    assert (newer["channel"], newer["submitted_at"]) == (None, None)


def test_an_empty_unit_is_that_of_the_sender() -> None:
    assert (
        read(an_old_dossier(DonViXuLy=""), unit="000.00.100.H44").told["unit"] == "000.00.100.H44"
    )
    assert read(an_old_dossier(), unit="H44").told["unit"] == "UBND phường Việt Trì"
    assert faults_of(an_old_dossier(DonViXuLy="")) == {"/DonViXuLy": "record.required"}


# ------------------------------------------------------------------ ends


def test_nine_without_a_finish_date_is_not_finished() -> None:
    found = told(an_old_dossier(TrangThaiHoSo="9"))

    assert found["status"] is Status.FINISHED
    assert not {"finished_at", "ended_at", "returned_at"} & found.keys()


@pytest.mark.parametrize(
    ("status", "finish", "refusal_date", "expected"),
    [
        ("9", "03", "", {"finished_at": 3}),
        ("10", "03", "", {"finished_at": 3}),
        ("9", "03", "04", {"finished_at": 3, "outcome": Outcome.REFUSED}),
        ("9", "", "04", {"finished_at": 4, "outcome": Outcome.REFUSED}),
        ("3", "", "04", {"ended_at": 4}),
        ("7", "03", "", {"ended_at": 3}),
        ("7", "03", "04", {"ended_at": 3}),
        ("7", "", "04", {"ended_at": 4}),
        ("7", "", "", {}),
        ("8", "03", "", {"ended_at": 3}),
        ("8", "", "04", {"ended_at": 4, "finished_at": None}),
        ("8", "", "", {"ended_at": None, "finished_at": None}),
        ("4", "03", "", {"finished_at": 3, "ended_at": None}),
    ],
)
def test_the_dates_of_an_end_have_their_meaning_by_status(
    status: str, finish: str, refusal_date: str, expected: dict[str, object]
) -> None:
    raw = an_old_dossier(
        TrangThaiHoSo=status,
        NgayKetThucXuLy=finish and f"202608{finish}093000",
        NgayTuChoi=refusal_date and f"202608{refusal_date}093000",
    )

    found = told(raw)

    shown = {
        name: value.day if isinstance(value, datetime) else value
        for name, value in found.items()
        if name in {"finished_at", "ended_at", "outcome"}
    }
    assert shown == expected


# ------------------------------------------------------------------ supplements


def a_row(**changes: object) -> dict[str, object]:
    return {
        "HoSoBoSungId": "17",
        "NguoiYeuCauBoSung": "Trần Thị C",
        "NoiDungBoSung": "Thiếu giấy tờ của ông A",
        "NgayBoSung": "20260803150000",
        "NgayTiepNhanBoSung": "20260804080000",
        "TrangThaiBoSung": True,
        "NgayHenTraTruoc": "20260805170000",
        "NgayHenTraMoi": "20260806170000",
    } | changes


def test_rows_of_supplements_are_pauses_with_the_new_due_date() -> None:
    open_row = a_row(NgayBoSung="20260805080000", NgayTiepNhanBoSung="", NgayHenTraMoi=None)
    found = read(an_old_dossier(DanhSachHoSoBoSung=[open_row, a_row(), a_row()]))

    assert found.told["pauses"] == (
        PauseTold(
            "supplement",
            datetime(2026, 8, 3, 8, tzinfo=UTC),
            datetime(2026, 8, 4, 1, tzinfo=UTC),
            datetime(2026, 8, 6, 10, tzinfo=UTC),
            datetime(2026, 8, 5, 10, tzinfo=UTC),
        ),
        PauseTold(
            "supplement",
            datetime(2026, 8, 5, 1, tzinfo=UTC),
            old_due_at=datetime(2026, 8, 5, 10, tzinfo=UTC),
        ),
    )
    assert found.source_updated_at == datetime(2026, 8, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize("rows", [[], "", None])
def test_an_empty_list_of_supplements_says_nothing(rows: object) -> None:
    assert "pauses" not in told(an_old_dossier(DanhSachHoSoBoSung=rows))


def test_a_row_without_its_beginning_is_passed_over() -> None:
    found = read(an_old_dossier(DanhSachHoSoBoSung=[a_row(NgayBoSung=""), a_row()]))

    assert len(found.told["pauses"] or ()) == 1


@pytest.mark.parametrize(
    ("rows", "pointer", "code"),
    [
        ("x", "", "record.not_list"),
        ([7], "/0", "record.not_object"),
        ([a_row(), a_row(NgayHenTraMoi="x")], "/1/NgayHenTraMoi", "national.not_date"),
        ([a_row(NgayHenTraTruoc="x")], "/0/NgayHenTraTruoc", "national.not_date"),
        (
            [a_row(NgayTiepNhanBoSung="20260803140000")],
            "/0/NgayTiepNhanBoSung",
            "record.pause_backwards",
        ),
        ([{}] * 201, "", "record.too_many_items"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_at_its_field(
    rows: object, pointer: str, code: str
) -> None:
    found = faults_of(an_old_dossier(DanhSachHoSoBoSung=rows))

    assert found == {f"/DanhSachHoSoBoSung{pointer}": code}


# ------------------------------------------------------------------ what does not fit


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"MaHoSo": ""}, {"/MaHoSo": "record.required"}),
        ({"MaHoSo": "a\0b"}, {"/MaHoSo": "record.control_character"}),
        ({"MaHoSo": "x" * 101}, {"/MaHoSo": "record.too_long"}),
        ({"MaHoSo": ["x"]}, {"/MaHoSo": "national.not_scalar"}),
        ({"MaTTHC": ""}, {"/MaTTHC": "record.required"}),
        ({"MaTTHC": 1.5}, {"/MaTTHC": "national.not_scalar"}),
        ({"DonViXuLy": "x" * 201}, {"/DonViXuLy": "record.too_long"}),
        ({"DonViXuLy": "y" * 5_000 + "ư"}, {"/DonViXuLy": "record.too_long"}),
        ({"NgayTiepNhan": "2026-08-03T09:10:00"}, {"/NgayTiepNhan": "national.not_date"}),
        ({"NgayTiepNhan": "20260803"}, {"/NgayTiepNhan": "national.not_date"}),
        ({"NgayTiepNhan": "20260230091000"}, {"/NgayTiepNhan": "national.not_date"}),
        ({"NgayTiepNhan": "20260803251000"}, {"/NgayTiepNhan": "national.not_date"}),
        ({"NgayTiepNhan": "20260803240000"}, {"/NgayTiepNhan": "national.not_date"}),
        (
            {"MaHoSoKhac": ",".join(f"A-{n}" for n in range(21))},
            {"/MaHoSoKhac": "record.too_many_items"},
        ),
        ({"NgayTiepNhan": "٢٠260803091000"}, {"/NgayTiepNhan": "national.not_date"}),
        ({"NgayTiepNhan": 46237.5}, {"/NgayTiepNhan": "national.not_scalar"}),
        ({"NgayHenTra": "00010101000000"}, {"/NgayHenTra": "record.year_range"}),
        ({"NgayHenTra": "99991231235959"}, {"/NgayHenTra": "record.year_range"}),
        ({"NgayTiepNhan": "20260812090000"}, {"/NgayTiepNhan": "record.too_far_ahead"}),
        (
            {"TrangThaiHoSo": "9", "NgayKetThucXuLy": "20260802235959"},
            {"/NgayKetThucXuLy": "record.finished_before_received"},
        ),
        (
            {"TrangThaiHoSo": "9", "NgayTuChoi": "20260802235959"},
            {"/NgayTuChoi": "record.finished_before_received"},
        ),
        (
            {"TrangThaiHoSo": "7", "NgayKetThucXuLy": "20260812090000"},
            {"/NgayKetThucXuLy": "record.too_far_ahead"},
        ),
        (
            {"MaHoSo": None, "TrangThaiHoSo": "x", "NgayTra": "y"},
            {
                "/MaHoSo": "record.required",
                "/TrangThaiHoSo": "national.status_unknown",
                "/NgayTra": "national.not_date",
            },
        ),
    ],
)
def test_a_dossier_that_cannot_be_true_is_refused_at_its_field(
    changes: dict[str, object], expected: dict[str, str]
) -> None:
    assert faults_of(a_new_dossier(**changes)) == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [("NaN", "body.not_finite"), ('"\\u0000"', "body.nul"), ("9" * 30, "body.number")],
)
def test_a_place_broken_in_the_body_is_told_at_its_field(text: str, code: str) -> None:
    body = json.dumps(an_old_dossier(NgayHenTra="@")).replace('"@"', text)

    assert faults_of(decode(body.encode())) == {"/NgayHenTra": code}


def test_what_is_broken_in_a_field_that_is_never_read_spoils_nothing() -> None:
    body = json.dumps(an_old_dossier(GhiChu="@", TaiLieuNop="@")).replace('"@"', '"\\u0000"')

    assert read(decode(body.encode())).told == read(an_old_dossier()).told


def test_values_without_a_word_and_unknown_fields_are_passed_over() -> None:
    raw = a_new_dossier(
        HinhThuc="7", DuocThanhToanTrucTuyen="8", HoSoCoThanhPhanSoHoa="?", Moi1="x", Moi2={"a": 1}
    )

    facts = told(raw)

    assert facts == {
        name: fact
        for name, fact in told(a_new_dossier()).items()
        if name not in {"return_method", "paid_online", "digitised"}
    }


dates = st.datetimes(
    datetime.fromisoformat("2000-01-02"), datetime.fromisoformat("2026-08-10")
).map(lambda at: f"{at:%Y%m%d%H%M%S}")
codes = st.sampled_from(["0", "1", "2", "3", "4", "9", "10", "04", "x", "true", "False", ""])
odd_dates = st.sampled_from(["20260230091000", "19991231235959", "2026080309", "20260803096000"])


@given(st.data())
def test_blanks_around_its_values_change_nothing_of_a_dossier(data: st.DataObject) -> None:
    drawn = {
        **dict.fromkeys(("NgayTiepNhan", "NgayHenTra", "NgayTra", "NgayTuChoi"), dates | odd_dates),
        **dict.fromkeys(("TrangThaiHoSo", "KenhThucHien", "LoaiDoiTuong", "HinhThuc"), codes),
        **dict.fromkeys(("HoSoCoThanhPhanSoHoa", "DuocThanhToanTrucTuyen"), codes),
        "MaTTHC": st.sampled_from(["1.001193", "1.001193.000.00.00.H44", "x 001203004567"]),
        "DonViXuLy": st.sampled_from(["H44.100", "UBND phường Việt Trì", "001203004567"]),
    }
    values = data.draw(st.fixed_dictionaries({}, optional=drawn))
    blanked = {name: f" {value}\t" for name, value in values.items()}

    def outcome(changes: Mapping[str, object]) -> object:
        return national.read_dossier(
            a_new_dossier(**changes), unit="H44", now=NOW, hash_applicant=hashed
        )

    assert outcome(values) == outcome(blanked) == outcome(values)


@given(json_values | st.dictionaries(st.sampled_from(ALL_FIELDS), json_values))
def test_any_json_value_is_a_dossier_or_faults_that_can_be_said(raw: object) -> None:
    dossier = national.read_dossier(raw, unit="H44", now=NOW, hash_applicant=hashed)
    step = read_step(raw, now=NOW)

    for found in (dossier, step):
        if isinstance(found, tuple):
            assert found
            for fault, language in itertools.product(found, Language):
                assert phrase(language, fault.code, fault.params)


@given(st.dictionaries(st.sampled_from(ALL_FIELDS), json_values, max_size=4))
def test_a_dossier_with_odd_values_that_is_read_survives_the_canonical_form(
    changes: dict[str, object],
) -> None:
    found = national.read_dossier(
        a_new_dossier(**changes), unit="H44", now=NOW, hash_applicant=hashed
    )
    if isinstance(found, RecordIn):
        assert from_plain(json.loads(text_of(found.told))) == found.told
        assert found.source_updated_at <= NOW


# ------------------------------------------------------------------ persons


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "hash-12"),
        ({"SoGiayToChuHoSo": "123 456 789"}, "hash-9"),
        ({"SoGiayToChuHoSo": 2600123456}, "hash-10"),
        ({"SoGiayToChuHoSo": "2600123456-001"}, "hash-13"),
        ({"SoGiayToChuHoSo": "", "DinhDanhCHS": []}, "hash-12"),
        ({"SoGiayToChuHoSo": "000000001", "MaDoiTuong": "", "DinhDanhCHS": []}, None),
        ({"SoGiayToChuHoSo": "111111111", "MaDoiTuong": "", "DinhDanhCHS": []}, None),
        ({"SoGiayToChuHoSo": "B1234567", "MaDoiTuong": "", "DinhDanhCHS": []}, None),
        ({"SoGiayToChuHoSo": True, "MaDoiTuong": {}, "DinhDanhCHS": "x"}, None),
        (
            {"SoGiayToChuHoSo": "", "MaDoiTuong": "f3c1-77", "DinhDanhCHS": [7, {}]},
            None,
        ),
        (
            {
                "SoGiayToChuHoSo": "",
                "DinhDanhCHS": [
                    {"LoaiDinhDanh": "2", "SoDinhDanh": "123456789"},
                    {"LoaiDinhDanh": 1, "SoDinhDanh": "001203004567"},
                ],
            },
            "hash-12",
        ),
    ],
)
def test_the_applicant_leaves_only_the_hash_of_a_real_number(
    changes: dict[str, object], expected: str | None
) -> None:
    assert told(a_new_dossier(**changes)).get("applicant_hash") == expected


@given(
    st.dictionaries(
        st.sampled_from(ALL_FIELDS).filter(lambda name: name != "MaHoSo"),
        st.sampled_from(PERSONS) | st.sampled_from(PERSONS).map(lambda one: [{"SoDinhDanh": one}]),
    )
)
def test_no_person_is_in_what_was_read_nor_in_what_is_kept_of_a_refused_record(
    changes: dict[str, object],
) -> None:
    raw = a_new_dossier(**changes)
    found = national.read_dossier(raw, unit="H44", now=NOW, hash_applicant=hashed)
    kept = json.dumps(strip(raw), ensure_ascii=False)
    if isinstance(found, RecordIn):
        del found.told["procedure"]  # codes are kept as they are
        found.told.pop("other_codes", None)
        kept += text_of(found.told)

    for secret in (*PERSONS, "Nguyễn Văn A", "Nguyễn Thị B"):
        assert secret not in kept


def test_a_dossier_is_stripped_to_its_codes_and_dates() -> None:
    raw = a_new_dossier(DanhSachHoSoBoSung=[a_row(), 7], NgayTra="hôm qua", MaTTHC=["x"])

    found = strip(raw)

    assert found == {
        "MaHoSo": "H44.100-260803-0012",
        "MaTTHC": LOST,
        "KenhThucHien": "2",
        "LoaiDoiTuong": "1",
        "NgayNopHoSo": "20260803081200",
        "NgayTiepNhan": "20260803091000",
        "NgayHenTra": "20260805170000",
        "TrangThaiHoSo": "4",
        "NgayTra": LOST,
        "HinhThuc": "0",
        "NgayKetThucXuLy": "",
        "NgayTuChoi": "",
        "DonViXuLy": "UBND phường Việt Trì",
        "HoSoCoThanhPhanSoHoa": "1",
        "DuocThanhToanTrucTuyen": "0",
        "DanhSachHoSoBoSung": [
            {
                "NgayBoSung": "20260803150000",
                "NgayTiepNhanBoSung": "20260804080000",
                "NgayHenTraTruoc": "20260805170000",
                "NgayHenTraMoi": "20260806170000",
            },
            LOST,
        ],
    }
    assert strip("Nguyễn Văn A") == {}


@given(st.dictionaries(st.sampled_from(ALL_FIELDS), json_values, max_size=5))
def test_a_dossier_that_was_refused_is_refused_again_when_stripped(
    changes: dict[str, object],
) -> None:
    raw = a_new_dossier(**changes)
    found = national.read_dossier(raw, unit=None, now=NOW, hash_applicant=hashed)
    again = national.read_dossier(strip(raw), unit=None, now=NOW, hash_applicant=hashed)

    if isinstance(found, tuple):
        assert isinstance(again, tuple)


# ------------------------------------------------------------------ steps


def test_a_step_is_an_event_and_tells_no_person() -> None:
    found = read_step(a_step(Moi="x"), now=NOW)

    assert isinstance(found, EventIn)
    assert (found.code, found.kind) == ("H44.100-260803-0012", MessageKind.STEP)
    assert found.at == found.source_updated_at == datetime(2026, 8, 4, 1, tzinfo=UTC)
    assert found.told == {"status": Status.PROCESSING}


def test_a_step_without_a_known_status_is_still_a_sign_of_life() -> None:
    found = read_step(a_step(TrangThai="0"), now=NOW)

    assert isinstance(found, EventIn)
    assert found.told == {}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"MaHoSo": ""}, {"/MaHoSo": "record.required"}),
        ({"ThoiDiemXuLy": ""}, {"/ThoiDiemXuLy": "record.required"}),
        ({"ThoiDiemXuLy": "x"}, {"/ThoiDiemXuLy": "national.not_date"}),
        ({"ThoiDiemXuLy": "20260812090000"}, {"/ThoiDiemXuLy": "record.too_far_ahead"}),
        ({"TrangThai": ""}, {"/TrangThai": "record.required"}),
        ({"TrangThai": "99"}, {"/TrangThai": "national.status_unknown"}),
    ],
)
def test_a_step_that_does_not_fit_is_refused_at_its_field(
    changes: dict[str, object], expected: dict[str, str]
) -> None:
    found = read_step(a_step(**changes), now=NOW)

    assert isinstance(found, tuple)
    assert {fault.pointer: fault.code for fault in found} == expected


# ------------------------------------------------------------------ codes


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("1.003560", "1.003560"),
        ("1.003560.000.00.00.H56", "1.003560"),
        ("1.003560.H56", "1.003560"),
        ("1.003560.000.00.14.H56", "1.003560"),
        ("1.003560.H56.14", "1.003560"),
        ("TTHC-01.H56", "TTHC-01.H56"),
        ("1.003560.X", "1.003560.X"),
    ],
)
def test_a_procedure_loses_the_suffix_of_its_local_system(code: str, expected: str) -> None:
    assert procedure_code(code) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("000.00.01.H22", "H22.1"),
        ("000.00.01.H22", "H22.01"),
        ("000.00.14.H56", "H56.14"),
        ("000.00.100.H44", "H44.100"),
        ("013.05.50.H15", "H15.50.05.13"),
        ("000.00.00.H44", "H44"),
        ("01.H22", "H22.1"),
    ],
)
def test_a_unit_is_found_by_its_old_code_and_its_new_one(one: str, other: str) -> None:
    assert other in unit_code_forms(one)
    assert unit_code_forms(one)[0] == one
    if one.count(".") == 3:
        assert one in unit_code_forms(other)


def test_codes_of_two_units_never_share_a_form() -> None:
    assert not set(unit_code_forms("H56.1")) & set(unit_code_forms("H56.14"))
    assert not set(unit_code_forms("H56.1.4")) & set(unit_code_forms("H56.14"))


@pytest.mark.parametrize("name", ["UBND phường Việt Trì", "", "H", "000.00", "H44.1000.1"])
def test_what_is_no_code_has_only_itself(name: str) -> None:
    assert unit_code_forms(name) == (name,)


# ------------------------------------------------------------------ envelopes


def test_an_envelope_is_read() -> None:
    found = read_envelope(
        {
            "session": "s-1",
            "madonvi": " 000.00.01.H22 ",
            "service": "DongBoHoSoMC",
            "isUpdating": "True",
            "data": [an_old_dossier()],
        }
    )

    assert found.service is Service.DOSSIERS
    assert (found.session, found.unit, found.updating) == ("s-1", "000.00.01.H22", True)
    assert len(found.data) == 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((value, True) for value in ("True", "true", " TRUE ", True, "1", 1)),
        *((value, False) for value in ("False", False, "0", "", None)),
    ],
)
def test_the_flag_comes_in_many_spellings(value: object, expected: bool) -> None:
    raw = {"service": "CapNhatTienDoHoSoMC", "isUpdating": value, "data": []}

    assert read_envelope(raw).updating is expected


def test_a_bare_array_takes_unit_and_flag_from_the_query() -> None:
    found = read_bare([a_step()], service="capnhattiendohosomc", unit="H22.1", updating="True")

    assert found.service is Service.PROGRESS
    assert (found.session, found.unit, found.updating) == (None, "H22.1", True)


def test_an_envelope_at_the_address_of_arrays_is_read_as_well() -> None:
    raw = {"session": "s", "madonvi": "H44", "data": an_old_dossier()}

    found = read_bare(raw, service="DongBoHoSoMC", unit="H22.1", updating="True")

    assert (found.session, found.unit, found.updating) == ("s", "H44", True)
    assert found.data == [an_old_dossier()]


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (None, EnvelopeUnreadable),
        ([], EnvelopeUnreadable),
        ({"service": "DongBoHoSoMC"}, EnvelopeUnreadable),
        ({"service": "DongBoHoSoMC", "data": "x"}, EnvelopeUnreadable),
        ({"service": "LayThuTuc", "data": []}, ServiceUnknown),
        ({"data": []}, ServiceUnknown),
        ({"service": ["DongBoHoSoMC"], "data": []}, ServiceUnknown),
        ({"service": "DongBoHoSoMC", "data": [], "isUpdating": "maybe"}, FlagUnreadable),
        ({"service": "DongBoHoSoMC", "data": [], "isUpdating": {}}, FlagUnreadable),
        ({"service": "DongBoHoSoMC", "data": [{}] * 5_001}, TooManyRecords),
    ],
)
def test_an_envelope_that_cannot_be_read_names_its_fault(
    raw: object, error: type[AppError]
) -> None:
    with pytest.raises(error) as refused:
        read_envelope(raw)

    assert say(refused.value.code, refused.value.params)


@given(
    json_values | st.dictionaries(st.sampled_from(["service", "data", "isUpdating"]), json_values)
)
def test_any_json_value_is_an_envelope_or_a_known_refusal(raw: object) -> None:
    for read_one in (read_envelope, lambda value: read_bare(value, service="DongBoHoSoMC")):
        assert refusal_of(read_one, raw).startswith("national.")


def test_a_login_gives_name_and_password() -> None:
    assert read_login({"username": "u", "password": "p"}) == ("u", "p")
    for raw in (None, {}, {"username": "u"}, {"username": "", "password": "p"}, [1]):
        with pytest.raises(EnvelopeUnreadable):
            read_login(raw)


# ------------------------------------------------------------------ answers


def test_when_every_record_was_taken_the_answer_says_so_in_the_senders_words() -> None:
    assert answer([Reply("A"), Reply("B")], say=say) == {
        "error_code": "0",
        "message": "Đồng bộ thành công",
        "result": [
            {"MaHoSo": "A", "error_code": "0", "message": "Đồng bộ thành công"},
            {"MaHoSo": "B", "error_code": "0", "message": "Đồng bộ thành công"},
        ],
    }


def test_a_repeated_insert_is_answered_with_the_words_that_senders_look_for() -> None:
    alone = answer([Reply("A", existed=True)], say=say)
    mixed = answer([Reply("A", existed=True), Reply("B")], say=say)

    assert alone["error_code"] == mixed["error_code"] == "0"
    assert "đã tồn tại" in str(alone["message"])
    assert "thành công" in str(mixed["message"])
    assert "đã tồn tại" in str(mixed["message"])


def test_one_record_set_aside_makes_the_whole_answer_a_failure() -> None:
    fault = Fault("/NgayHenTra", "national.not_date")

    found = answer([Reply("A"), Reply("B", fault=fault)], say=say)

    assert found["error_code"] == "1"
    assert str(found["message"]).startswith("Đã ghi nhận 1/2 bản tin; lỗi đầu tiên: NgayHenTra: ")
    results = found["result"]
    assert isinstance(results, list)
    assert [result["error_code"] for result in results] == ["0", "1"]
    assert results[1]["message"].startswith("NgayHenTra: Ngày giờ phải có dạng")


def test_a_call_that_could_not_be_read_is_answered_by_number_and_sentence() -> None:
    found = refusal(AnswerCode.SERVICE, ServiceUnknown(), say=say)

    assert found["error_code"] == "5"
    assert "DongBoHoSoMC" in str(found["message"])
    later = failure(AnswerCode.UNAVAILABLE, "national.unavailable", {}, say=say)
    assert later["error_code"] == "9"


def test_a_login_is_answered_with_a_session_or_without() -> None:
    assert signed_in("s-1", say=say) == {
        "error_code": "0",
        "message": "Đăng nhập thành công",
        "session": "s-1",
    }
    assert not_signed_in(say=say)["error_code"] == "2"
    assert not_signed_in(say=say)["session"] == ""


def test_no_sentence_of_failure_holds_the_words_of_success() -> None:
    successes = {
        "national.taken",
        "national.existed",
        "national.some_existed",
        "national.signed_in",
    }
    for code, sentence in catalogue(Language.VI).items():
        if code.startswith(("national.", "record.", "body.")):
            holds = any(word in sentence for word in SUCCESS_WORDS)
            assert holds == (code in successes), code


def test_no_number_of_failure_is_one_in_which_senders_read_success() -> None:
    assert {code.value for code in AnswerCode} & {"3", "-3"} == set()
    assert [code for code in AnswerCode if code.value == "0"] == [AnswerCode.TAKEN]


def test_the_number_of_a_dossier_is_repeated_when_it_can_be() -> None:
    assert code_in(an_old_dossier()) == "H44.100-260803-0012"
    assert code_in({"MaHoSo": "001203004567"}) == ""
    assert code_in({"MaHoSo": ["x"]}) == ""
    assert code_in(None) == ""


def test_the_arrival_stands_for_a_date_that_lies_ahead() -> None:
    soon = (NOW + timedelta(hours=9)).strftime("%Y%m%d%H%M%S")  # two hours ahead, local time

    found = read(an_old_dossier(TrangThaiHoSo="9", NgayKetThucXuLy=soon))

    assert found.source_updated_at == NOW
