"""Files of records: previewed, imported, followed, and their refused rows taken home."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import ConfigDict, Field

from app.api.body import Raw, require_media_type
from app.api.doors import doors
from app.api.dossiers import hashing
from app.api.fields import Instant, Out
from app.api.problems import problems
from app.deps import Here, Language, Reading, needs
from app.domain.errors import Invalid
from app.domain.file_type import KINDS, FileType
from app.exports import refused_rows
from app.feeds.table import Column
from app.feeds.workbook import (
    FileEmpty,
    FileEncoding,
    FileIsPage,
    FileTooBig,
    FileUnreadable,
    SheetUnknown,
)
from app.i18n import Language as LanguageCode
from app.store.imports import ImportBusy, ImportUnknown, Job
from app.store.units import UnitUnknown
from app.usecases import imports, intake, subtree
from app.usecases.access import Principal
from app.usecases.imports import (
    ColumnsMissing,
    ColumnUnknown,
    FieldUnknown,
    HeaderNotFound,
    Order,
    Preview,
)

router = doors("/v1/imports", tag="dossiers")

Reader = Annotated[Principal, needs("dossiers:read")]
Writer = Annotated[Principal, needs("dossiers:write")]

CSV: Final = "text/csv"
XLSX: Final = KINDS[FileType.XLSX].media_type
XLS: Final = "application/vnd.ms-excel"
FILES: Final = (CSV, XLSX, XLS, "application/octet-stream")


@dataclass(eq=False, kw_only=True)
class MapMalformed(Invalid):
    """A mapping of a column is written ``Header=field``."""

    code: ClassVar[str] = "import.map_malformed"


class FileColumnOut(Out):
    """One column of the file, and the field that it feeds."""

    column: str = Field(examples=["B"])
    header: str = Field(examples=["Mã hồ sơ"])
    field: str | None = Field(
        description="Trường của hồ sơ; null là không đọc. / Field of the record; null is not read.",
        examples=["code"],
    )


class AmbiguousOut(Out):
    """A field that several columns could be; say which with ``map``."""

    field: str
    columns: list[str]


class RefusedOut(Out):
    """One row that cannot be accepted, with its reasons."""

    row: int
    code: str | None
    reasons: list[str]


class FilePreviewOut(Out):
    """What an import would do. Nothing was stored."""

    sheet: str | None
    other_sheets: list[str]
    header_row: int
    columns: list[FileColumnOut]
    missing: list[str] = Field(description="Required fields without a column.")
    ambiguous: list[AmbiguousOut]
    readable: int
    unreadable: int
    set_aside: int = Field(description="Empty rows, repeated headers, rows of numbers and totals.")
    first_verdicts: dict[str, int] = Field(
        description="Verdicts of the first 100 rows, taken in and undone.",
        examples=[{"accepted": 98, "unchanged": 0, "stale": 0, "quarantined": 2}],
    )
    refused: list[RefusedOut] = Field(description="The first 20 rows that cannot be read.")


class FileImportOut(Out):
    """One import: how far it has come and what became of its rows."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "0b8f3c1e-6b0a-4d0c-9d7e-2f7f1c1b5a10",
                    "state": "done",
                    "next_row": 5002,
                    "total_rows": 5001,
                    "counts": {
                        "accepted": 4980,
                        "unchanged": 0,
                        "stale": 0,
                        "quarantined": 20,
                        "set_aside": 0,
                    },
                    "sheet": "Sheet1",
                    "header_row": 1,
                    "columns": [{"column": "A", "header": "Mã hồ sơ", "field": "code"}],
                    "started_at": "2026-08-10T01:00:00Z",
                    "updated_at": "2026-08-10T01:00:04Z",
                    "finished_at": "2026-08-10T01:00:04Z",
                    "links": {
                        "errors": "/v1/imports/0b8f3c1e-6b0a-4d0c-9d7e-2f7f1c1b5a10/errors.xlsx"
                    },
                }
            ]
        }
    )

    id: UUID
    state: str = Field(description="`running` (not finished, or broken off) or `done`.")
    next_row: int = Field(description="The first row of the file that was not yet taken.")
    total_rows: int = Field(description="Rows of the file, as counted at its opening.")
    counts: dict[str, int]
    sheet: str | None
    header_row: int
    columns: list[FileColumnOut]
    started_at: Instant
    updated_at: Instant
    finished_at: Instant | None
    links: dict[str, str]

    @classmethod
    def of(cls, job: Job) -> "FileImportOut":
        """Return an import as it is shown."""
        return cls(
            id=job.id,
            state=job.state,
            next_row=job.next_row,
            total_rows=job.total_rows,
            counts=dict(job.counts),
            sheet=job.mapping["sheet"],
            header_row=job.mapping["header_row"],
            columns=[_column(one) for one in imports.columns_of(job)],
            started_at=job.started_at,
            updated_at=job.updated_at,
            finished_at=job.finished_at,
            links={"errors": f"/v1/imports/{job.id}/errors.xlsx"},
        )


def _column(column: Column) -> FileColumnOut:
    return FileColumnOut(column=column.letter, header=column.header, field=column.field)


def preview_of(found: Preview, language: LanguageCode) -> FilePreviewOut:
    """Return a preview as it is shown."""
    layout, book = found.prepared.layout, found.prepared.book
    headers = {column.field or "": column.header for column in layout.columns}
    return FilePreviewOut(
        sheet=book.name,
        other_sheets=list(book.others),
        header_row=layout.header_row,
        columns=[_column(one) for one in layout.columns],
        missing=found.prepared.missing,
        ambiguous=[
            AmbiguousOut(field=name, columns=[one.letter for one in columns])
            for name, columns in layout.ambiguous.items()
        ],
        readable=found.readable,
        unreadable=found.unreadable,
        set_aside=found.set_aside,
        first_verdicts=dict(found.rehearsed),
        refused=[
            RefusedOut(
                row=one.row,
                code=one.code,
                reasons=[refused_rows.reason_of(fault, headers, language) for fault in one.faults],
            )
            for one in found.refused
        ],
    )


def wanted_of(told: Iterable[str]) -> dict[str, str]:
    """Return the mapping that was written as ``Header=field``; the last sign parts them.

    :raises MapMalformed: a part has no sign, or names no column.
    """
    found = {}
    for one in told:
        header, sign, field = one.rpartition("=")
        if not sign or not header.strip():
            raise MapMalformed
        found[header.strip()] = field.strip()
    return found


_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": {"type": "string", "contentMediaType": kind}} for kind in FILES[:3]
        },
    }
}


@router.post(
    "",
    operation_id="importRecords",
    summary="Import a CSV or Excel file of records, or preview it",
    response_model=FileImportOut | FilePreviewOut,
    responses=problems(
        *(FileEmpty, FileEncoding, FileIsPage, FileUnreadable, FileTooBig, SheetUnknown),
        *(HeaderNotFound, ColumnsMissing, FieldUnknown, ColumnUnknown, MapMalformed),
        *(UnitUnknown, ImportBusy),
    ),
    openapi_extra=_BODY,
)
def import_records(
    raw: Raw,
    request: Request,
    who: Writer,
    here: Here,
    language: Language,
    dry_run: Annotated[
        bool, Query(description="Chỉ xem trước, không lưu gì. / Preview; store nothing.")
    ] = False,
    columns: Annotated[
        list[str] | None,
        Query(
            alias="map",
            max_length=100,
            description="Ghép cột, lặp lại được: `Số HS=code`; bỏ trống sau `=` để bỏ qua cột. / "
            "Map a column, repeatable; nothing after `=` passes it over.",
        ),
    ] = None,
    unit: Annotated[
        str | None,
        Query(
            max_length=100,
            description="Đơn vị của các dòng khi tệp không có cột đơn vị. / "
            "The unit of the rows when the file has no column for it.",
        ),
    ] = None,
    sheet: Annotated[
        str | None, Query(max_length=100, description="Trang tính cần đọc. / Sheet to read.")
    ] = None,
    again: Annotated[
        bool,
        Query(description="Nhập lại tệp đã nhập xong. / Import a finished file once more."),
    ] = False,
) -> FileImportOut | FilePreviewOut:
    """Nhận từng lô 1.000 dòng; bị ngắt thì gửi lại đúng tệp đó, hệ thống đi tiếp từ chỗ dừng.

    Rows are taken in batches of 1,000, each in a transaction of its own, before the answer. When
    it breaks off, send the same file again: it goes on where it stopped. The file itself is not
    kept. A row that cannot be true waits in quarantine; the good rows beside it are taken.
    """
    require_media_type(request, FILES)
    if unit is not None:
        with here.database.read() as session:
            subtree.unit_of(session, who, unit)
    prepared = imports.prepare(Order(raw, wanted_of(columns or ()), unit, sheet))
    by, hashed = intake.sender_of(who), hashing(here)
    if dry_run:
        found = imports.preview(
            here.database, prepared, by=by, hash_applicant=hashed, now=here.clock()
        )
        return preview_of(found, language)
    with here.database.begin() as session:
        job = imports.begin(
            session, prepared, by=by, actor=who.actor, again=again, now=here.clock()
        )
    batches = imports.work(
        here.database, job, prepared, by=by, hash_applicant=hashed, clock=here.clock
    )
    *_, last = batches
    return FileImportOut.of(last)


@router.get(
    "/{import_id}",
    operation_id="getImport",
    summary="See how far an import has come",
    responses=problems(ImportUnknown),
)
def get_import(import_id: UUID, session: Reading, who: Reader) -> FileImportOut:
    """Đã nhập đến dòng nào, kết quả từng loại. / How far it has come, and its verdicts."""
    return FileImportOut.of(imports.get(session, import_id, who=who))


@router.get(
    "/{import_id}/errors.xlsx",
    operation_id="getImportErrors",
    summary="Download the rows that were not accepted, with the reasons",
    response_class=Response,
    responses={
        200: {"content": {XLSX: {"schema": {"type": "string", "format": "binary"}}}},
        **problems(ImportUnknown),
    },
)
def get_import_errors(
    import_id: UUID, session: Reading, who: Reader, language: Language
) -> Response:
    """Tệp Excel: mỗi dòng chưa nhận được kèm lý do và cách sửa; ô sai được tô đỏ.

    A workbook with each row that was not accepted and why; faulty cells are red. What could tell
    a person was not kept and is not in it.
    """
    job = imports.get(session, import_id, who=who)
    made = imports.errors_workbook(job, imports.refusals(session, job), language=language)
    return Response(
        made,
        media_type=XLSX,
        headers={
            "Content-Disposition": f'attachment; filename="errors-{job.id}.xlsx"',
            "Cache-Control": "no-store",
        },
    )
