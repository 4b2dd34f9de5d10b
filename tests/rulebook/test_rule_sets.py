"""Rule sets are read strictly: the shipped ones are sound, each mistake has its message."""

import re
from datetime import date
from pathlib import Path

import pytest

from app.domain.lint import Severity
from app.domain.rule_set import Leaf, Level, Provenance
from app.i18n import Language, has_phrase, phrase
from app.rulebook.entry import RulebookRefused
from app.rulebook.metrics import load_metrics
from app.rulebook.rule_sets import (
    INDEX_FOLDER,
    MAX_BYTES,
    RuleSetNotInForce,
    UnknownRuleSet,
    examine,
    load_rule_sets,
    parse_rule_set,
)

HERE = Path(__file__).parent
GALLERY = sorted((HERE / "malformed").glob("*.yaml"))
SHIPPED = {
    "progress.feed-1",
    "qd766.profile-2026",
    "tt01-2018.unit",
    "nd307-2025.xa",
    "par-tthc.template",
    "qd25-2021.gate",
    "cantho-2579.class",
    "haiphong-212.head",
}
WELL_FORMED = (HERE / "well-formed.yaml").read_text(encoding="utf-8")


def expected(text: str, name: str) -> str:
    match = re.search(rf"^# {name}: ?(.*)$", text, re.MULTILINE)
    assert match is not None
    return match.group(1)


def test_every_set_that_we_ship_is_sound() -> None:
    metrics = load_metrics()

    for path in INDEX_FOLDER.glob("*.yaml"):
        _, findings = examine(path.read_text(encoding="utf-8"), metrics=metrics)
        assert findings == (), path.name
    assert {rule_set.id for rule_set in load_rule_sets().all} == SHIPPED


def test_the_well_formed_example_of_the_gallery_has_no_fault() -> None:
    assert examine(WELL_FORMED, metrics=load_metrics())[1] == ()


@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.stem)
def test_a_malformed_set_stops_with_the_file_the_node_and_the_fault(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    with pytest.raises(RulebookRefused) as refused:
        parse_rule_set(text, file=path.name, metrics=load_metrics())

    first = refused.value.findings[0]
    assert refused.value.file == path.name
    assert (first.where, first.code) == (expected(text, "where"), expected(text, "fault"))
    assert phrase(Language.EN, first.code, first.params) == expected(text, "en")
    assert phrase(Language.VI, first.code, first.params) == expected(text, "vi")


def test_a_refusal_names_its_first_fault_and_their_number() -> None:
    with pytest.raises(RulebookRefused) as refused:
        parse_rule_set("schema: x", file="x.yaml", metrics=load_metrics())

    assert refused.value.params["file"] == "x.yaml"
    assert int(refused.value.params["count"]) > 1
    assert "x.yaml" in phrase(Language.VI, refused.value.code, refused.value.params)


@pytest.mark.parametrize("text", ["", "- 1", "just words", "a: {", "\x00", "? [a]\n: 1", "{}"])
def test_what_is_no_rule_set_at_all_is_refused_and_nothing_worse(text: str) -> None:
    with pytest.raises(RulebookRefused):
        parse_rule_set(text, file="x.yaml", metrics=load_metrics())


def test_a_file_too_large_is_refused_before_it_is_read() -> None:
    _, findings = examine("x" * (MAX_BYTES + 1), metrics=load_metrics())

    assert [finding.code for finding in findings] == ["yaml.too_large"]


def test_a_set_is_chosen_by_the_last_day_of_the_period() -> None:
    rule_sets = load_rule_sets()

    assert rule_sets.get("tt01-2018.unit", date(2025, 6, 30)).provenance is Provenance.OFFICIAL
    with pytest.raises(RuleSetNotInForce):
        rule_sets.get("tt01-2018.unit", date(2025, 7, 1))
    with pytest.raises(UnknownRuleSet):
        rule_sets.get("tt01", date(2025, 6, 30))


def test_a_template_has_no_dates_and_is_never_confirmed() -> None:
    template = load_rule_sets().get("par-tthc.template", date(2026, 12, 31))

    assert (template.valid.first, template.provenance.confirmed) == (None, False)


def test_two_versions_in_force_on_one_day_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(WELL_FORMED, encoding="utf-8")
    (tmp_path / "b.yaml").write_text(WELL_FORMED.replace("2026-01-01", "2027-01-01"), "utf-8")

    with pytest.raises(RulebookRefused) as refused:
        load_rule_sets(tmp_path)

    assert refused.value.fault == "lint.validity_overlaps"


def test_versions_that_follow_each_other_are_both_kept(tmp_path: Path) -> None:
    first = WELL_FORMED.replace("{from: 2026-01-01}", "{from: 2026-01-01, to: 2026-12-31}")
    second = WELL_FORMED.replace("2026-01-01", "2027-01-01")
    (tmp_path / "a.yaml").write_text(first, encoding="utf-8")
    (tmp_path / "b.yaml").write_text(second, encoding="utf-8")

    rule_sets = load_rule_sets(tmp_path)

    assert rule_sets.get("example.set", date(2026, 12, 31)).valid.last == date(2026, 12, 31)
    assert rule_sets.get("example.set", date(2027, 12, 31)).valid.last is None


def test_a_defect_of_an_official_text_is_a_warning_and_does_not_stop_it() -> None:
    text = WELL_FORMED.replace("{when: late == 0, score: 2}", "{when: late == 0, score: 1.5}")

    rule_set, findings = examine(text, metrics=load_metrics())

    assert rule_set is not None
    assert [(f.code, f.severity) for f in findings] == [
        ("lint.never_reaches_max", Severity.WARNING)
    ]


def test_levels_may_be_awarded_or_left_out_one_by_one() -> None:
    rule_set = load_rule_sets().get("qd766.profile-2026", date(2026, 12, 31))
    copies = next(leaf for leaf in rule_set.leaves if leaf.id == "e_certified_copy")

    assert isinstance(copies, Leaf)
    assert list(copies.na_by_level) == [Level.COMMUNE]


def test_every_code_of_a_fault_or_a_branch_has_a_sentence_in_both_languages() -> None:
    app = INDEX_FOLDER.parent.parent
    sources = [*(app / "domain").glob("*.py"), *(app / "rulebook").glob("*.py")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    spaces = "lint|rulebook|metric|yaml|branch|warning|failed|pending|na|zero_den|zero|excluded"
    codes = set(re.findall(rf'"((?:{spaces})\.[a-z_.]+)"', text))
    codes |= {f"rulebook.{found}" for found in re.findall(r'\.fault\("([a-z_]+)"', text)}
    codes |= {f"expression.{found}" for found in re.findall(r'Refused\("([a-z_]+)"', text)}
    codes -= {"yaml.anchor", "yaml.tag"}  # spelled from the attribute of an event

    assert len(codes) > 80
    for code in sorted(codes | {"yaml.anchor", "yaml.tag"}):
        for language in Language:
            assert has_phrase(language, code), (language, code)
