"""Generated input for the tests of the feeds: plain records, hostile values, seeded persons."""

from datetime import UTC, datetime

from hypothesis import strategies as st

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)

PERSONS = (
    "001203004567",
    "123456789",
    "0912345678",
    "+84912345678",
    "84912345678",
    "091 234 5678",
    "0912.345.678",
    "001 203 004 567",
    "nguyen.van.a@example.vn",
)
"""Numbers and addresses that no stored row may show."""


def hashed(number: str) -> str:
    """Stand in for the keyed hash: it shows nothing of the number."""
    return f"hash-{len(number)}"


def a_record(**changes: object) -> dict[str, object]:
    """Return a plain record of fifteen fields, with changes."""
    return {
        "code": "H44.100-260803-0012",
        "unit": "H44.100",
        "procedure": "1.001193",
        "channel": "online",
        "applicant_type": "citizen",
        "submitted_at": "2026-08-03T08:12:00+07:00",
        "received_at": "2026-08-03T09:10:00+07:00",
        "due_at": "2026-08-05T17:00:00+07:00",
        "status": "processing",
        "finished_at": None,
        "returned_at": None,
        "outcome": None,
        "place_independent": False,
        "official": "cb-17",
        "source_updated_at": "2026-08-03T09:10:05+07:00",
    } | changes


def an_old_dossier(**changes: object) -> dict[str, object]:
    """Return a dossier as senders of the older generation write it (2020)."""
    return {
        "MaHoSo": "H44.100-260803-0012",
        "MaTTHC": "1.001193",
        "TenTTHC": "Đăng ký khai sinh",
        "MaLinhVuc": "G15-TP01",
        "TenLinhVuc": "Hộ tịch",
        "ChuHoSo": "Nguyễn Văn A",
        "LoaiDoiTuong": "1",
        "MaDoiTuong": "001203004567",
        "Email": "nguyen.van.a@example.vn",
        "SoDienThoai": "0912345678",
        "TrichYeuHoSo": "Khai sinh cho cháu Nguyễn Thị B",
        "NgayTiepNhan": "20260803091000",
        "NgayHenTra": "20260805170000",
        "TrangThaiHoSo": "4",
        "NgayTra": "",
        "ThongTinTra": "",
        "HinhThuc": "0",
        "NgayKetThucXuLy": "",
        "NgayTuChoi": "",
        "DonViXuLy": "UBND phường Việt Trì",
        "GhiChu": "",
        "TaiLieuNop": [],
        "DanhSachLePhi": [],
        "DanhSachHoSoBoSung": [],
        "DanhSachGiayToKetQua": [],
    } | changes


def a_new_dossier(**changes: object) -> dict[str, object]:
    """Return a dossier as senders of the newer generation write it (2024)."""
    return (
        an_old_dossier()
        | {
            "KenhThucHien": "2",
            "SoGiayToChuHoSo": "001203004567",
            "DinhDanhCHS": [{"LoaiDinhDanh": "1", "SoDinhDanh": "001203004567"}],
            "NgayNopHoSo": "20260803081200",
            "NoiNopHoSo": "2",
            "HoSoCoThanhPhanSoHoa": "1",
            "TaiKhoanDuocXacThucVoiVNeID": "0",
            "DuocThanhToanTrucTuyen": "0",
            "DSKetNoiCSDL": [{"MaCSDL": "7"}],
        }
        | changes
    )


def a_step(**changes: object) -> dict[str, object]:
    """Return one step of a dossier."""
    return {
        "MaHoSo": "H44.100-260803-0012",
        "NguoiXuLy": "Trần Thị C",
        "ChucDanh": "Chuyên viên",
        "ThoiDiemXuLy": "20260804080000",
        "PhongBanXuLy": "Tư pháp",
        "NoiDungXuLy": "Chuyển xử lý cho ông D 0912345678",
        "TrangThai": "4",
        "NgayBatDau": "20260804080000",
        "NgayKetThucTheoQuyDinh": "20260805170000",
    } | changes


def _json(texts: st.SearchStrategy[str]) -> st.SearchStrategy[object]:
    return st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(-1e15, 1e15)
        | texts,
        lambda below: st.lists(below, max_size=4) | st.dictionaries(texts, below, max_size=4),
        max_leaves=12,
    )


sound_json = _json(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
"""Any value that JSON can bring and that can be kept."""

json_values = _json(
    st.text(max_size=12)
    | st.sampled_from(
        ["", " ", "2026-08-03T09:10:00+07:00", "20260803091000", "00010101000000", "\0", "\ufffd"]
    )
)
"""Any value that JSON can bring, with the texts that trouble readers among them."""
