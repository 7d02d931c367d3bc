"""The supervisor: a worker that has workers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Generic

import anyio

from ..protocols.contracts import Card, Context, Model, Planner, Reviews, Worker
from ..protocols.errors import UsageError
from ..protocols.events import Ended
from ..protocols.messages import Budget, Failed, Failure, Handoff, In, Json, Out, Report
from ..protocols.once import once
from ..protocols.plans import SOURCES
from ..protocols.shapes import Shape
from .decide import finished
from .driver import Crew, Driver
from .evolve import evolve, resumed
from .planners.model import ModelPlanner
from .policy import Policy
from .state import Charter, State

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True)
class Supervisor(Generic[In, Out]):
    """Plans a task as steps for its team, delegates them, has the result reviewed, and delivers it.

    Args:
        name: a letter, then letters, digits, `_` or `-`, at most 64; unique in a team.
        accepts: type of the task; unknown fields are errors.
        returns: type of the output.
        team: workers of any kind, other supervisors among them; at least one.
        planner: who makes the plan; None: a `ModelPlanner`.
        reviewer: who judges the output; None: nobody, it is delivered as joined.
        escalate: the person who decides where the reviewer does not; None: what is not approved fails.
        budget: limits of this supervisor and all below it.
        policy: rules over its handoffs.
        models: first choice first; inherited by the planner, the reviewer and every agent below that has none.
        must_delegate: whether a plan without steps is refused.

    Raises:
        UsageError: a name is not allowed or stands twice in the team, or the team is empty.
    """

    name: str
    _: KW_ONLY
    accepts: type[In]
    returns: type[Out]
    team: Sequence[Worker]
    description: str = ""
    planner: Planner = field(default_factory=ModelPlanner)
    reviewer: Reviews | None = None
    escalate: Worker | None = None
    budget: Budget = Budget()
    policy: Policy = Policy()
    models: Sequence[Model] = ()
    must_delegate: bool = True

    def __post_init__(self) -> None:
        """Refuse what could not work."""
        names = [worker.card.name for worker in self.team]
        if not names:
            raise UsageError(f"supervisor {self.name!r}: the team is empty")
        for name in (self.name, *names):
            if not _NAME.fullmatch(name) or name in SOURCES:
                raise UsageError(f"supervisor {self.name!r}: {name!r} is not a name for a worker: {_NAME.pattern}")
        twice = [name for name, times in Counter(names).items() if times > 1]
        if twice:
            raise UsageError(f"supervisor {self.name!r}: more than one worker is named {', '.join(map(repr, twice))}")

    @once
    def card(self) -> Card[In, Out]:
        """Name, description, types; it may write if anyone below it may."""
        cards = [worker.card for worker in self.team]
        return Card(
            name=self.name,
            description=self.description or f"leads {', '.join(card.name for card in cards)}",
            accepts=Shape(self.accepts),
            returns=Shape(self.returns),
            writes=any(card.writes for card in cards),
            labels=frozenset[str]().union(*(card.labels for card in cards)),
            depth=1 + max(card.depth for card in cards),
        )

    @once
    def definition(self) -> Json:
        """Planner, reviewer, policy and limits; the team are its parts."""
        return {
            "planner": self.planner.definition,
            "reviewer": None if self.reviewer is None else self.reviewer.definition,
            "escalate": None if self.escalate is None else self.escalate.card.name,
            "policy": self.policy.version,
            "budget": self.budget.model_dump(mode="json"),
            "models": [model.name for model in self.models],
            "must_delegate": self.must_delegate,
        }

    @property
    def parts(self) -> Sequence[Worker]:
        """The team."""
        return self.team

    @once
    def charter(self) -> Charter:
        """What deciding needs to know."""
        cards = {worker.card.name: worker.card for worker in self.team}
        same = {
            name: tuple(
                other
                for other, rival in cards.items()
                if other != name and (rival.accepts, rival.returns) == (card.accepts, card.returns)
            )
            for name, card in cards.items()
        }
        return Charter(
            name=self.name,
            team=cards,
            accepts=self.card.accepts,
            returns=self.card.returns,
            rivals=same,
            must_delegate=self.must_delegate,
            reviewed=self.reviewer is not None,
            replans=self.planner.replans,
            escalates_to="" if self.escalate is None else self.escalate.card.name,
            escalation=None if self.escalate is None else self.escalate.card.clearance,
        )

    @once
    def crew(self) -> Crew:
        """Who does what is decided."""
        return Crew(
            workers={worker.card.name: worker for worker in self.team},
            planner=self.planner,
            reviewer=self.reviewer,
            policy=self.policy,
        )

    async def work(self, handoff: Handoff[In], context: Context) -> Report[Out]:
        """Lead the task to its end, or to where only people can go on; takes up what the journal holds of it."""
        if context.budget.depth < 1:
            message = f"{self.name} would stand deeper than the budget's depth allows"
            return Failed(failure=Failure(kind="budget", message=message))
        depth = min(self.budget.depth, context.budget.depth) - 1
        here = context.within("", budget=self.budget.model_copy(update={"depth": depth}), models=self.models)
        task = self.card.accepts.dump(handoff.payload)
        state = State(charter=replace(self.charter, budget=here.budget), task=task, labels=handoff.labels)
        for event in here.history:
            state = evolve(state, event)
        driver = Driver(self.crew, resumed(state), here)
        with anyio.move_on_after(here.budget.seconds):
            return await driver.drive()
        failure = Failure(kind="timeout", message=f"{self.name} was not done in {here.budget.seconds:g} s")
        failed = Failed(failure=failure, partial=finished(driver.state), usage=here.spent)
        here.emit(Ended(path=here.path, report=failed, reason=failure.message))
        return failed
