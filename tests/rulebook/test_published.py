"""The printed reports: they add up as far as they were printed, and their files are strict."""

import pytest

from app.domain.tally import Count
from app.rulebook.entry import RulebookRefused
from app.rulebook.published import (
    FOLDER,
    Report,
    ReportUnknown,
    get_report,
    load_reports,
    parse_report,
)
from app.usecases.published import expected, size_of

TEXT = (FOLDER / "thach-ha-2019.toml").read_text(encoding="utf-8")


def test_each_report_is_found_by_its_name() -> None:
    assert sorted(load_reports()) == [
        "lam-dong-2020-q1",
        "phu-tho-2026-08",
        "quan-1-2018",
        "thach-ha-2019",
        "vinh-phuc-2021-09",
    ]
    with pytest.raises(ReportUnknown, match="thach-ha-2019"):
        get_report("thach-ha")


@pytest.mark.parametrize("report", load_reports().values(), ids=lambda report: str(report.id))
def test_the_dossiers_of_a_report_have_its_printed_totals(report: Report) -> None:
    counts = expected(report)

    for figure in report.figures:
        if figure.counts:
            assert sum(counts.get(count, 0) for count in figure.counts) == figure.value


@pytest.mark.parametrize("report", load_reports().values(), ids=lambda report: str(report.id))
def test_a_report_names_where_it_was_read(report: Report) -> None:
    assert report.source
    assert report.note.vi != report.note.en
    assert report.first < report.last
    assert expected(report)[Count.CARRIED_OVER] <= size_of(report)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("carried_over = 0", "carried_over = -1", "rulebook.not_a_whole_number"),
        ("carried_over = 0", "carried = 0", "rulebook.missing_key"),
        ('fate = "on_time"', 'fate = "lucky"', "rulebook.not_a_choice"),
        ('printed = "386"', 'printed = "ba trăm"', "rulebook.not_a_number"),
        ('"received_by_post"', '"received_by_pigeon"', "rulebook.not_a_choice"),
        ("first = 2019-01-01", 'first = "01/01/2019"', "rulebook.not_a_day"),
        ("[[way]]", "[[way]]\nspeed = 1", "rulebook.unknown_key"),
        ("[[way]]", "[[way", "rulebook.unreadable"),
    ],
)
def test_a_file_with_a_mistake_is_refused(old: str, new: str, fault: str) -> None:
    with pytest.raises(RulebookRefused) as caught:
        parse_report(TEXT.replace(old, new, 1), file="thach-ha-2019.toml")

    assert fault in {finding.code for finding in caught.value.findings}
