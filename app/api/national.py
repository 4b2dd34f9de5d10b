"""The door for software that already speaks the national envelope.

Its senders read ``error_code`` and ``message`` of a 200 answer and nothing else, so whatever an
envelope says wrong is answered in an envelope (see docs/decisions, "The national door").
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

import orjson
from fastapi import Depends, Path, Query, Request, Response
from pydantic import ConfigDict, Field, JsonValue

from app.api.body import Raw
from app.api.doors import doors
from app.api.dossiers import hashing
from app.api.fields import Out
from app.api.problems import problems
from app.deps import Guard, Here, Installation, Now, authenticate, presented_key
from app.domain.errors import Invalid
from app.feeds.body import BodyInflation, BodyTooLarge, decode
from app.feeds.national import (
    Answer,
    AnswerCode,
    Envelope,
    ServiceUnknown,
    TooManyRecords,
    read_bare,
    read_envelope,
    read_login,
)
from app.store.session import StorageUnavailable
from app.usecases import access, national
from app.usecases.access import Principal, Scope, ScopeMissing, Unauthenticated
from app.usecases.national import SessionUnknown
from app.usecases.quotas import QuotaExceeded

log = logging.getLogger(__name__)

router = doors("/v1/adapters/national", tag="adapters")

JSON: Final = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class EnvelopeGuard(Guard):
    """Lets every call in: its key or session lies in its body, and is looked for there."""


in_the_envelope: Final = Depends(EnvelopeGuard(None, is_open=True))
"""The caller is known by what the body holds; each route of this module looks there."""


class ResultOut(Out):
    """What became of one record."""

    ma_ho_so: str = Field(alias="MaHoSo", examples=["H44.100-260803-0012"])
    error_code: str = Field(description='"0": đã nhận / taken.', examples=["0"])
    message: str = Field(examples=["Đồng bộ thành công"])


class AnswerOut(Out):
    """The answer to a call."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "error_code": "0",
                    "message": "Đồng bộ thành công",
                    "result": [
                        {
                            "MaHoSo": "H44.100-260803-0012",
                            "error_code": "0",
                            "message": "Đồng bộ thành công",
                        }
                    ],
                }
            ]
        }
    )

    error_code: str = Field(
        description='"0": mọi bản tin đã nhận / all taken; "1": có bản tin chưa nhận / some not; '
        '"2": phiên / session; "4": gói tin / envelope; "5": dịch vụ / service; "6": quyền / '
        'rights; "9": tạm thời chưa phục vụ / unavailable.'
    )
    message: str
    result: list[ResultOut]


class SessionOut(Out):
    """The answer to a login."""

    error_code: str = Field(examples=["0"])
    message: str = Field(examples=["Đăng nhập thành công"])
    session: str = Field(
        description='Dùng 12 giờ; trống khi không vào được. / For 12 hours, or "".'
    )


def _body(name: str, schema: dict[str, JsonValue], example: JsonValue) -> dict[str, Any]:
    return {
        "requestBody": {
            "required": True,
            "description": "Nhận cả khi Content-Type ghi khác. / Read whatever the Content-Type.",
            "content": {
                "application/json": {
                    "schema": schema,
                    "examples": {name: {"value": example}},
                }
            },
        }
    }


RECORD_EXAMPLE: Final[dict[str, JsonValue]] = {
    "MaHoSo": "H44.100-260803-0012",
    "MaTTHC": "1.001193",
    "TenTTHC": "Đăng ký khai sinh",
    "MaLinhVuc": "G15-TP01",
    "TenLinhVuc": "Hộ tịch",
    "KenhThucHien": "2",
    "LoaiDoiTuong": "1",
    "NgayNopHoSo": "20260803081200",
    "NgayTiepNhan": "20260803091000",
    "NgayHenTra": "20260805170000",
    "TrangThaiHoSo": "4",
    "HinhThuc": "0",
    "NgayKetThucXuLy": "",
    "DonViXuLy": "UBND phường Việt Trì",
    "DanhSachHoSoBoSung": [],
}
RECORDS: Final[dict[str, JsonValue]] = {
    "type": "array",
    "maxItems": 5000,
    "items": {"type": "object", "additionalProperties": True},
}
ENVELOPE: Final[dict[str, JsonValue]] = {
    "type": "object",
    "required": ["service", "data"],
    "additionalProperties": True,
    "properties": {
        "session": {"type": "string"},
        "madonvi": {"type": "string"},
        "service": {"type": "string", "enum": ["DongBoHoSoMC", "CapNhatTienDoHoSoMC"]},
        "isUpdating": {"type": "string", "enum": ["True", "False"]},
        "data": RECORDS,
    },
}
LOGIN: Final[dict[str, JsonValue]] = {
    "type": "object",
    "required": ["username", "password"],
    "additionalProperties": True,
    "properties": {"username": {"type": "string"}, "password": {"type": "string"}},
}
REFUSALS: Final = problems(BodyTooLarge, BodyInflation, QuotaExceeded)
BUSY: Final[dict[int | str, dict[str, Any]]] = {
    503: {"model": AnswerOut, "description": "Nothing was kept; send the same again later."}
}


@router.post(
    "/login",
    operation_id="signInNational",
    summary="Sign in and get a session",
    response_model=SessionOut,
    responses={**REFUSALS, **BUSY},
    dependencies=[in_the_envelope],
    openapi_extra=_body("login", LOGIN, {"username": "mot-cua-viet-tri", "password": "…"}),
)
def sign_in(raw: Raw, request: Request, here: Here, now: Now) -> Response:
    """Đăng nhập: `username` là tên (hoặc tiền tố) của khóa, `password` là khóa.

    For software that cannot set headers: the user name is the key's name, prefix or source, the
    password is the key. Always answered with 200.
    """
    try:
        username, password = read_login(decode(raw))
        who = authenticate(here, password)
        national.check_name(who, username)
    except Unauthenticated:
        here.refusals.take(_place(request), now=now)
        return _envelope(national.not_signed_in())
    except StorageUnavailable as error:
        return _busy(error)
    except Invalid as error:
        return _envelope({**national.refusal(AnswerCode.BODY, error), "session": ""})
    request.state.principal = who
    session = national.open_session(here.derived_key("national-session"), who, now=now)
    return _envelope(national.signed_in(session))


@router.post(
    "",
    operation_id="postNationalEnvelope",
    summary="Send dossiers or steps in the national envelope",
    response_model=AnswerOut,
    responses={**REFUSALS, **BUSY},
    dependencies=[in_the_envelope],
    openapi_extra=_body(
        "insert",
        ENVELOPE,
        {
            "session": "dhs_…",
            "madonvi": "000.00.100.H44",
            "service": "DongBoHoSoMC",
            "isUpdating": "False",
            "data": [RECORD_EXAMPLE],
        },
    ),
)
def post_envelope(raw: Raw, request: Request, here: Here, now: Now) -> Response:
    """Gói tin `{session, madonvi, service, isUpdating, data}` như phần mềm một cửa đang gửi.

    Both generations of fields are read. Each record has a verdict of its own; one that cannot be
    true waits in quarantine, the others are kept. One transaction for the call.
    """
    return _Call(request, here, now).answer(lambda: read_envelope(decode(raw)))


@router.post(
    "/{service}",
    operation_id="postNationalService",
    summary="Send dossiers or steps as a bare array",
    response_model=AnswerOut,
    responses={**REFUSALS, **BUSY},
    dependencies=[in_the_envelope],
    openapi_extra=_body("array", {"anyOf": [RECORDS, ENVELOPE]}, [RECORD_EXAMPLE]),
)
def post_bare(
    raw: Raw,
    request: Request,
    here: Here,
    now: Now,
    service: Annotated[str, Path(max_length=100, description="DongBoHoSoMC, CapNhatTienDoHoSoMC")],
    unit: Annotated[
        str | None,
        Query(alias="MaDinhDanhDV", description="Mã đơn vị gửi. / The sender's own unit."),
    ] = None,
    updating: Annotated[
        str | None, Query(alias="isUpdating", description='"True" / "False".')
    ] = None,
) -> Response:
    """Mảng hồ sơ gửi thẳng, tham số nằm trên địa chỉ; khóa hoặc phiên trong `Authorization`.

    The variant with a bare array; the key or a session comes as `Authorization: Bearer`. A whole
    envelope with its own session is read here as well.
    """
    return _Call(request, here, now).answer(
        lambda: read_bare(decode(raw), service=service, unit=unit, updating=updating)
    )


@dataclass(frozen=True, slots=True)
class _Call:
    """One call from its bytes to its answer."""

    request: Request
    here: Installation
    now: datetime

    def answer(self, read: Callable[[], Envelope]) -> Response:
        """Find out who calls, take in what it brings, and answer in an envelope."""
        try:
            return _envelope(self._served(read))
        except (Unauthenticated, SessionUnknown):
            self.here.refusals.take(_place(self.request), now=self.now)
            return _envelope(national.failure(AnswerCode.SIGN_IN, SessionUnknown.code))
        except ScopeMissing:
            return _envelope(national.failure(AnswerCode.RIGHTS, "national.not_allowed"))
        except StorageUnavailable as error:
            return _busy(error)
        except ServiceUnknown as error:
            return _envelope(national.refusal(AnswerCode.SERVICE, error))
        except Invalid as error:
            return _envelope(national.refusal(AnswerCode.BODY, error))

    def _served(self, read: Callable[[], Envelope]) -> Answer:
        here = self.here
        if "authorization" in self.request.headers:  # known before the body is looked into
            who = self._presented()
            envelope = read()
        else:
            envelope = read()
            who = self._in_session(envelope.session)
        self.request.state.principal = who
        self.request.state.allowance = here.quota.take(who.prefix, now=self.now)
        who.require(Scope.DOSSIERS_WRITE)
        if len(envelope.data) > here.limits.max_batch_records:
            raise TooManyRecords(limit=here.limits.max_batch_records)
        return national.take_in(
            here.database,
            here.coalescer,
            envelope,
            who=who,
            hash_applicant=hashing(here),
            now=self.now,
        )

    def _presented(self) -> Principal:
        told = presented_key(self.request)
        return (
            self._in_session(told) if national.is_session(told) else authenticate(self.here, told)
        )

    def _in_session(self, told: str | None) -> Principal:
        key = self.here.derived_key("national-session")
        prefix = national.prefix_in(key, told, now=self.now)
        with self.here.database.read() as session:
            return access.holder(session, prefix, now=self.now)


def _envelope(answer: Answer, *, status: int = 200, **headers: str) -> Response:
    return Response(orjson.dumps(answer), status_code=status, media_type=JSON, headers=headers)


def _busy(error: StorageUnavailable) -> Response:
    log.error("request failed", extra={"code": error.code}, exc_info=error)
    answer = national.failure(AnswerCode.UNAVAILABLE, "national.unavailable")
    return _envelope(answer, status=503, **{"Retry-After": str(error.retry_after_seconds)})


def _place(request: Request) -> str:
    return request.client.host if request.client else ""
