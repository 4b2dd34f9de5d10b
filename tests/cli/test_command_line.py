"""The command line as a whole: languages, exit codes, no value of a secret."""

import pytest

from app import cli
from app.domain.errors import Conflict, Forbidden, Invalid, NotFound
from app.i18n import Language
from app.store.session import StorageUnavailable, Trouble


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["run.py", *arguments])
    with pytest.raises(SystemExit) as ended:
        raise SystemExit(cli.run())
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize(
    ("locale", "expected"),
    [("vi_VN.UTF-8", Language.VI), ("en_GB", Language.EN), ("C", Language.VI), ("", Language.VI)],
)
def test_the_operator_is_spoken_to_in_vietnamese_unless_the_locale_is_english(
    monkeypatch: pytest.MonkeyPatch, locale: str, expected: Language
) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    monkeypatch.delenv("LANG", raising=False)

    assert cli.language() is expected


def test_each_kind_of_refusal_has_its_exit_code() -> None:
    kinds = [NotFound(), Conflict(), Invalid(), Forbidden()]

    assert [cli.exit_code(error) for error in kinds] == [3, 4, 5, 6]


def test_a_database_that_cannot_serve_is_a_temporary_failure() -> None:
    assert cli.exit_code(StorageUnavailable(trouble=Trouble.BUSY)) == cli.UNAVAILABLE


def test_a_broken_configuration_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    monkeypatch.setenv("DUNGHAN_PROT", "1")

    code = run(monkeypatch, "migrate")

    assert code == cli.MISCONFIGURED
    assert "unknown: DUNGHAN_PROT" in capsys.readouterr().err


def test_a_command_that_does_not_exist_is_a_mistake_in_use(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "no-such-command") == 2
    assert "no-such-command" in capsys.readouterr().err


def test_a_database_that_is_not_there_leaves_as_a_sentence_without_the_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DUNGHAN_DATABASE_URL", "postgresql://u:s3cret-word@127.0.0.1:1/d")
    monkeypatch.setenv("DUNGHAN_HASH_KEY", "k" * 32)

    assert run(monkeypatch, "migrate") == cli.UNAVAILABLE
    assert "s3cret-word" not in capsys.readouterr().err


def test_every_module_of_the_command_line_holds_commands() -> None:
    assert all(hasattr(noun, "commands") for noun in cli.nouns())
