"""What a run of the desk says while it happens: a line when a stage is over, and one for each reading passed on."""

from collections.abc import Callable

from pydantic import TypeAdapter

from echelon.protocols.conversation import Delta
from echelon.protocols.events import Delegated, Event, Expanded, Parked, Planned, Recovered, Reported, Reviewed
from echelon.protocols.messages import Done, Waiting

from .desk_view import decisions
from .papers import Files, OpenCase
from .report import Case

_CASES = TypeAdapter(list[OpenCase])


class Progress:
    """Listens to a run, and says each line to `say`."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._workers: dict[str, str] = {}
        self._names: dict[str, list[str]] = {}
        self._posted = self._closed = self._read = 0

    def hear(self, seen: Event | Delta) -> None:
        """Take note of what happened."""
        match seen:
            case Planned(path="") if seen.plan.reason != "fixed workflow":
                self._line(
                    "plan", f"{len(seen.plan.steps)} steps, by the model: {seen.plan.reason or 'no reason given'}"
                )
            case Delegated(path=""):
                self._workers[seen.step] = seen.worker
            case Expanded(path=""):
                self._names[seen.step] = [_name_of(item) for item in seen.items]
            case Recovered(reaction="next_tier"):
                self._line("extract", f"{self._file(seen.path)}: {seen.failure.message}; {seen.reason}")
            case Reported(path=""):
                self._reported(seen)
            case Reviewed(path=""):
                self._line("review", f"{seen.verdict.type}: {getattr(seen.verdict, 'reason', '')}".rstrip(": "))
            case Parked():
                self._line("settle", f"{self._closed} closed now, {self._posted} of them posted")
            case _:
                pass

    def _reported(self, event: Reported) -> None:
        if not isinstance(event.report, Done):
            if not isinstance(event.report, Waiting):
                self._line(event.step, str(getattr(event.report, "failure", event.report)))
            return
        match self._workers.get(event.step):
            case "listing":
                files = Files.model_validate(event.report.output)
                self._line("listing", f"{len(files.files)} files to read, {len(files.refused)} refused")
            case "reader":
                self._read += 1
                if self._read == len(self._names.get(event.step.partition("[")[0], [])):
                    self._line("reader", f"{self._read} files read")
            case "check":
                self._line("check", decisions(_CASES.validate_python(event.report.output)))
            case "settle":
                case = Case.model_validate(event.report.output)
                self._closed += 1
                self._posted += case.decision.action == "post"
            case _:
                pass

    def _line(self, stage: str, text: str) -> None:
        self._say(f"  {stage:<9} {text}")

    def _file(self, path: str) -> str:
        """The file that is worked on at a place below the reader."""
        step, _, index = path.split("/")[1].partition("#")[0].rstrip("]").partition("[")
        names = self._names.get(step, [])
        return names[int(index)] if index and int(index) < len(names) else path


def _name_of(item: object) -> str:
    return str(item.get("name", "")) if isinstance(item, dict) else ""  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType] - an item is any JSON
