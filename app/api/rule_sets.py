"""``/v1/rule-sets``: the law of an index as text: put, read, linted, its numbers confirmed."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any, Final

from fastapi import Query, Request
from pydantic import ConfigDict, Field
from starlette.responses import Response

from app.api import conditions
from app.api.body import Raw, require_media_type
from app.api.doors import doors
from app.api.fields import CodeInPath, In, Instant, Out, Text
from app.api.problems import Refused, problems
from app.deps import Now, Reading, Writing, any_key, needs
from app.domain.faults import Fault
from app.domain.lint import Finding, Severity
from app.domain.rule_set import Title
from app.i18n import Language, phrase
from app.rulebook.entry import RulebookRefused
from app.rulebook.rule_sets import RuleSetNotInForce, UnknownRuleSet
from app.store.rule_sets import ConfirmationRow
from app.store.units import UnitUnknown
from app.usecases import rule_sets
from app.usecases.access import Principal
from app.usecases.rule_sets import (
    NumberUnknown,
    RuleSetIdDiffers,
    RuleSetOfSuperior,
    RuleSetShipped,
    RuleSetTaken,
    ValidityOverlaps,
    Version,
    VersionNotInUse,
)

router = doors("/v1/rule-sets", tag="index")

Reader = Annotated[Principal, needs("statistics:read")]
Writer = Annotated[Principal, needs("index:write")]

YAML: Final = "application/yaml"
YAML_NAMES: Final = (YAML, "text/yaml", "application/x-yaml", "text/plain")
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {YAML: {"schema": {"type": "string", "maxLength": 262_144}}},
    }
}


class Form(StrEnum):
    """How a rule set is read."""

    JSON = "json"
    YAML = "yaml"


class BilingualOut(Out):
    """A sentence in both languages."""

    vi: str
    en: str

    @classmethod
    def of(cls, title: Title) -> "BilingualOut":
        """Return a title as it is shown."""
        return cls(vi=title.vi, en=title.en)


class FindingOut(Out):
    """One thing that is wrong with a rule set (`error`), or looks wrong (`warning`)."""

    where: str = Field(
        description="Chỗ trong văn bản, theo mã tiêu chí. / Place in the text, by ids.",
        examples=["root/on_time_sum"],
    )
    rule: str = Field(description="Mã quy tắc. / Code of the rule.", examples=["lint.max_sum"])
    severity: str = Field(examples=["error"])
    message: BilingualOut

    @classmethod
    def of(cls, finding: Finding) -> "FindingOut":
        """Return a finding with its sentence in both languages."""
        vi, en = (phrase(one, finding.code, finding.params) for one in (Language.VI, Language.EN))
        return cls(
            where=finding.where,
            rule=finding.code,
            severity=finding.severity.value,
            message=BilingualOut(vi=vi, en=en),
        )


class LintOut(Out):
    """What is wrong with a text."""

    is_usable: bool = Field(description="Không có lỗi nào. / There is no error.")
    rule_set: str | None = Field(description="Mã bộ tiêu chí, khi đọc được. / Its id, when read.")
    findings: list[FindingOut]


class ConfirmedByOut(Out):
    """Who confirmed a number, and from which document."""

    person: str
    document: str
    unit: str | None
    recorded_at: Instant


class RuleNumberOut(Out):
    """One number of a rule set."""

    path: str = Field(examples=["root/on_time_sum/linear/floor"])
    value: str = Field(examples=["0.95"])
    confirmed_by: ConfirmedByOut | None = Field(
        description="null: chưa xác nhận. / null: nobody has confirmed it."
    )


class RuleSetShortOut(Out):
    """A version of a rule set, without its text."""

    id: str = Field(examples=["par-tthc.phu-tho"])
    version: int = Field(description="0: đi kèm phần mềm. / 0: comes with the software.")
    is_shipped: bool
    owner: str | None = Field(description="Đơn vị sở hữu; null là mọi nơi. / null is everybody's.")
    title: BilingualOut
    provenance: str = Field(examples=["template"])
    valid_from: str | None
    valid_to: str | None
    levels: list[str]
    periods: list[str]
    digest: str = Field(examples=["sha256:…"])
    replaces: int | None
    replaced_by: int | None = Field(description="Khác null: thôi dùng. / Not null: out of use.")
    document: str | None
    recorded_at: Instant | None

    @classmethod
    def of(cls, version: Version) -> "RuleSetShortOut":
        """Return a version as it is shown in a list."""
        return cls(**_short(version))


class RuleSetOut(RuleSetShortOut):
    """A version of a rule set, with its text and its numbers."""

    is_confirmed: bool = Field(
        description="false: mọi phiếu in «chưa xác nhận». / false: every sheet says so."
    )
    findings: list[FindingOut] = Field(description="Cảnh báo. / Warnings.")
    numbers: list[RuleNumberOut]
    text: str

    @classmethod
    def whole(
        cls, version: Version, rows: Iterable[ConfirmationRow], who: Principal
    ) -> "RuleSetOut":
        """Return a version as it is shown, with who confirmed its numbers for the asker's unit."""
        shown = rule_sets.confirmed(version, rows, who.lft)
        return cls(
            **_short(version),
            is_confirmed=version.rule_set.provenance.confirmed
            or all(one.by is not None for one in shown),
            findings=[FindingOut.of(one) for one in rule_sets.lint(version.text)[1]],
            numbers=[
                RuleNumberOut(
                    path=one.number.path,
                    value=one.number.value,
                    confirmed_by=None if one.by is None else _confirmed_by(one.by),
                )
                for one in shown
            ],
            text=version.text,
        )


def _short(version: Version) -> dict[str, Any]:
    rule_set, row = version.rule_set, version.row
    first, last = rule_set.valid.first, rule_set.valid.last
    return {
        "id": rule_set.id,
        "version": version.number,
        "is_shipped": version.is_shipped,
        "owner": version.owner,
        "title": BilingualOut.of(rule_set.title),
        "provenance": rule_set.provenance.value,
        "valid_from": None if first is None else first.isoformat(),
        "valid_to": None if last is None else last.isoformat(),
        "levels": sorted(level.value for level in rule_set.levels),
        "periods": sorted(kind.value for kind in rule_set.periods),
        "digest": f"sha256:{rule_set.digest}",
        "replaces": None if row is None else row.replaces,
        "replaced_by": version.replaced_by,
        "document": None if row is None else row.document,
        "recorded_at": None if row is None else row.recorded_at,
    }


def _confirmed_by(row: ConfirmationRow) -> ConfirmedByOut:
    return ConfirmedByOut(
        person=row.person, document=row.document, unit=row.unit_code, recorded_at=row.recorded_at
    )


class RuleSetsOut(Out):
    """Rule sets in use."""

    rule_sets: list[RuleSetShortOut]
    next_cursor: None = None


class VersionsOut(Out):
    """Every version of a rule set, oldest first."""

    versions: list[RuleSetShortOut]
    next_cursor: None = None


class ConfirmationIn(In):
    """Numbers that a person has compared with a document."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "person": "Nguyễn Thị An, Phòng Cải cách hành chính",
                    "document": "876/QĐ-UBND, phụ lục II, mục 3.1",
                    "paths": ["root/on_time_sum"],
                }
            ]
        }
    )

    person: Text = Field(description="Người xác nhận. / Who confirms.")
    document: Text = Field(description="Văn bản đã đối chiếu. / The document compared with.")
    paths: Annotated[list[Text], Field(min_length=1, max_length=500)] = Field(
        description="Đường dẫn số; đường dẫn của một tiêu chí là mọi số bên dưới. / Paths of "
        "numbers; the path of a line means every number below."
    )


class ConfirmationOut(Out):
    """What was confirmed now, and what is left."""

    confirmed: int = Field(description="Số vừa xác nhận. / Numbers confirmed now.")
    is_confirmed: bool
    left: list[str] = Field(description="Các số chưa xác nhận. / Numbers not yet confirmed.")


def text_of(raw: bytes) -> str:
    """Return a body as text.

    :raises Refused: it is not UTF-8.
    """
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(faults=(Fault("", "yaml.not_utf8"),)) from error


def refused_of(error: RulebookRefused) -> Refused:
    """Return every fault of a text as a refusal with places."""
    return Refused(
        faults=tuple(
            Fault(f"/{finding.where}".rstrip("/"), finding.code, finding.params)
            for finding in error.findings
            if finding.severity is Severity.ERROR
        )
    )


@router.post(
    "/lint",
    operation_id="lintRuleSet",
    summary="Say everything that is wrong with a rule set, and store nothing",
    dependencies=[any_key],
    responses=problems(),
    openapi_extra=_BODY,
)
def lint_rule_set(raw: Raw, request: Request) -> LintOut:
    """Kiểm tra một bộ tiêu chí viết bằng YAML: nêu mọi lỗi và cảnh báo, kể cả khi YAML hỏng.

    Every error and warning with its place, rule and sentence, for broken YAML too.
    """
    require_media_type(request, YAML_NAMES)
    read, findings = rule_sets.lint(text_of(raw))
    return LintOut(
        is_usable=all(finding.severity is not Severity.ERROR for finding in findings),
        rule_set=None if read is None else read.id,
        findings=[FindingOut.of(finding) for finding in findings],
    )


@router.get("", operation_id="listRuleSets", summary="List the rule sets in use")
def list_rule_sets(session: Reading, who: Reader) -> RuleSetsOut:
    """Các bộ tiêu chí đang dùng: đi kèm phần mềm, và của các đơn vị trên hoặc dưới bạn.

    Those that we ship, and those of units above and below the key.
    """
    found = rule_sets.listed(session, who=who)
    return RuleSetsOut(rule_sets=[RuleSetShortOut.of(version) for version in found])


@router.put(
    "/{rule_set}",
    operation_id="putRuleSet",
    summary="Put a rule set as its next version",
    response_model=RuleSetOut,
    responses={
        201: {"model": RuleSetOut, "description": "A new version."},
        **problems(
            *(RulebookRefused, RuleSetIdDiffers, RuleSetShipped, RuleSetTaken),
            *(RuleSetOfSuperior, ValidityOverlaps, VersionNotInUse, UnitUnknown),
        ),
    },
    openapi_extra=_BODY,
)
def put_rule_set(
    rule_set: CodeInPath,
    raw: Raw,
    request: Request,
    session: Writing,
    who: Writer,
    now: Now,
    unit: Annotated[
        str | None,
        Query(
            max_length=100,
            description="Đơn vị sở hữu bộ mới, mặc định là đơn vị của khóa. / "
            "Owner of a new set; the key's own unit if absent.",
        ),
    ] = None,
    replaces: Annotated[
        int | None,
        Query(ge=1, description="Phiên bản mà bản này sửa. / The version that this one mends."),
    ] = None,
    document: Annotated[
        str | None, Query(max_length=500, description="Văn bản căn cứ. / Document behind it.")
    ] = None,
) -> Response:
    """Lưu bộ tiêu chí (YAML) thành phiên bản kế tiếp; không bao giờ sửa đè, gửi lại thì không đổi.

    The text becomes the next version; nothing is edited in place, and the same text again changes
    nothing. Versions in use never overlap in validity: end the earlier one first, with `replaces`.
    """
    require_media_type(request, YAML_NAMES)
    try:
        done = rule_sets.put(
            session,
            rule_set,
            text_of(raw),
            who=who,
            now=now,
            unit=unit,
            replaces=replaces,
            document=document,
        )
    except RulebookRefused as error:
        raise refused_of(error) from error
    rows = rule_sets.confirmations(session, rule_set)
    shown = RuleSetOut.whole(done.version, rows, who)
    return conditions.document(request, shown, status=201 if done.is_new else 200)


@router.get(
    "/{rule_set}",
    operation_id="getRuleSet",
    summary="Read a rule set",
    response_model=RuleSetOut,
    responses={
        200: {"content": {YAML: {"schema": {"type": "string"}}}},
        **problems(UnknownRuleSet, RuleSetNotInForce, VersionNotInUse),
    },
)
def get_rule_set(
    rule_set: CodeInPath,
    request: Request,
    session: Reading,
    who: Reader,
    now: Now,
    day: Annotated[
        str | None,
        Query(
            pattern=r"^\d{4}-\d\d-\d\d$",
            description="Có hiệu lực ngày này; mặc định là bản mới nhất. / In force on this day; "
            "the newest version if absent.",
        ),
    ] = None,
    version: Annotated[
        int | None, Query(ge=0, description="Số phiên bản. / Number of the version.")
    ] = None,
    form: Annotated[
        Form, Query(alias="format", description="`json` hoặc `yaml`. / `json` or `yaml`.")
    ] = Form.JSON,
) -> Response:
    """Đọc một bộ tiêu chí: văn bản, hiệu lực, từng con số và người đã xác nhận.

    The text, its validity, each number and who confirmed it; with `format=yaml` the text alone.
    """
    found = rule_sets.pick(rule_sets.seen(session, rule_set, who=who), day=day, number=version)
    if form is Form.YAML:
        body = found.text.encode()
        answer = conditions.answered(request, body, tag=f'"{found.rule_set.digest}"')
        answer.headers["Content-Type"] = f"{YAML}; charset=utf-8"
        return answer
    rows = rule_sets.confirmations(session, rule_set, known_at=now)
    return conditions.document(request, RuleSetOut.whole(found, rows, who))


@router.get(
    "/{rule_set}/versions",
    operation_id="listRuleSetVersions",
    summary="List every version of a rule set",
    responses=problems(UnknownRuleSet),
)
def list_versions(rule_set: CodeInPath, session: Reading, who: Reader) -> VersionsOut:
    """Mọi phiên bản, cũ nhất trước, kể cả bản đã thôi dùng. / Every version, replaced ones too."""
    found = rule_sets.seen(session, rule_set, who=who)
    return VersionsOut(versions=[RuleSetShortOut.of(version) for version in found])


@router.post(
    "/{rule_set}/confirmations",
    operation_id="confirmRuleSetNumbers",
    summary="Confirm numbers of a rule set by name and document",
    responses=problems(
        UnknownRuleSet, RuleSetNotInForce, NumberUnknown, RuleSetOfSuperior, VersionNotInUse
    ),
)
def confirm_numbers(
    rule_set: CodeInPath,
    body: ConfirmationIn,
    session: Writing,
    who: Writer,
    now: Now,
    version: Annotated[
        int | None, Query(ge=0, description="Mặc định bản mới nhất. / The newest if absent.")
    ] = None,
) -> ConfirmationOut:
    """Ghi tên người đã đối chiếu từng con số; đủ mọi số thì phiếu thôi in «chưa xác nhận».

    Written down by name and document, number by number; a number that changes in a later version
    has to be confirmed again. Holds for the key's unit and those below.
    """
    found = rule_sets.pick(rule_sets.seen(session, rule_set, who=who), day=None, number=version)
    fresh = rule_sets.confirm(
        session, found, body.paths, person=body.person, document=body.document, who=who, now=now
    )
    rows = rule_sets.confirmations(session, rule_set)
    shown = rule_sets.confirmed(found, rows, who.lft)
    left = [one.number.path for one in shown if one.by is None]
    confirmed = found.rule_set.provenance.confirmed or not left
    return ConfirmationOut(confirmed=fresh, is_confirmed=confirmed, left=left)
