"""The parser and the way out: one line on standard error for whatever went wrong, and an exit code that says what."""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import NoReturn, TypeAlias, cast

import anyio

from ..protocols.errors import (
    AnswerError,
    BusyError,
    DefinitionError,
    EchelonError,
    FencedError,
    JournalError,
    ScenarioError,
    ShapeError,
    UnknownRunError,
    UsageError,
)
from .journals import DEFAULT, command
from .options import Add, add_evals
from .rendering import Screen

Command: TypeAlias = Callable[[argparse.Namespace, Screen], Awaitable[int]]

EXITS = """\
exit codes:
  0    delivered, or done what was asked
  1    the run failed or was rejected; or another process is in the way
  2    bad usage
  3    the run waits for a person
  4    the journal is damaged or cannot be used
  5    the gate cannot say
  130  interrupted
"""
BAD_USAGE, FAILED, DAMAGED, INTERRUPTED = 2, 1, 4, 130


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code and never raises but for a defect of Python itself."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr] # what is no file has no such method
    screen, args = Screen(), argparse.Namespace(under_way="", journal=str(DEFAULT))
    try:
        _parser().parse_args(argv, namespace=args)
        code = anyio.run(_chosen(args), args, screen)
        sys.stdout.flush()
    except SystemExit as end:  # --help and --version
        return end.code if isinstance(end.code, int) else 0
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes what is left at its end
        return FAILED
    except KeyboardInterrupt:
        under_way = f"; go on with: {command(args, 'resume', args.under_way)}" if args.under_way else ""
        screen.complain(f"interrupted{under_way}")
        return INTERRUPTED
    except Exception as error:
        first = _first(error)
        screen.complain(str(first) if isinstance(first, EchelonError) else f"a defect, {type(first).__name__}: {first}")
        return _code(first)
    return code


def _first(error: Exception) -> Exception:
    """The error, or the first one of those that happened at once."""
    while isinstance(error, ExceptionGroup):
        error = cast("ExceptionGroup[Exception]", error).exceptions[0]
    return error


def _code(error: Exception) -> int:
    match error:
        case UsageError() | ShapeError() | AnswerError() | UnknownRunError() | DefinitionError() | ScenarioError():
            return BAD_USAGE
        case BusyError() | FencedError():
            return FAILED
        case JournalError():
            return DAMAGED
        case _:
            return FAILED


def _chosen(args: argparse.Namespace) -> Command:
    """The function of the chosen command; only its module is loaded."""
    match args.command:
        case "run" | "resume":
            from . import running

            return running.run_command if args.command == "run" else running.resume_command
        case "serve":
            from . import serving

            return serving.serve_command
        case "mcp" | "acp":
            from . import acp_stdio, mcp_stdio

            return mcp_stdio.mcp_command if args.command == "mcp" else acp_stdio.acp_command
        case "inbox" | "approve" | "reject":
            from . import people

            chosen = {"inbox": people.inbox_command, "approve": people.approve_command, "reject": people.reject_command}
            return chosen[args.command]
        case "graph":
            from . import drawing

            return drawing.graph_command
        case "eval" | "replay":
            from . import evaluating

            return evaluating.eval_command if args.command == "eval" else evaluating.replay_command
        case "whatif":
            from . import whatif

            return whatif.whatif_command
        case "record" | "import":
            from . import recordings

            return recordings.record_command if args.command == "record" else recordings.import_command
        case "doctor":
            from . import doctor

            return doctor.doctor_command
        case _:
            from . import reading

            return {
                "runs": reading.runs_command,
                "show": reading.show_command,
                "explain": reading.explain_command,
                "audit": reading.audit_command,
            }[args.command]


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="echelon",
        description="Run teams of agents; watch, resume, explain and audit their runs.",
        epilog=EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"echelon {_version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, told: str, *, json: bool = True) -> argparse.ArgumentParser:
        said = told[:1].upper() + told[1:] + "."
        added = commands.add_parser(name, help=told, description=said, allow_abbrev=False)
        added.add_argument("--journal", default=str(DEFAULT), metavar="PATH", help=f"journal file (default: {DEFAULT})")
        if json:
            added.add_argument("--json", action="store_true", help="print one JSON document")
        else:
            added.set_defaults(json=False)
        return added

    _add_driving(add)
    _add_serving(add)
    _add_people(add)
    _add_reading(add)
    add_evals(add)
    return parser


def _add_driving(add: Add) -> None:
    run = add("run", "give a task to a team")
    run.add_argument("team", help="module:attr, or path/file.py with or without :attr")
    run.add_argument("task", help="JSON, text, a .json file, a file or folder, @file for its contents, - for stdin")
    run.add_argument("--run-id", metavar="ID", help="up to 64 letters, digits, - and _ (default: a fresh one)")
    run.add_argument("--label", action="append", default=[], help="label of the task's data; may be repeated")
    for name, kind, told in (
        ("usd", float, "US dollars"),
        ("tokens", int, "tokens"),
        ("seconds", float, "seconds"),
        ("calls", int, "model calls"),
    ):
        run.add_argument(f"--{name}", type=kind, metavar="N", help=f"spend at most this many {told}")
    resume = add("resume", "go on with a run after a crash, a cancellation or an answer")
    resume.add_argument("run", help="id of the run, or how it begins")
    for parser in (run, resume):
        _add_drive(parser)
    _add_changes(resume)


def _add_drive(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.add_argument(
        "--model", action="append", default=[], metavar="NAME", help="model for agents that have none; may be repeated"
    )
    parser.add_argument(
        "--otel",
        nargs="?",
        const="nothing",
        choices=("nothing", "content"),
        help="export spans and metrics to where OTEL_EXPORTER_OTLP_ENDPOINT says; `content`: messages and outputs too",
    )


def _add_changes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--team", help="the team, if it is not to be loaded from where the journal says")
    change = parser.add_mutually_exclusive_group()
    change.add_argument("--migrate", action="store_true", help="go on under changed definitions from now on")
    change.add_argument("--pin", action="store_true", help="go on under changed definitions just this once")


def _add_serving(add: Add) -> None:
    serve = add("serve", "serve teams to chat assistants", json=False)
    serve.add_argument("team", nargs="+", help="module:attr, or path/file.py with or without :attr")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    serve.add_argument("--port", type=int, default=8700, metavar="N", help="default: 8700; 0: any that is free")
    for name, meta, told in (
        ("public-host", "NAME", "host that clients may call it by; may be repeated"),
        ("allow-origin", "URL", "other site whose pages may ask, with a key; may be repeated"),
    ):
        serve.add_argument(f"--{name}", action="append", default=[], metavar=meta, help=told)
    serve.add_argument("--reports", metavar="FOLDER", help="pages of `echelon eval --html` to show in the console")
    serve.add_argument("--max-runs", type=int, default=64, metavar="N", help="runs at once (default: 64)")
    serve.add_argument("--run-seconds", type=float, default=3_600.0, metavar="N", help="of one run (default: 3600)")
    serve.add_argument(
        "--drain-seconds", type=float, default=20.0, metavar="N", help="for runs under way at the end (default: 20)"
    )
    mcp = add("mcp", "be the MCP server of a client that starts this command", json=False)
    mcp.add_argument("team", nargs="+", help="module:attr, or path/file.py with or without :attr")
    acp = add("acp", "be the agent of an editor that starts this command", json=False)
    acp.add_argument("team", help="module:attr, or path/file.py with or without :attr")
    for parser in (serve, mcp, acp):
        parser.add_argument(
            "--disconnect",
            choices=("cancel", "detach"),
            default="cancel",
            help="what becomes of a run whose client hangs up (default: cancel)",
        )
        _add_drive(parser)


def _add_people(add: Add) -> None:
    add("inbox", "list what people are asked")
    for name, told in (("approve", "say yes to a question"), ("reject", "say no to a question")):
        parser = add(name, told)
        parser.add_argument("run", help="id of the run, or how it begins")
        parser.add_argument("question", help="id of the question, or how it begins")
        parser.add_argument("--note", default="", help="words for the record")
        parser.add_argument("--by", help="who answers (default: your user name)")
        parser.add_argument("--resume", action="store_true", help="go on with the run at once")
        if name == "approve":
            parser.add_argument("--value", help="the answer as JSON, where one is asked for")
        else:
            parser.set_defaults(value=None)
        _add_drive(parser)
        _add_changes(parser)


def _add_reading(add: Add) -> None:
    runs = add("runs", "list the runs in the journal")
    runs.add_argument("--status", choices=("running", "waiting", "done", "failed", "cancelled"))
    show = add("show", "tell one run: route, bill, verdict, questions")
    explain = add("explain", "say why a step got its input and its worker")
    for parser in (show, explain):
        parser.add_argument("run", help="id of the run, or how it begins")
    explain.add_argument("step", help="a step (extract), an instance (lines[3]), or a step of a team (research/search)")
    audit = add("audit", "verify that no recorded line was changed, moved or left out")
    audit.add_argument("run", nargs="?", help="id of the run, or how it begins (default: all)")
    graph = add("graph", "draw a run's plan, or a team, as Mermaid or SVG", json=False)
    graph.add_argument("target", help="id of a run, or a team as module:attr or path/file.py")
    graph.add_argument("--team", help="with a run: draw this team and what it did, not the plan")
    graph.add_argument("--plan", action="store_true", help="with a team: draw its fixed plan")
    graph.add_argument("--format", choices=("mermaid", "svg"), help="default: by the name of --output, else mermaid")
    graph.add_argument("--output", metavar="FILE", help="where to write (default: standard output)")
    add("doctor", "check this machine, this folder and this installation")


def _version() -> str:
    try:
        return importlib.metadata.version("echelon")
    except importlib.metadata.PackageNotFoundError:
        return "(from a checkout)"
