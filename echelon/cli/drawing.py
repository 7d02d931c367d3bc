"""`graph`: a team or a plan as Mermaid or SVG, with what ran."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from ..protocols.errors import UsageError
from ..protocols.events import Planned
from ..protocols.plans import Plan
from ..supervisor.log import Entry
from ..supervisor.runs import history
from ..supervisor.supervisor import Supervisor
from ..supervisor.views import drawing
from ..supervisor.views.mermaid import mermaid
from ..supervisor.views.svg import svg
from . import teams
from .journals import existing, find_run
from .rendering import Screen, clean

FORMATS = {".svg": "svg", ".mmd": "mermaid", ".mermaid": "mermaid"}


async def graph_command(args: Namespace, screen: Screen) -> int:
    """Draw what was named: a run's plan, the team of a run, a team, or the fixed plan of a team."""
    picture = await _picture(args)
    text = svg(picture) if _format(args) == "svg" else clean(mermaid(picture))
    if args.output is None:
        screen.out.write(text)
        return 0
    _write(Path(args.output), text)
    screen.say(f"wrote {args.output}")
    return 0


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


async def _picture(args: Namespace) -> drawing.Drawing:
    if args.target.endswith(".py") or ":" in args.target:
        worker = teams.load(args.target).worker
        if not args.plan:
            return drawing.team(worker)
        plan = getattr(worker.planner, "compiled", None) if isinstance(worker, Supervisor) else None
        if not isinstance(plan, Plan):
            raise UsageError(f"{args.target} has no fixed plan to draw: its planner makes one per run")
        return drawing.plan([Entry(1, 0.0, Planned(n=1, plan=plan))])
    store = existing(args)
    entries = await history(store, await find_run(store, args.target))
    if args.team:
        return drawing.team(teams.load(args.team).worker, [entry.event for entry in entries])
    return drawing.plan(entries)


def _format(args: Namespace) -> str:
    """The format that was named, or that the name of the file to write says."""
    if args.format is not None:
        return str(args.format)
    if args.output is None:
        return "mermaid"
    suffix = Path(args.output).suffix
    if suffix not in FORMATS:
        raise UsageError(f"expected --output with one of {', '.join(FORMATS)}, found {args.output!r}; or say --format")
    return FORMATS[suffix]
