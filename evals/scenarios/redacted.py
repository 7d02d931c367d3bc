"""A scenario without its secrets: redacted as one, and the digests of what has changed made anew.

A digest of a request that holds a short secret gives the secret away to whoever tries all of them. So each digest, key
and question id that was made over something redacted is replaced, everywhere in the scenario, by the one that the same
rule makes over what stands there now. A replay of the redacted input then asks for the same digests by itself; where a
secret comes from elsewhere, the replay redacts what is asked for and compares that with what was recorded.

Digests of definitions stay: whoever can make them has the team's source.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import to_json

from ...protocols.conversation import ChatMessage, Head, Prompt, Request, digest_of
from ...protocols.events import EVENTS, Asked, Delegated, EffectStarted, Event, Joined, RunStarted
from ...protocols.messages import Json, Question
from ...supervisor.runs import Entry
from ...supervisor.views.bill import fields
from ..scenario import Arm, Redaction, Reference, Scenario
from ..scoring.places import stable
from .patterns import as_words
from .redaction import Redactor, Walk, rid_of_secrets

M = TypeVar("M", bound=BaseModel)
MESSAGES: TypeAdapter[tuple[ChatMessage, ...]] = TypeAdapter(tuple[ChatMessage, ...])
REFERENCE, ARM = TypeAdapter(Reference), TypeAdapter(Arm)
TRIED = 8
"""Questions of one place, and askings of one question, among which a question's id is looked for."""


def redacted(scenario: Scenario, redactor: Redactor) -> Scenario:
    """The scenario without its secrets; the same scenario if there are none.

    Raises:
        UsageError: a registered secret stands where it cannot be taken out: in the name of a worker, say.
    """
    made, counts = rid_of_secrets(redactor, scenario, _without)
    if not counts:
        return scenario
    for one in scenario.header.redactions:
        counts[one.rule] += one.times
    told = tuple(Redaction(rule=rule, times=times) for rule, times in sorted(counts.items()))
    changes = {old: new for old, new in _changes(scenario.entries, made.entries) if old != new}
    renamed = _renamed(made, changes)
    return replace(renamed, header=renamed.header.model_copy(update={"redactions": told}))


def _without(walk: Walk, scenario: Scenario) -> Scenario:
    return Scenario(
        header=walk.over(scenario.header),
        reference=walk.over(scenario.reference),
        entries=tuple(replace(entry, event=walk.over(entry.event)) for entry in scenario.entries),
        arms=tuple(walk.over(arm) for arm in scenario.arms),
        ending=walk.over(scenario.ending),
    )


def _renamed(scenario: Scenario, names: Mapping[str, str]) -> Scenario:
    """The scenario with other digests in the place of these, wherever they stand."""
    pattern = as_words(names)
    if pattern is None:
        return scenario

    def over(message: M, adapter: TypeAdapter[M]) -> M:
        text = to_json(message, by_alias=True).decode()
        return adapter.validate_json(_sub(pattern, names, text)) if pattern.search(text) else message

    return replace(
        scenario,
        reference=over(scenario.reference, REFERENCE),
        entries=tuple(replace(entry, event=over(entry.event, EVENTS)) for entry in scenario.entries),
        arms=tuple(over(arm, ARM) for arm in scenario.arms),
    )


def _sub(pattern: re.Pattern[str], names: Mapping[str, str], text: str) -> str:
    return pattern.sub(lambda match: names[match.group()], text)


def _changes(before: Sequence[Entry], after: Sequence[Entry]) -> Iterator[tuple[str, str]]:
    """Each digest over something that is no longer the same, with the one that holds now."""
    first = before[0].event if before else None
    run = first.run if isinstance(first, RunStarted) else ""
    old, new = _Talk(), _Talk()
    for one, other in zip(before, after, strict=True):
        yield from _change(run, one.event, other.event)
        if isinstance(one.event, EffectStarted) and isinstance(other.event, EffectStarted):
            was, now = old.digest(one.event), new.digest(other.event)
            yield from _effect(run, one.event, was, now)
            yield from zip(_heads(one.event), _heads(other.event), strict=True)


def _change(run: str, before: Event, after: Event) -> Iterator[tuple[str, str]]:
    match before, after:
        case Delegated(), Delegated() if (before.payload, before.findings) != (after.payload, after.findings):
            yield before.digest, digest_of(to_json(after.payload), to_json(after.findings))
        case Joined(), Joined() if before.output != after.output:
            yield digest_of(to_json(before.output)), digest_of(to_json(after.output))
        case Asked(), Asked() if before.question.subject != after.question.subject:
            digest = digest_of(to_json(after.question.subject))
            yield before.question.digest, digest
            yield before.question.id, _question_id(run, before.question, digest)
        case _:
            pass


def _effect(run: str, event: EffectStarted, was: str, now: str) -> Iterator[tuple[str, str]]:
    if was != now:
        yield event.digest, now
    if was != now and event.key:
        place = run.encode(), stable(event.path).encode()
        yield event.key, digest_of(*place, f"{event.kind} {event.n} {now}".encode())


def _heads(event: EffectStarted) -> list[str]:
    """The digest of the head that a request to a model brings with it."""
    head = fields(event.request).get("head") if event.kind == "model" else None
    return [] if head is None else [digest_of(to_json(head))]


def _question_id(run: str, question: Question, digest: str) -> str:
    """The id that the question has with another subject: by the rule that made it, if it is known."""
    place = stable(question.path)
    for n, again in product(range(TRIED), repeat=2):
        if _asked(run, f"{place} ask {n} {question.digest} {again}") == question.id:
            return _asked(run, f"{place} ask {n} {digest} {again}")
    return _asked(run, f"{place} {digest}")


def _asked(run: str, seed: str) -> str:
    return digest_of(run.encode(), seed.encode())[:12]


@dataclass(slots=True)
class _Talk:
    """What has been said to models so far, by place, and what they were told before."""

    heads: dict[str, Json] = field(default_factory=dict[str, Json])
    said: dict[str, list[Json]] = field(default_factory=dict[str, list[Json]])

    def digest(self, event: EffectStarted) -> str:
        """Digest of the request by the rule for its kind; where the rule is unknown, of its JSON."""
        request = fields(event.request)
        match event.kind, request:
            case "model", {"model": str(model), "head_digest": str(head), "first": int(first), "messages": list()}:
                if "head" in request:
                    self.heads[head] = request["head"]
                said = self.said[event.path] = [*self.said.get(event.path, [])[:first], *request["messages"]]
                return _of_model(model, self.heads.get(head), said) or digest_of(to_json(said))
            case "call", {"worker": str(worker), "payload": payload}:
                return digest_of(worker.encode(), to_json(payload))
            case _:
                return event.digest if event.request is None else digest_of(to_json(event.request))


def _of_model(model: str, head: Json, said: list[Json]) -> str:
    """Digest of a whole request to a model; "": it is none."""
    try:
        prompt = Prompt.of(Head.model_validate(head))
        request = Request.begin(prompt, *MESSAGES.validate_python(said))
    except ValidationError:
        return ""
    return digest_of(model.encode(), request.digest.encode())
