"""A run as a scenario: what its journal holds, with what is known of the team, rid of secrets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict, cast

from pydantic_core import to_json
from typing_extensions import Unpack

from ...protocols.contracts import Model, Worker
from ...protocols.conversation import digest_of
from ...protocols.errors import UsageError
from ...protocols.events import EVENTS, Claimed, Event, RunStarted
from ...protocols.messages import Json
from ...protocols.prices import Rates
from ...supervisor.runs import Entry, Outcome, definitions, members
from ...supervisor.views.bill import bill, fields
from ..scenario import Header, Member, PriceTable, Reference, Scenario, Source
from .plain import is_list
from .redacted import redacted
from .redaction import Redactor

DEFAULT = Redactor()


class Notes(TypedDict, total=False):
    """What is known of a run beside what its journal says, and what is taken out of it."""

    redact: Redactor | None
    """None: nothing is taken out, not even keys and passwords; not given: what `Redactor()` does."""
    tags: Sequence[str]
    reference: Reference
    volatile: Sequence[str]
    """Names of fields that a replay does not compare."""
    origin: str
    """Where the team was loaded from, `module:attr`; not given: as the journal has it."""
    scripted: bool
    """Whether a script answered; not given: whether a model of the team is scripted."""
    models: Sequence[Model]
    """Models that the run inherited from its settings."""
    seed: int


def scenario_from(
    run: Outcome[Any] | Sequence[Entry],
    worker: Worker | None = None,
    *,
    name: str,
    **notes: Unpack[Notes],
) -> Scenario:
    """A scenario of a run, ended or waiting.

    Times are kept to the microsecond and never go back; whose process drove the run is not kept. So the same run is the
    same scenario, and a run made again with the same id differs in what really was different.

    Args:
        run: what came of it, or its whole journal.
        worker: who ran; None: of the team no more is known than the journal says.
        name: id of the scenario.
        notes: what else is known, and what is taken out.

    Raises:
        UsageError: the journal does not begin with the run's start, or a registered secret cannot be taken out.
    """
    entries = run.entries if isinstance(run, Outcome) else run
    started = entries[0].event if entries else None
    if not isinstance(started, RunStarted):
        raise UsageError(f"scenario {name!r}: expected the journal of a whole run, found one without its start")
    models = [*notes.get("models", ()), *(() if worker is None else models_of(worker))]
    scripts = {model.name for model in models if is_scripted(model)}
    scripted = notes.get("scripted", bool(scripts))
    header = Header(
        id=name,
        worker=started.worker,
        input=started.task,
        tags=tuple(notes.get("tags", ())),
        source=Source(kind="recorded", origin=notes.get("origin", started.origin), scripted=scripted),
        team=() if worker is None else tuple(team_of(worker)),
        prices=price_table(models),
        limits=started.budget,
        labels=tuple(sorted(started.labels)),
        clock=entries[0].at,
        seed=notes.get("seed", 0),
        volatile=tuple(notes.get("volatile", ())),
        usd=0.0 if notes.get("scripted") else _paid((entry.event for entry in entries), scripts),
    )
    reference = notes.get("reference", Reference())
    whole = Scenario(header=header, reference=reference, entries=tuple(_normal(entries)))
    redact = notes.get("redact", DEFAULT)
    return whole if redact is None else redacted(whole, redact)


def team_of(worker: Worker) -> Iterator[Member]:
    """The worker and all below it, depth first."""
    digests = definitions(worker)
    for path, member in members(worker):
        card, definition = member.card, fields(member.definition)
        yield Member(
            path=path,
            description=card.description,
            accepts=digest_of(to_json(card.accepts.input_schema)),
            returns=digest_of(to_json(card.returns.output_schema)),
            definition=digests[path],
            models=tuple(_names_of_models(definition)),
            tools=tuple(_names_of_tools(definition)),
            writes=card.writes,
        )


def models_of(worker: Worker) -> Iterator[Model]:
    """The models of a worker, of its planner and reviewer, and of all below it."""
    for _, member in members(worker):
        for owner in (member, getattr(member, "planner", None), getattr(member, "reviewer", None)):
            yield from cast("Sequence[Model]", getattr(owner, "models", ()))


def is_scripted(model: Model) -> bool:
    """Whether a script answers for it: by its attribute `scripted`, else by the name of its class or one above it."""
    said: object = getattr(model, "scripted", None)
    return said if isinstance(said, bool) else any(kind.__name__ == "ScriptedModel" for kind in type(model).__mro__)


def price_table(models: Iterable[Model]) -> PriceTable | None:
    """The fixed prices among those of the models, by name; None: there are none. The version is a digest of them."""
    found: dict[str, Rates] = {}
    for model in models:
        try:
            price = model.price
        except UsageError:
            continue  # the run has got on without it
        if isinstance(price, Rates):
            found[model.name] = price
    table = dict(sorted(found.items()))
    return PriceTable(name="team", version=digest_of(to_json(table))[:12], models=table) if table else None


def _names_of_models(definition: Mapping[str, Json]) -> Iterator[str]:
    parts = (definition, fields(definition.get("planner")), fields(definition.get("reviewer")))
    names = [name for part in parts for name in _list(part.get("models")) if isinstance(name, str)]
    yield from dict.fromkeys(names)


def _names_of_tools(definition: Mapping[str, Json]) -> Iterator[str]:
    for tool in _list(definition.get("tools")):
        name = fields(fields(tool).get("card")).get("name")
        if isinstance(name, str):
            yield name


def _list(value: Json) -> list[Json]:
    return value if is_list(value) else []


def _paid(events: Iterable[Event], scripts: set[str]) -> float:
    """USD of the run without what scripts would have cost."""
    return round(sum(line.usage.usd for line in bill(events).models if line.name not in scripts), 9)


def _normal(entries: Sequence[Entry]) -> Iterator[Entry]:
    """The entries as they are read from a file."""
    clock, last, drives = entries[0].at, 0.0, 0
    for entry in entries:
        last = max(last, round(entry.at - clock, 6))
        event = EVENTS.validate_json(to_json(entry.event, by_alias=True))
        if isinstance(event, Claimed):
            drives += 1
            event = event.model_copy(update={"owner": f"drive {drives}"})
        yield replace(entry, at=clock + last, event=event)
