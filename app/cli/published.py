"""Try the service with reports as they were printed: send their dossiers, read the figures back."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import islice
from typing import Annotated, Any, Final

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from app.cli import language, tell
from app.i18n import Language, format_number, phrase
from app.rulebook.calendars import load_state_calendar
from app.rulebook.published import Report, Title, get_report, load_reports
from app.usecases import published
from app.usecases.published import Comparison

commands = typer.Typer()
group = typer.Typer(
    no_args_is_help=True, help="Số liệu đã công bố. / Reports as they were printed."
)
commands.add_typer(group, name="published")

Call = Callable[[str, str, object], Any]
"""Asks the service: method, path with query, body; gives the decoded answer."""

BATCH: Final = 1_000
TRIES: Final = 8
LONGEST_WAIT: Final = 30
"""Seconds."""
NOT_ACCEPTED: Final = ("stale", "quarantined")


class Refused(RuntimeError):
    """The service did not take what it was sent; the message is its answer."""


@group.command("list")
def list_() -> None:
    """Liệt kê các báo cáo có sẵn. / List the reports that are shipped."""
    for report in load_reports().values():
        print(f"{report.id}  {_in(language(), report.title)}")


@group.command()
def send(
    report: Annotated[str, typer.Argument(help="Tên báo cáo. / Name of the report.")],
    url: Annotated[str, typer.Option(help="Địa chỉ dịch vụ. / Address of the service.")],
    key: Annotated[
        str, typer.Option(envvar="DUNGHAN_KEY", help="Khóa toàn quyền. / A key of every scope.")
    ],
    scale: Annotated[
        int, typer.Option(min=1, help="1 hồ sơ thay cho bấy nhiêu. / One dossier for so many.")
    ] = 1,
    under: Annotated[
        str | None, typer.Option(help="Đơn vị cấp trên. / Unit below which it is registered.")
    ] = None,
    connections: Annotated[int, typer.Option(min=1, max=16)] = 4,
) -> None:
    """Gửi hồ sơ có đúng tổng số đã công bố, đọc lại mọi số liệu và in cạnh bản in.

    Send dossiers with exactly the printed totals, read every figure back, print both.
    """
    wanted = published.scaled(get_report(report), scale)
    headers = {"Authorization": f"Bearer {key}", "Accept-Language": language().value}
    with closing(httpx.Client(base_url=url, headers=headers, timeout=60)) as client:
        found = run(wanted, partial(over_http, client), connections=connections, under=under)
    show(wanted, found)
    if not found.is_equal:
        raise typer.Exit(1)


def over_http(client: httpx.Client, method: str, path: str, body: object) -> Any:
    """Ask over HTTP, waiting when the service asks to.

    :raises Refused: the answer is a refusal.
    """
    answer = client.request(method, path, json=body)
    for _ in range(TRIES):
        if answer.status_code not in {429, 503}:
            break
        time.sleep(min(LONGEST_WAIT, int(answer.headers.get("Retry-After", "1"))))
        answer = client.request(method, path, json=body)
    if answer.is_error:
        raise Refused(f"{method} {path}: {answer.status_code} {answer.text}")
    return answer.json()


def run(
    report: Report,
    call: Call,
    *,
    connections: int = 1,
    under: str | None = None,
    console: Console | None = None,
) -> Comparison:
    """Send the dossiers of a report, read the figures of its period back and compare.

    :raises Refused: the service did not accept a dossier.
    """
    register(report, call, under=under)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, TimeRemainingColumn(), console=console or Console(stderr=True)) as bar:
        task = bar.add_task(report.id, total=published.size_of(report))
        with ThreadPoolExecutor(connections) as pool:
            batches = _batches(report)
            while some := list(islice(batches, connections)):
                for sent in pool.map(partial(_sent, call), some):
                    bar.advance(task, sent)
    return read_back(report, call)


def register(report: Report, call: Call, *, under: str | None) -> None:
    """Register the units and the procedures of a report."""
    own, *below = published.units(report)
    if under is not None:
        own["parent"] = under
    call("POST", "/v1/units/batch", {"units": [own, *below]})
    call("POST", "/v1/procedures/batch", {"procedures": published.procedures()})


def _batches(report: Report) -> Iterator[list[dict[str, object]]]:
    records = published.records(report, load_state_calendar())
    while some := list(islice(records, BATCH)):
        yield some


def _sent(call: Call, records: list[dict[str, object]]) -> int:
    answer = call("POST", "/v1/dossiers/batch", {"dossiers": records})
    if any(answer[verdict] for verdict in NOT_ACCEPTED):
        raise Refused(str(answer["results"][:3]))
    return len(records)


def read_back(report: Report, call: Call) -> Comparison:
    """Read every count and every definition's rate of the report's unit and period."""
    known = call("GET", "/v1/definitions", None)["definitions"]
    query = "&".join(
        (
            f"unit={report.unit_code}&from={report.first}&to={report.last}&group_by=child",
            "definitions=" + ",".join(one["name"] for one in known),
        )
    )
    total = call("GET", f"/v1/statistics?{query}", None)["total"]
    return published.compare(
        report,
        total["counts"],
        [
            (rate["definition"], rate["numerator"], rate["denominator"], rate["percent"])
            for rate in total["rates"]
        ],
        total["identities"],
    )


# ---------------------------------------------------------------- on the screen


def show(report: Report, found: Comparison, console: Console | None = None) -> None:
    """Print the figures as they were printed beside those that were read back."""
    first, screen = language(), console or Console()
    screen.print(f"[bold]{_in(first, report.title)}[/] · {report.first} – {report.last}")
    screen.print(report.source, style="dim")
    screen.print(_in(first, report.note), style="dim")
    figures = Table(*(phrase(first, f"published.column.{name}") for name in _FIGURE_COLUMNS))
    for one in found.figures:
        figures.add_row(
            _in(first, one.figure.title),
            one.figure.printed,
            _number(first, one.wanted),
            _number(first, one.read),
            "–" if one.read is None else "✓" if one.read == one.wanted else "✗",
        )
    screen.print(figures)
    rates = Table(*(phrase(first, f"published.column.{name}") for name in _RATE_COLUMNS))
    for rate in found.rates:
        rates.add_row(
            rate.definition,
            f"{_number(first, rate.numerator)} / {_number(first, rate.denominator)}",
            rate.percent or "–",
            ", ".join(rate.printed),
        )
    screen.print(rates)
    for name, (wanted, read) in found.different.items():
        tell("published.different", count=name, wanted=str(wanted), read=str(read))
    tell("published.equal" if found.is_equal else "published.not_equal", report=report.id)


_FIGURE_COLUMNS: Final = ("figure", "printed", "sent", "read", "agrees")
_RATE_COLUMNS: Final = ("definition", "fraction", "percent", "explains")


def _in(first: Language, title: Title) -> str:
    return title.vi if first is Language.VI else title.en


def _number(first: Language, number: int | None) -> str:
    return "–" if number is None else format_number(first, number)
