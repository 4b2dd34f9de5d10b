"""``/v1/evidence``: files that prove what sheets say, by hash, always as downloads."""

from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import Path, Query, Request
from pydantic import ConfigDict, Field
from starlette.responses import Response

from app.api import conditions
from app.api.body import Raw
from app.api.doors import doors
from app.api.fields import Instant, Out, UnitsBelow
from app.api.pages import paged
from app.api.problems import problems
from app.deps import CursorInvalid, Now, Page, Reading, Writing, needs
from app.store.evidence import EvidenceRow, EvidenceUnknown
from app.store.units import UnitUnknown
from app.usecases import evidence
from app.usecases.access import Principal
from app.usecases.evidence import EvidenceEmpty, EvidenceKindRefused, EvidenceTooBig
from app.usecases.subtree import subtree_of

router = doors("/v1/evidence", tag="index")

Reader = Annotated[Principal, needs("statistics:read")]
Writer = Annotated[Principal, needs("index:write")]
HashInPath = Annotated[
    str,
    Path(
        alias="hash",
        max_length=80,
        description="`sha256:…`",
        examples=["sha256:" + "0" * 64],
    ),
]
EXAMPLE: Final[dict[str, Any]] = {
    "hash": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "unit": "H44.100",
    "name": "bien-ban-kiem-tra.pdf",
    "media_type": "application/pdf",
    "size": 182_044,
    "recorded_at": "2026-08-10T01:00:00Z",
    "links": {
        "file": "/v1/evidence/sha256:"
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08/file"
    },
}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class EvidenceOut(Out):
    """A file as it is kept."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    hash: str
    unit: str
    name: str
    media_type: str = Field(description="Theo nội dung tệp. / By its content.")
    size: int
    recorded_at: Instant
    links: dict[str, str]

    @classmethod
    def of(cls, row: EvidenceRow) -> "EvidenceOut":
        """Return a file as it is shown."""
        return cls(
            hash=row.hash,
            unit=row.unit_code,
            name=row.name,
            media_type=row.media_type,
            size=row.size,
            recorded_at=row.recorded_at,
            links={"file": f"/v1/evidence/{row.hash}/file"},
        )


class EvidencesOut(Out):
    """A page of files."""

    evidence: list[EvidenceOut]
    next_cursor: str | None


@router.post(
    "",
    operation_id="postEvidence",
    summary="Store a file as evidence",
    response_model=EvidenceOut,
    responses={
        201: {"model": EvidenceOut, "description": "Stored."},
        **problems(UnitUnknown, EvidenceEmpty, EvidenceTooBig, EvidenceKindRefused),
    },
    openapi_extra=_BODY,
)
def post_evidence(
    raw: Raw,
    request: Request,
    session: Writing,
    who: Writer,
    now: Now,
    unit: Annotated[
        str, Query(max_length=100, description="Đơn vị có tài liệu. / Unit that it is of.")
    ],
    name: Annotated[
        str, Query(max_length=300, description="Tên tệp. / Name of the file.")
    ] = "tai-lieu",
) -> Response:
    """Nhận một tệp (PDF, ảnh, docx, xlsx, văn bản) tối đa 10 MB; trả về mã băm SHA-256.

    The kind is told by the content; web pages, macros and archives are refused. The same bytes
    again change nothing. Do not send papers of citizens: a sheet is proved by lists and minutes.
    """
    done = evidence.put(session, unit, name, raw, who=who, now=now)
    shown = EvidenceOut.of(done.row)
    return conditions.document(request, shown, status=201 if done.is_new else 200)


@router.get(
    "",
    operation_id="listEvidence",
    summary="List the files of a subtree",
    responses=problems(UnitUnknown, CursorInvalid),
)
def list_evidence(
    request: Request,
    response: Response,
    session: Reading,
    who: Reader,
    page: Page,
    unit: UnitsBelow = None,
) -> EvidencesOut:
    """Các tệp đã lưu, theo đơn vị. / The files stored, by unit."""
    found = subtree_of(session, who, unit)
    position = page.position(unit=unit)
    after = None if position is None else (str(position[0]), str(position[1]))
    rows = evidence.listed(session, lft=found.lft, rgt=found.rgt, after=after, limit=page.limit + 1)
    shown, cursor = paged(
        request, response, page, rows, lambda row: [row.unit_code, row.hash], unit=unit
    )
    return EvidencesOut(evidence=[EvidenceOut.of(row) for row in shown], next_cursor=cursor)


@router.get(
    "/{hash}",
    operation_id="getEvidence",
    summary="Read what is known of a file",
    responses=problems(EvidenceUnknown),
)
def get_evidence(digest: HashInPath, session: Reading, who: Reader) -> EvidenceOut:
    """Tên, loại, cỡ và đơn vị của một tệp. / Name, kind, size and unit of a file."""
    return EvidenceOut.of(evidence.get(session, digest, who=who))


@router.get(
    "/{hash}/file",
    operation_id="getEvidenceFile",
    summary="Download a file",
    response_class=Response,
    responses={
        200: {
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            }
        },
        **problems(EvidenceUnknown),
    },
)
def get_evidence_file(digest: HashInPath, session: Reading, who: Reader) -> Response:
    """Tải tệp về; trình duyệt không bao giờ mở ngay. / Always a download, never shown in place."""
    row = evidence.get(session, digest, who=who)
    plain = row.name.encode("ascii", "replace").decode("ascii").replace("?", "_")
    return Response(
        evidence.content(session, row),
        media_type=row.media_type,
        headers={
            "Content-Disposition": (
                f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(row.name, safe='')}"
            ),
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Cache-Control": "private, no-cache",
            "ETag": f'"{row.hash}"',
        },
    )
