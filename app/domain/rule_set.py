"""Rule sets of an index as dated law: a tree of lines with maxima, methods and policies.

A rule set (bộ tiêu chí chấm điểm) is only data; ``app.domain.scoring`` lays it over a unit and
``app.domain.lint`` says what is wrong with it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from fractions import Fraction

from app.domain.expression import Expression
from app.domain.method import Method
from app.domain.rounding import Stage


class Provenance(StrEnum):
    """How far the numbers of a rule set can be trusted."""

    OFFICIAL = "official"
    OPERATIONAL = "operational"
    TEMPLATE = "template"

    @property
    def confirmed(self) -> bool:
        """Tell whether its sheets may go without "chưa xác nhận"."""
        return self is not Provenance.TEMPLATE


class Level(StrEnum):
    """What kind of unit is assessed (cấp đơn vị)."""

    PROVINCE = "province"
    DEPARTMENT = "department"
    DISTRICT = "district"
    COMMUNE = "commune"


class PeriodKind(StrEnum):
    """How long a period is assessed at once."""

    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class ZeroDen(StrEnum):
    """What a leaf is worth when there is nothing to divide by: a legal choice, never implied."""

    ZERO = "zero"
    FULL = "full"
    NA = "na"
    REDISTRIBUTE = "redistribute"
    ERROR = "error"


class NaPolicy(StrEnum):
    """What happens to a leaf that does not apply to a unit."""

    EXCLUDE_AND_RESCALE = "exclude_and_rescale"
    AWARD_MAX = "award_max"
    ZERO = "zero"


class Absent(StrEnum):
    """What happens to a survey that was not held."""

    PENDING = "pending"
    EXCLUDE_AND_RESCALE = "exclude_and_rescale"
    ZERO = "zero"


class NodeSum(StrEnum):
    """Whether a node adds its leaves as rounded, or exactly."""

    SUM_OF_ROUNDED_LEAVES = "sum_of_rounded_leaves"
    EXACT_SUM = "exact_sum"


class RescaleWhen(StrEnum):
    """When the total is brought to another scale."""

    SURVEY_ABSENT = "survey_absent"
    ANY_EXCLUDED = "any_excluded"
    ALWAYS = "always"


class Combine(StrEnum):
    """How the items of a pool of bonus or penalty points come together."""

    SUM = "sum"
    MAX_OF = "max_of"


class RankMethod(StrEnum):
    """How equal scores share places: competition ranks are 1, 2, 2, 4."""

    COMPETITION = "competition"


class Round(StrEnum):
    """The steps by which a sheet is agreed: self-score, appraisals, and explanation between."""

    SELF = "self"
    VERIFY_1 = "verify_1"
    EXPLAIN = "explain"
    VERIFY_2 = "verify_2"


@dataclass(frozen=True, slots=True)
class Title:
    """A name in both languages."""

    vi: str
    en: str


# ---------------------------------------------------------------- where inputs come from


class Part(StrEnum):
    """Which number of a measure: the count itself, or one side of a rate."""

    COUNT = "count"
    NUMERATOR = "numerator"
    DENOMINATOR = "denominator"


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure that this service counts: a definition with its version, and which number of it.

    A declared value stands beside it with the difference; it scores in its place only when
    ``yields`` is set.
    """

    definition: str
    part: Part
    yields: bool = False

    @property
    def name(self) -> str:
        """Return the binding as it is written in a rule set."""
        part = "" if self.part is Part.COUNT else f".{self.part}"
        return f"measure:{self.definition}{part}"


class Given(StrEnum):
    """A value that comes from outside: declared with evidence, a survey's mean, another system."""

    DECLARED = "declared"
    SURVEY = "survey"
    EXTERNAL = "external"
    PEER = "peer"


@dataclass(frozen=True, slots=True)
class ByLevel:
    """A number that the rule itself fixes for each level of unit."""

    values: Mapping[Level, Fraction]


@dataclass(frozen=True, slots=True)
class CaseList:
    """A list of cases, with the facts that each case carries."""

    fields: tuple[str, ...]


class Aggregate(StrEnum):
    """What is made of the values of all peers; ``pooled`` divides the sums, as rates must be."""

    MEAN = "mean"
    POOLED = "pooled"
    MEDIAN = "median"
    LOWEST = "lowest"
    HIGHEST = "highest"


@dataclass(frozen=True, slots=True)
class Peers:
    """A figure of all units of one level below a common unit, read from a frozen snapshot.

    ``of`` and ``over`` are inputs of each peer; ``over`` is the divisor of a pooled one.
    """

    aggregate: Aggregate
    of: Expression
    over: Expression | None = None


Binding = Measure | Given | ByLevel | CaseList | Peers


# ---------------------------------------------------------------- the rule set


@dataclass(frozen=True, slots=True)
class Leaf:
    """One line of a sheet that earns points (tiêu chí thành phần).

    ``na`` is what a unit gets for which an input does not apply; ``na_by_level`` names the levels
    at which the whole line does not apply, whatever the inputs. With ``inherit`` the inputs are
    those of the unit of that level above. ``stage`` rounds this line otherwise than its sisters.
    ``responsible`` is the role that answers for the line.
    """

    id: str
    title: Title
    max: Fraction
    method: Method
    zero_den: ZeroDen | None = None
    na: NaPolicy | None = None
    na_by_level: Mapping[Level, NaPolicy] = field(default_factory=dict)
    absent: Absent = Absent.PENDING
    inherit: Level | None = None
    stage: Stage | None = None
    evidence: tuple[str, ...] = ()
    note: str | None = None
    variants: tuple["Variant", ...] = ()
    responsible: str | None = None


@dataclass(frozen=True, slots=True)
class Variant:
    """Another method for the same leaf, for the units of which a condition holds."""

    id: str
    when: Expression
    method: Method


@dataclass(frozen=True, slots=True)
class Node:
    """A group of lines (lĩnh vực, tiêu chí)."""

    id: str
    title: Title
    max: Fraction
    children: tuple["Node | Leaf", ...]


@dataclass(frozen=True, slots=True)
class Numbers:
    """The stages of rounding (làm tròn), first to last."""

    leaf: Stage
    node: NodeSum
    case: Stage | None = None
    nodes: Stage | None = None
    total: Stage | None = None
    publish: Stage | None = None

    @property
    def printed(self) -> Stage:
        """Return the stage that totals are printed with."""
        return self.publish or self.total or self.leaf


@dataclass(frozen=True, slots=True)
class Rescale:
    """When and to what the total is brought, over the maximum of what was present."""

    when: RescaleWhen
    to: Fraction


@dataclass(frozen=True, slots=True)
class Pool:
    """Bonus or penalty points beside the tree, up to a cap."""

    combine: Combine
    cap: Fraction | None
    items: tuple[Leaf, ...]


@dataclass(frozen=True, slots=True)
class LabelBand:
    """From this value on this label, if what it requires holds; else the next band is tried."""

    ge: Fraction
    label: str
    require: Expression | None = None


@dataclass(frozen=True, slots=True)
class LabelRule:
    """A condition that gives a label (veto) or the best label still possible (ceiling)."""

    when: Expression
    label: str


@dataclass(frozen=True, slots=True)
class Classify:
    """How a total becomes a label (xếp loại)."""

    of: Expression
    bands: tuple[LabelBand, ...]
    veto: tuple[LabelRule, ...] = ()
    ceiling: tuple[LabelRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Derived:
    """A sum of some leaves that is judged by itself, such as the marks of an official."""

    id: str
    title: Title
    sum: tuple[str, ...]
    max: Fraction
    bands: tuple[LabelBand, ...]


@dataclass(frozen=True, slots=True)
class Ranking:
    """How units are ordered, among whom, and who is left out for want of dossiers."""

    by: Expression
    within: tuple[str, ...]
    method: RankMethod
    hide_below: Mapping[str, Fraction]


@dataclass(frozen=True, slots=True)
class Basis:
    """A text that a rule set rests on."""

    doc: str
    articles: tuple[str, ...] = ()
    issued_on: date | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Validity:
    """The days on which a rule set is in force, both included; ``last`` None is until further."""

    first: date | None
    last: date | None

    def holds(self, day: date) -> bool:
        """Tell whether the set is in force on a day; one without a first day never is."""
        return (
            self.first is not None and self.first <= day and (self.last is None or day <= self.last)
        )


@dataclass(frozen=True, slots=True)
class RuleSet:
    """One index as dated law."""

    id: str
    title: Title
    provenance: Provenance
    basis: tuple[Basis, ...]
    valid: Validity
    inputs: Mapping[str, Binding]
    levels: frozenset[Level]
    periods: frozenset[PeriodKind]
    numbers: Numbers
    root: Node
    digest: str
    note: Title | None = None
    rescale: Rescale | None = None
    bonus: Pool | None = None
    penalty: Pool | None = None
    classify: Classify | None = None
    derived: tuple[Derived, ...] = ()
    ranking: Ranking | None = None
    rounds: tuple[Round, ...] = ()
    score_of_record: Round | None = None

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """Return the leaves of the tree in their order."""
        return tuple(_leaves(self.root))


def _leaves(node: Node) -> Iterator[Leaf]:
    for child in node.children:
        match child:
            case Leaf():
                yield child
            case Node():
                yield from _leaves(child)
