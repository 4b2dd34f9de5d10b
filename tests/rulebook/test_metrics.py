"""The definitions of rates: complete, dated, and refused with a reason when malformed."""

from datetime import date
from pathlib import Path

import pytest

from app.domain.lint import Finding
from app.domain.rate import Empty
from app.domain.rounding import Rounding
from app.domain.tally import Tally
from app.rulebook.entry import RulebookRefused
from app.rulebook.metrics import UnknownDefinition, load_metrics, parse_metrics

IDS = {
    "on_time_of_finished",
    "on_time_of_received",
    "progress_766",
    "on_time_of_due",
    "finished_on_time_of_received",
    "early_share",
    "late_share",
    "online_share",
    "postal_return_share",
    "apology_share",
    "publication_share",
    "vendor_06a",
    "vendor_all_handled",
    "vendor_truncated",
}
GOOD = """
[[metric]]
id = "x"
version = 1
default = true
numerator = ["finished_early"]
denominator = ["finished_early", "finished_late"]
title = { vi = "Tỷ lệ", en = "Rate" }
used_by = "thử"
legal_basis = "thử"
provenance = "local"
valid_from = 2020-01-01
"""


def findings(text: str) -> list[Finding]:
    with pytest.raises(RulebookRefused) as refused:
        parse_metrics(text, file="metrics.toml")
    return list(refused.value.findings)


def test_every_rate_of_the_contract_is_defined() -> None:
    metrics = load_metrics()

    assert {definition.id for definition in metrics.definitions} == IDS
    assert metrics.default.name == "on_time_of_finished@1"


def test_a_numerator_never_counts_what_its_denominator_does_not() -> None:
    apart = {"progress_766", "on_time_of_due", "finished_on_time_of_received", "online_share",
             "publication_share"}  # fmt: skip
    for definition in load_metrics().definitions:
        if definition.id not in apart:
            assert set(definition.numerator) < set(definition.denominator), definition.id


@pytest.mark.parametrize(
    ("definition", "counts", "percent"),
    [
        ("on_time_of_finished@1", {"finished_on_time": 76_550}, "100.00"),
        (
            "finished_on_time_of_received@1",
            {"received": 76_936, "finished_on_time": 76_550},
            "99.50",
        ),
        (
            "finished_on_time_of_received@1",
            {"received": 585_336, "finished_on_time": 585_116},
            "99.96",
        ),
        ("on_time_of_due@1", {"due": 4_169, "due_met": 4_157}, "99.71"),
        (
            "on_time_of_finished@1",
            {"finished_on_time": 635_593, "finished_late": 7_677},
            "98.81",
        ),
        (
            "progress_766@1",
            {"progress_766_on_time": 2_541, "progress_766_received": 2_618},
            "97.06",
        ),
        (
            "vendor_06a@1",
            {"finished_on_time": 1, "withdrawn": 1, "finished_no_due": 1, "finished_late": 1},
            "75.00",
        ),
        ("vendor_truncated@1", {}, "100.00"),
        ("vendor_truncated@1", {"finished_on_time": 2, "finished_late": 1}, "66.00"),
        ("on_time_of_finished@1", {}, None),
    ],
)
def test_published_figures_come_out_of_their_definition(
    definition: str, counts: dict[str, int], percent: str | None
) -> None:
    rate = load_metrics().get(definition).of(Tally.from_mapping(counts))

    assert (rate.definition, rate.percent) == (definition, percent)


def test_a_definition_is_chosen_by_the_day() -> None:
    metrics = load_metrics()

    assert metrics.named("progress_766", date(2026, 8, 31)).name == "progress_766@1"
    with pytest.raises(UnknownDefinition):
        metrics.named("progress_766", date(2021, 12, 31))
    with pytest.raises(UnknownDefinition):
        metrics.named("progress_766@2", date(2026, 8, 31))


def test_the_copy_of_a_vendors_rate_says_how_it_rounds() -> None:
    definition = load_metrics().get("vendor_truncated@1")

    assert (definition.rounding, definition.empty) == (Rounding.TRUNCATE, Empty.FULL)


def test_a_good_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "metrics.toml"
    path.write_text(GOOD, encoding="utf-8")

    assert load_metrics(path).default.title_vi == "Tỷ lệ"


@pytest.mark.parametrize(
    ("change", "where", "code"),
    [
        (("id =", "idd ="), "metric/0", "rulebook.missing_key"),
        (
            ('"finished_early"]', '"finished_erly"]'),
            "metric/x/numerator/0",
            "rulebook.not_a_choice",
        ),
        (('["finished_early"]', "[]"), "metric/x/numerator", "rulebook.empty"),
        (
            ('["finished_early"]', '["finished_early", "finished_early"]'),
            "metric/x/numerator",
            "rulebook.twice",
        ),
        (("version = 1", "version = 1.5"), "metric/x/version", "rulebook.not_a_whole_number"),
        (("version = 1", "version = true"), "metric/x/version", "rulebook.not_a_number"),
        (("2020-01-01", '"hôm nay"'), "metric/x/valid_from", "rulebook.not_a_day"),
        (("2020-01-01", "2020-01-01T00:00:00"), "metric/x/valid_from", "rulebook.not_a_day"),
        (('en = "Rate"', 'fr = "Taux"'), "metric/x/title", "rulebook.missing_key"),
        (("default = true", 'default = "có"'), "metric/x/default", "rulebook.not_a_flag"),
        (("default = true", ""), "metric", "metric.one_default"),
        (
            ('legal_basis = "thử"', 'legal_basis = ""'),
            "metric/x/legal_basis",
            "rulebook.not_a_text",
        ),
        (('"local"', '"rumour"'), "metric/x/provenance", "rulebook.not_a_choice"),
        (("[[metric]]", "[[metric]"), "", "rulebook.unreadable"),
        (("2020-01-01", "2020-01-01\nround = 2"), "metric/x", "rulebook.unknown_key"),
        (
            ("2020-01-01", "2020-01-01\nvalid_to = 2019-01-01"),
            "metric/x",
            "metric.ends_before_it_begins",
        ),
        (
            ("2020-01-01", "2020-01-01" + GOOD.replace("default = true", "")),
            "metric/x",
            "metric.version_not_rising",
        ),
        (
            ("2020-01-01", "2020-01-01" + GOOD.replace("default = true", "").replace("= 1", "= 2")),
            "metric/x",
            "metric.versions_overlap",
        ),
    ],
)
def test_a_malformed_file_stops_with_the_entry_and_the_fault(
    change: tuple[str, str], where: str, code: str
) -> None:
    text = GOOD.replace(*change, 1)
    assert text != GOOD

    assert (where, code) in [(finding.where, finding.code) for finding in findings(text)]
