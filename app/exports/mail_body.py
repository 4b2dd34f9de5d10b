"""A mail as plain text and as HTML, from the same blocks, so that neither says less."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import assert_never

from app.i18n import Language


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of what follows."""

    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """A place to go to."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under titles; each row may lead somewhere from its first cell."""

    titles: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], str | None], ...]


Block = Heading | Paragraph | Items | Link | Table

_CELL = 'style="border:1px solid #777;padding:3px 6px;text-align:left"'


def text_of(blocks: Sequence[Block]) -> str:
    """Return the blocks as plain text."""
    return "\n".join(_text(block) for block in blocks)


def _text(block: Block) -> str:
    match block:
        case Heading():
            return f"{block.text.upper()}\n"
        case Paragraph():
            return f"{block.text}\n"
        case Items():
            return "".join(f"  - {text}\n" for text in block.texts)
        case Link():
            return f"{block.text}:\n{block.url}\n"
        case Table():
            lines = [" | ".join(block.titles)]
            for number, (cells, url) in enumerate(block.rows, start=1):
                lines.append(f"{number}. " + " | ".join(cells))
                lines += [f"   {url}"] if url else []
            return "\n".join(lines) + "\n"
        case _:
            assert_never(block)


def html_of(blocks: Sequence[Block], *, language: Language, title: str) -> str:
    """Return the blocks as HTML that needs nothing from elsewhere; every text is escaped."""
    body = "\n".join(_html(block) for block in blocks)
    return (
        f'<!doctype html>\n<html lang="{language.value}">\n<head><meta charset="utf-8">'
        f"<title>{escape(title)}</title></head>\n"
        f'<body style="font:15px/1.5 Arial,sans-serif;color:#000">\n{body}\n</body>\n</html>\n'
    )


def _html(block: Block) -> str:
    match block:
        case Heading():
            return f'<h2 style="font-size:17px">{escape(block.text)}</h2>'
        case Paragraph():
            return f"<p>{escape(block.text)}</p>"
        case Items():
            items = "".join(f"<li>{escape(text)}</li>" for text in block.texts)
            return f"<ul>{items}</ul>"
        case Link():
            return f"<p>{_anchor(block.text, block.url)}</p>"
        case Table():
            titles = "".join(f"<th {_CELL}>{escape(title)}</th>" for title in block.titles)
            rows = "\n".join(_row(cells, url) for cells, url in block.rows)
            return (
                '<table style="border-collapse:collapse">'
                f"<thead><tr>{titles}</tr></thead>\n<tbody>\n{rows}\n</tbody></table>"
            )
        case _:
            assert_never(block)


def _row(cells: Sequence[str], url: str | None) -> str:
    shown = [escape(cell) for cell in cells]
    if url is not None and shown:
        shown[0] = _anchor(cells[0], url)
    return "<tr>" + "".join(f"<td {_CELL}>{cell}</td>" for cell in shown) + "</tr>"


def _anchor(text: str, url: str) -> str:
    return f'<a href="{escape(url, quote=True)}">{escape(text)}</a>'
