"""Write the reference pages that come from the code: settings, commands, rates, rule sets."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from app.cli import build, tell
from app.rulebook.metrics import load_metrics
from app.rulebook.pages import metrics_page, rule_sets_page
from app.rulebook.rule_sets import load_rule_sets
from app.settings import Settings, file_name_of, is_secret, variable_of

FOLDER: Final = Path(__file__).resolve().parents[2] / "docs" / "reference"
GENERATED: Final = "<!-- Written by `python3 run.py reference`; change the code, not this page. -->"

commands = typer.Typer()


@commands.command()
def reference(
    *,
    check: Annotated[bool, typer.Option(help="Write nothing; fail when a page is stale.")] = False,
) -> None:
    """Write the pages of settings, commands, rates and rule sets into docs/reference."""
    stale = [path for path, page in pages().items() if _text(path) != page]
    if check and stale:
        tell("reference.stale", pages=", ".join(path.name for path in stale))
        raise typer.Exit(1)
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(pages()[path], encoding="utf-8")


def pages() -> dict[Path, str]:
    """Return the text of each generated page by its path."""
    return {
        FOLDER / "settings.md": settings_page(),
        FOLDER / "commands.md": commands_page(),
        FOLDER / "metrics.md": metrics_page(load_metrics()),
        FOLDER / "rule-sets.md": rule_sets_page(load_rule_sets()),
    }


def settings_page() -> str:
    """Describe every setting: its variable, what it means and its default."""
    lines = [
        "# Settings",
        "",
        GENERATED,
        "",
        "Read once from the environment at start. An unknown name that begins with `DUNGHAN_`",
        "stops the start. A secret may be given by file: `…_FILE` holds the path.",
        "",
        "| Variable | Meaning | Default |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        secret = f" or `{file_name_of(name)}`" if is_secret(field.annotation) else ""
        lines.append(
            f"| `{variable_of(name)}`{secret} | {field.description} | {_shown(field.default)} |"
        )
    return "\n".join(lines) + "\n"


def commands_page() -> str:
    """Describe every command: its usage, what it does and its options."""
    lines = ["# Commands", "", GENERATED, "", "Each is typed as `python3 run.py <command>`.", ""]
    for name, command in _commands(typer.main.get_command(build())):
        lines += [f"## {name}", "", inspect.cleandoc(command.help or ""), ""]
        options = [
            f"- `{' / '.join([*option.opts, *option.secondary_opts])}`: "
            f"{getattr(option, 'help', None) or ''}".rstrip(": ")
            for option in command.params
            if option.name != "help"
        ]
        lines += [*options, ""] if options else []
    return "\n".join(lines).rstrip() + "\n"


def _commands(group: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every command with the words by which it is called, those of a group behind it."""
    for name, command in sorted(getattr(group, "commands", {}).items()):
        yield above + name, command
        yield from _commands(command, f"{above}{name} ")


def _shown(default: object) -> str:
    if default is None or default == ():
        return "–"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None
