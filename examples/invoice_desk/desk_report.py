"""What the demo prints of a run: the table, the bill, the graph, what waits, and the next command to type."""

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import get_terminal_size

from echelon import Outcome, Supervisor
from echelon.cli.rendering import Screen, one_line, spent
from echelon.protocols.messages import Question
from echelon.supervisor.views import drawing
from echelon.supervisor.views.mermaid import mermaid
from echelon.supervisor.views.svg import svg

from . import desk_view
from .clerks import EXAMPLE
from .desk_tree import tree
from .papers import Inbox, OpenCase, Summary

DEFAULT = Path(".echelon")
FORM = {
    "kind": "invoice",
    "supplier_name": "",
    "supplier_vat_id": None,
    "number": "",
    "issue_date": "YYYY-MM-DD",
    "due_date": None,
    "currency": "EUR",
    "net": "0.00",
    "tax": "0.00",
    "gross": "0.00",
    "iban": None,
}
"""What the bookkeeper fills in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the demo works, and how its commands are typed there."""

    folder: Path
    data: Path

    def echelon(self, *words: str) -> str:
        """A command about the journal of this place."""
        journal = [] if self.data == DEFAULT else ["--journal", str(self.data / "runs.db")]
        return shlex.join([_shown(Path(sys.executable).with_name("echelon")), *words, *journal])

    @property
    def again(self) -> str:
        """The command that goes on with the same inbox."""
        is_example = self.folder.resolve() == EXAMPLE.resolve()
        if is_example and self.data == DEFAULT and Path("Makefile").is_file():
            return "make demo"
        folder = [] if is_example else [str(self.folder)]
        data = [] if self.data == DEFAULT else ["--data", str(self.data)]
        return shlex.join([_shown(Path(sys.executable)), "-m", "examples.invoice_desk", *folder, *data])


def tell(team: Supervisor[Inbox, Summary], outcome: Outcome[Summary], place: Place, screen: Screen) -> None:
    """Print how the run stands, and leave the pictures and the summary beside the journal."""
    found = desk_view.standing(outcome.events)
    if rows := desk_view.rows(found):
        screen.say()
        screen.table(desk_view.HEADS, [_cut(row) for row in rows])
        screen.say(f"\n{desk_view.counted(found)}", style="bold")
        screen.say(f"posted: {desk_view.posted(found)}")
    screen.say(f"\nbill: {spent(outcome.usage)}", style="bold")
    for line in outcome.bill.models:
        screen.say(f"  {line.name}: {spent(line.usage)}")
    screen.say("\ngraph", style="bold")
    for branch in tree(team, outcome.events):
        screen.say(f"  {branch}")
    screen.say(f"  drawn in {', '.join(_drawn(team, outcome, place.data))}")
    _tell_waiting(outcome, found, place, screen)
    _tell_end(outcome, [*found.waiting.values(), *outcome.questions], place, screen)


def _cut(row: tuple[str, ...]) -> tuple[str, ...]:
    """The row in columns that fit into the terminal, or into 150 characters of a file."""
    widths = (38, 26, 14, max(38, get_terminal_size((150, 0)).columns - 84))
    return tuple(one_line(text, most) for text, most in zip(row, widths, strict=True))


def _drawn(team: Supervisor[Inbox, Summary], outcome: Outcome[Summary], data: Path) -> list[str]:
    pictures = {"team": drawing.team(team, outcome.events)}
    if any(event.type == "planned" and event.path == "" for event in outcome.events):
        pictures["plan"] = drawing.plan(outcome.entries)
    names: list[str] = []
    for name, picture in sorted(pictures.items()):
        for suffix, text in (("svg", svg(picture)), ("mmd", mermaid(picture))):
            path = data / f"{name}.{suffix}"
            path.write_text(text, encoding="utf-8")
            names.append(str(path))
    return names


def _tell_waiting(outcome: Outcome[Summary], found: desk_view.Standing, place: Place, screen: Screen) -> None:
    if not outcome.questions:
        return
    screen.say("\nwaits for people (`reject` in place of `approve` says no; --note adds why)", style="bold")
    for document, question in found.waiting.items():
        reason = OpenCase.model_validate(question.subject).decision.reason
        screen.say(f"  {question.of}: {document}: {one_line(reason, 110)}", style="yellow")
        screen.say(f"    {answer_command(outcome.run, question, place)}")
    for question in outcome.questions:
        if question not in found.waiting.values():
            screen.say(f"  {question.of}: {one_line(question.prompt, 110)}", style="yellow")
            screen.say(f"    {answer_command(outcome.run, question, place)}")


def answer_command(run: str, question: Question, place: Place) -> str:
    """Return the command that says yes to a question; where a value is asked for, it is read from a form."""
    if question.asks != "report":
        return place.echelon("approve", run, question.id)
    form = _form(OpenCase.model_validate(question.subject), place.data / "forms")
    return f'{place.echelon("approve", run, question.id)} --value "$(cat {shlex.quote(str(form))})"'


def _form(case: OpenCase, folder: Path) -> Path:
    """The form for a document: what a person has read in it, for the example; else empty, to be filled in."""
    path = folder / f"{case.document}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        example = EXAMPLE.parent / "answers" / f"{Path(case.document).stem}.json"
        if Path(case.file.folder).resolve() == EXAMPLE.resolve() and example.exists():
            path.write_text(example.read_text(encoding="utf-8"), encoding="utf-8")
        else:
            path.write_text(json.dumps({"invoice": FORM, "note": ""}, indent=2) + "\n", encoding="utf-8")
    return path


def _tell_end(outcome: Outcome[Summary], asked: Sequence[Question], place: Place, screen: Screen) -> None:
    screen.say("\nnext", style="bold")
    match outcome.status:
        case "waiting":
            first = asked[0]
            screen.say(f"  {answer_command(outcome.run, first, place)}")
            screen.say(f"  {place.again}")
        case "delivered":
            path = place.data / "summary.md"
            path.write_text(outcome.output.markdown, encoding="utf-8")
            screen.say(f"  the reviewed summary is in {path}; this inbox is done, and typed again posts nothing twice")
            screen.say(f"  {place.echelon('show', outcome.run)}")
        case _:
            failure = outcome.failure
            said = f"{failure.kind}: {failure.message}" if failure is not None else outcome.status
            screen.say(f"  {outcome.status}: {one_line(said, 300)}", style="red")
            screen.say(f"  {place.echelon('show', outcome.run)}")
            screen.say(f"  {place.again}")


def _shown(path: Path) -> str:
    """A path as it is typed from here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
