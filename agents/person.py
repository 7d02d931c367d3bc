"""The person: a worker whose report arrives later, from any process, once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Generic, Literal, cast

from ..protocols.contracts import Card, Context, Worker
from ..protocols.messages import Answer, Approval, Done, Failed, Failure, Handoff, In, Json, Out, Report
from ..protocols.once import once
from ..protocols.shapes import Shape


@dataclass(frozen=True)
class Person(Generic[In, Out]):
    """Asks a person and waits; the process may end meanwhile.

    The question is bound to the digest of the payload: an answer to another payload is void. With `returns=Approval`
    the person says yes or no; a no is a failure of kind `denied`, so that nothing downstream runs. With
    `returns=Answer` yes and no are both values, for a plan that goes on either way. With any other type the person
    reports a value of it.

    Args:
        name: person or role.
        prompt: what is asked; the payload is shown beside it.
        accepts: type of what is shown.
        returns: type of the answer.
        clearance: labels of data the person may be shown; None: any.
        on_no: what the output is if the person will not report a value; None: a failure of kind `denied`.
    """

    name: str
    prompt: str
    _: KW_ONLY
    accepts: type[In]
    returns: type[Out]
    clearance: frozenset[str] | None = None
    on_no: Callable[[Answer], Out] | None = None

    @once
    def card(self) -> Card[In, Out]:
        """Name, what is asked, types."""
        return Card(
            name=self.name,
            description=self.prompt,
            accepts=Shape(self.accepts),
            returns=Shape(self.returns),
            clearance=self.clearance,
        )

    @once
    def definition(self) -> Json:
        """What is asked."""
        return {"person": self.name, "prompt": self.prompt, "on_no": self.on_no is not None}

    @property
    def parts(self) -> Sequence[Worker]:
        """Nobody works inside a person."""
        return ()

    async def work(self, handoff: Handoff[In], context: Context) -> Report[Out]:
        """The person's answer as a report.

        Raises:
            Pause: it has not come yet.
        """
        subject = self.card.accepts.dump(handoff.payload)
        if handoff.findings:  # part of what is asked: the answer that was found wanting is no answer to this
            subject = {"payload": subject, "findings": handoff.findings}
        approves = self.returns in (Approval, Answer)
        asks: Literal["approval", "report"] = "approval" if approves else "report"
        prompt = "\n".join([self.prompt, *handoff.findings])
        answer = await context.ask(self.name, prompt, subject, asks, self.card.returns)
        if not answer.approved and self.on_no is not None:
            return Done(output=self.on_no(answer), confidence=1.0)
        if not answer.approved and self.returns is not Answer:
            said = f"{answer.by} said no" + (f": {answer.note}" if answer.note else "")
            return Failed(failure=Failure(kind="denied", message=f"{self.name}: {said}"))
        return Done(output=self._said(answer), confidence=1.0)

    def _said(self, answer: Answer) -> Out:
        """The answer as the type that was asked for."""
        if self.returns is Answer:
            return cast("Out", answer)
        if self.returns is Approval:
            return cast("Out", Approval(by=answer.by, note=answer.note))
        return self.card.returns.read(answer.value)
