"""The words of the mails."""

from dataclasses import replace
from datetime import date

import pytest

from app.domain.alert import Level
from app.domain.digest import DigestLine, Dropped, Silent
from app.domain.mail import Topic
from app.exports import digest_mail
from app.exports.digest_mail import Written
from app.i18n import Language
from tests.domain.test_digest import digest_of

LINES = tuple(
    DigestLine(f"H44-{n}", "mot-cua", "H44", "1.001193", "overdue+1", date(2026, 8, 6), 2)
    for n in range(3)
)


def written(language: Language = Language.VI, **more: object) -> Written:
    told = digest_of(
        {("H44", "overdue+1"): 1200, ("H44.1", "due-2"): 1},
        (Silent("mot-cua", date(2026, 8, 3)),),
        paused=2,
    )
    return digest_mail.digest(
        replace(told, lines=LINES, **more),  # type: ignore[arg-type] # any field
        language=language,
        public_url="https://dung-han.vn",
        leave_url="https://dung-han.vn/leave",
    )


def test_a_digest_names_numbers_days_late_and_what_was_left_out() -> None:
    words = written()

    assert words.subject == (
        "[Đúng Hạn] H44: 1.200 hồ sơ quá hạn, 1 hồ sơ sắp đến hạn, 1 nguồn ngừng gửi dữ liệu"
    )
    for text in (
        "Kính gửi: Tỉnh Phú Thọ",
        "trễ 2 ngày làm việc",
        "06/08/2026",
        "2 hồ sơ đang tạm dừng",
        "Còn 1.198 hồ sơ khác",
        "mot-cua: không có tin mới từ ngày 03/08/2026",
        "https://dung-han.vn/dossiers/H44-0?source=mot-cua",
        "https://dung-han.vn/leave",
    ):
        assert text in words.text


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("level", list(Level))
def test_every_level_has_words_in_both_languages(language: Language, level: Level) -> None:
    dropped = dict.fromkeys(Dropped, 3)
    words = written(language, level=level, dropped=dropped)

    assert words.text.count("3") >= len(Dropped)


def test_one_day_is_said_as_rightly_as_several() -> None:
    one_day = tuple(replace(line, late_working_days=1) for line in LINES)
    told = replace(digest_of({("H44", "overdue+1"): 3, ("H44", "due-1"): 1}, ()), lines=one_day)
    words = digest_mail.digest(
        told, language=Language.EN, public_url="https://dung-han.vn", leave_url="https://x.vn"
    )

    for text in (
        "overdue for 1 or more working days: 3",
        "due in 1 working day(s): 1",
        "working days late: 1",
    ):
        assert text in words.text
    assert "1 working days" not in words.text


def test_the_units_of_a_large_digest_are_bounded() -> None:
    numbers = {(f"H44.{n}", "overdue+1"): n + 1 for n in range(100)}
    words = written(numbers=numbers)

    assert "và 70 đơn vị khác" in words.text
    assert len(words.html) < 20_000


@pytest.mark.parametrize("language", list(Language))
def test_the_mail_that_asks_names_what_would_come(language: Language) -> None:
    words = digest_mail.confirmation(
        unit_name="UBND phường Việt Trì",
        topics=[topic.value for topic in Topic],
        language=language,
        confirm_url="https://dung-han.vn/yes",
    )

    assert "UBND phường Việt Trì" in words.text
    assert "https://dung-han.vn/yes" in words.text
    assert words.text.count("  - ") == len(Topic)
