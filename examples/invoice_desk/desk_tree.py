"""The hierarchy of a run as a tree in text: who leads whom, how often each was sent to work, and who waits."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from echelon import Agent, Cascade, Person, Supervisor
from echelon.protocols.contracts import Worker
from echelon.protocols.events import EffectStarted, Event, RunEnded
from echelon.supervisor.runs import open_questions
from echelon.supervisor.views.bill import bill
from echelon.supervisor.views.staff import post_at, posts

KINDS: tuple[tuple[type, str], ...] = (
    (Supervisor, "team"),
    (Cascade, "cascade"),
    (Agent, "model"),
    (Person, "person"),
)


@dataclass(frozen=True, slots=True)
class _Ran:
    """What happened at each worker, by its names on the way down."""

    over: bool
    times: Counter[str]
    waits: Counter[str]
    usd: dict[str, float]


def tree(team: Worker, events: Sequence[Event]) -> list[str]:
    """Return the hierarchy below a worker, itself first: lines with its branch, what it is, and what it did.

    Example:
        >>> from echelon import worker
        >>> @worker
        ... def double(number: int) -> int:
        ...     return 2 * number
        >>> tree(double, [])
        ['double  code']
    """
    places = posts(events)
    times = Counter(post.who for path, post in places.items() if path)
    waits = Counter(post_at(places, question.path).who for question in open_questions(events))
    over = any(isinstance(event, RunEnded) for event in events)
    ran = _Ran(over, times, waits, {line.name: line.usage.usd for line in bill(events).workers})
    # The tiers of a cascade are its own affair and have no handoffs; a model that was asked has left an effect.
    asked = {e.path for e in events if isinstance(e, EffectStarted) and e.kind == "model" and e.path not in places}
    for path in asked:
        ran.times[f"{post_at(places, path).who}/{path.rpartition('/')[2].partition('#')[0]}"] += 1
    branches = [(team.card.name, _kind(team), ""), *_below(team, "", "", ran)]
    widths = [max(map(len, column)) for column in zip(*branches, strict=True)]
    return ["  ".join(word.ljust(width) for word, width in zip(one, widths, strict=True)).rstrip() for one in branches]


def _below(worker: Worker, who: str, indent: str, ran: _Ran) -> Iterator[tuple[str, str, str]]:
    for i, part in enumerate(worker.parts):
        last = i + 1 == len(worker.parts)
        name = f"{who}/{part.card.name}".strip("/")
        if isinstance(worker, Cascade) and i == 0:
            ran.times[name] = ran.times[who]
        yield f"{indent}{'└─ ' if last else '├─ '}{part.card.name}", _kind(part), _did(name, ran)
        yield from _below(part, name, indent + ("   " if last else "│  "), ran)


def _kind(worker: Worker) -> str:
    return next((word for kind, word in KINDS if isinstance(worker, kind)), "code") + (
        ", writes" if worker.card.writes and not worker.parts else ""
    )


def _did(name: str, ran: _Ran) -> str:
    idle = "not needed" if ran.over else "not yet"
    words = [f"{ran.times[name]}\N{MULTIPLICATION SIGN}" if ran.times[name] else idle]
    if waits := ran.waits[name]:
        words.append(f"{waits} waiting")
    if usd := ran.usd.get(name):
        words.append(f"${usd:.4f}")
    return ", ".join(words)
