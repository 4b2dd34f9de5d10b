"""Reference pages of the rulebook, written from the rulebook itself, in both languages."""

from collections.abc import Iterable

from app.domain.method import Method
from app.domain.rate import RateDefinition
from app.domain.rounding import Stage, plain
from app.domain.rule_set import (
    Binding,
    ByLevel,
    CaseList,
    Given,
    Leaf,
    Measure,
    Node,
    Peers,
    RuleSet,
    Title,
)
from app.domain.tally import COUNTS
from app.i18n import Language, phrase
from app.rulebook.metrics import Metrics
from app.rulebook.rule_sets import RuleSets

GENERATED = "<!-- Written by `python3 run.py reference`; change the rulebook, not this page. -->"


def metrics_page(metrics: Metrics) -> str:
    """Describe every rate and every count, in Vietnamese and English."""
    lines = [
        "# Tỷ lệ và số liệu / Rates and counts",
        "",
        GENERATED,
        "",
        "Mỗi tỷ lệ là một phân số chính xác, luôn đi kèm tử số, mẫu số và mã định nghĩa. Phần trăm",
        "chỉ làm tròn khi in: hai chữ số, nửa lên; chưa đủ 100 không in 100.00, lớn hơn 0 không in",
        "0.00. Mẫu số bằng 0 thì không có tỷ lệ (null), trừ khi định nghĩa nói khác.",
        "",
        "A rate is an exact fraction with its numerator, denominator and definition. A percentage",
        "is rounded only when printed: two decimals, half up; less than all never prints 100.00,",
        "more than none never prints 0.00. A denominator of 0 gives no rate (null) unless the",
        "definition says otherwise.",
    ]
    for definition in metrics.definitions:
        lines += ["", *_definition(definition, is_default=definition is metrics.default)]
    lines += ["", "## Số liệu của kỳ / Counts of a period", "", "| Mã | Nghĩa | Meaning |"]
    lines.append("|---|---|---|")
    for count in COUNTS:
        both = " | ".join(phrase(language, f"count.{count}") for language in Language)
        lines.append(f"| `{count}` | {both} |")
    return "\n".join(lines) + "\n"


def _definition(definition: RateDefinition, *, is_default: bool) -> Iterable[str]:
    default = " (mặc định / default)" if is_default else ""
    until = definition.valid_to.isoformat() if definition.valid_to else "…"
    yield f"## `{definition.name}`{default}"
    yield ""
    yield f"{definition.title_vi} / {definition.title_en}"
    yield ""
    yield f"- Tử số / numerator: {_counts(definition.numerator)}"
    yield f"- Mẫu số / denominator: {_counts(definition.denominator)}"
    yield f"- Hiệu lực / in force: {definition.valid_from.isoformat()} – {until}"
    yield f"- Căn cứ / basis: {definition.legal_basis} ({definition.provenance})"
    yield f"- Nơi dùng / used by: {definition.used_by}"
    yield f"- Làm tròn / rounding: {definition.rounding}; mẫu số 0 / when empty: {definition.empty}"
    if definition.note_vi and definition.note_en:
        yield f"- {definition.note_vi} / {definition.note_en}"


def _counts(counts: Iterable[str]) -> str:
    return " + ".join(f"`{count}`" for count in counts)


def rule_sets_page(rule_sets: RuleSets) -> str:
    """Describe every rule set that we ship: basis, validity, rounding, lines and inputs."""
    lines = [
        "# Bộ tiêu chí chấm điểm / Rule sets",
        "",
        GENERATED,
        "",
        "`official`: đã đọc văn bản; `operational`: dựng lại từ phiếu công bố và khớp; `template`:",
        "chưa xác nhận, mọi phiếu đều in «chưa xác nhận».",
        "",
        "`official`: the text was read; `operational`: rebuilt from published sheets and equal to",
        "them; `template`: nobody confirmed its numbers, and every sheet says so.",
    ]
    for rule_set in rule_sets.all:
        lines += ["", *_rule_set(rule_set)]
    return "\n".join(lines) + "\n"


def _rule_set(rule_set: RuleSet) -> Iterable[str]:
    valid = rule_set.valid
    first = valid.first.isoformat() if valid.first else "…"
    last = valid.last.isoformat() if valid.last else "…"
    yield f"## `{rule_set.id}` ({rule_set.provenance})"
    yield ""
    yield _both(rule_set.title)
    yield ""
    for basis in rule_set.basis:
        articles = f", Điều {', '.join(basis.articles)}" if basis.articles else ""
        note = f" – {basis.note}" if basis.note else ""
        yield f"- Căn cứ / basis: {basis.doc}{articles}{note}"
    yield f"- Hiệu lực / in force: {first} – {last}"
    yield f"- Cấp / levels: {', '.join(sorted(rule_set.levels))}"
    numbers = rule_set.numbers
    yield (
        f"- Làm tròn / rounding: {_stage(numbers.leaf)} từng dòng / per leaf, {numbers.node}; "
        f"công bố / published {_stage(numbers.printed)}"
    )
    if rule_set.note is not None:
        yield f"- {_both(rule_set.note)}"
    yield ""
    yield "| Mã / id | Tên / name | Tối đa / max | Cách chấm / method |"
    yield "|---|---|---|---|"
    yield from _rows(rule_set.root, 0)
    for pool in (rule_set.bonus, rule_set.penalty):
        for item in () if pool is None else pool.items:
            yield _leaf(item, 1)
    yield ""
    yield "| Số liệu / input | Nguồn / source |"
    yield "|---|---|"
    for name, binding in rule_set.inputs.items():
        yield f"| `{name}` | {_binding(binding)} |"


def _rows(node: Node, depth: int) -> Iterable[str]:
    yield f"| {_indent(depth)}**`{node.id}`** | **{_both(node.title)}** | {plain(node.max)} | |"
    for child in node.children:
        match child:
            case Node():
                yield from _rows(child, depth + 1)
            case Leaf():
                yield _leaf(child, depth + 1)


def _leaf(leaf: Leaf, depth: int) -> str:
    policies = [f"zero_den: {leaf.zero_den}"] if leaf.zero_den else []
    policies += [f"na: {leaf.na}"] if leaf.na else []
    policies += [f"na ({level}): {policy}" for level, policy in leaf.na_by_level.items()]
    policies += [f"inherit: {leaf.inherit}"] if leaf.inherit else []
    method = "; ".join([_method(leaf.method), *policies])
    return f"| {_indent(depth)}`{leaf.id}` | {_both(leaf.title)} | {plain(leaf.max)} | {method} |"


def _indent(depth: int) -> str:
    return "&nbsp;" * 2 * depth


def _method(method: Method) -> str:
    name = type(method).__name__
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def _both(title: Title) -> str:
    return f"{title.vi} / {title.en}"


def _stage(stage: Stage) -> str:
    return f"{stage.dp} ({stage.rounding})"


def _binding(binding: Binding) -> str:
    match binding:
        case Measure():
            return f"`{binding.name}`"
        case Given():
            return binding.value
        case ByLevel(values):
            return ", ".join(f"{level} {plain(value)}" for level, value in values.items())
        case Peers(aggregate, of):
            return f"peer: {aggregate}({of.text})"
        case CaseList(fields):
            return "danh sách / list: " + ", ".join(f"`{name}`" for name in fields)
