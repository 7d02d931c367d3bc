"""A run of six steps that is killed: reads orders as JSON lines and does each in a process forked for it.

The parent imports everything, starts no thread, and forks for every order, so that a process costs milliseconds. A
child writes one line of JSON and ends; for one that was killed, the parent writes the line. Deeds outside the journal
are lines of a file: a name and an idempotency key.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import anyio
from pydantic import BaseModel

from echelon.agents.agent import Agent
from echelon.agents.function import worker
from echelon.agents.models.scripted import ScriptedModel
from echelon.agents.person import Person
from echelon.agents.tools import Key
from echelon.protocols.contracts import Worker
from echelon.protocols.conversation import Request
from echelon.protocols.errors import EchelonError
from echelon.protocols.messages import Approval
from echelon.protocols.prices import Rates
from echelon.protocols.storage import Record, RunStatus
from echelon.supervisor.journal.sqlite import SqliteJournal
from echelon.supervisor.outcome import Outcome
from echelon.supervisor.planners.workflow import Workflow
from echelon.supervisor.runs import answer, resume, run
from echelon.supervisor.supervisor import Supervisor

RUN = "run-1"


class Order(BaseModel):
    """What is to be done, and where and how a child is to die."""

    do: str
    """`run`, `resume`, `answer`."""
    team: str = "six"
    """`six`, `two`."""
    journal: str
    deeds: str
    die: str = ""
    """`before 3`, `after 3` (the third event of this process), `in pay`, `over pay`; `stop pay` freezes; "": never."""
    question: str = ""
    approved: bool = True
    value: Any = None


class Goods(BaseModel):
    """What is ordered."""

    item: str
    cents: int


class Advice(BaseModel):
    """What the model says."""

    pay: bool
    why: str


def hit(order: Order, moment: str) -> None:
    """Die, if this is the moment."""
    if order.die == moment:
        os.kill(os.getpid(), signal.SIGKILL)


def deed(order: Order, name: str, key: str) -> None:
    """Do something outside the journal: one line at the end of the file."""
    hit(order, f"in {name}")
    if order.die == f"stop {name}":
        os.kill(os.getpid(), signal.SIGSTOP)
    with Path(order.deeds).open("a", encoding="utf-8") as file:
        file.write(f"{name} {key}\n")
    hit(order, f"over {name}")


def done(order: Order, key: str) -> bool:
    """Whether the other side has seen this key."""
    path = Path(order.deeds)
    return path.exists() and any(line.split()[1] == key for line in path.read_text(encoding="utf-8").splitlines())


class Mortal(SqliteJournal):
    """A journal whose process may die around any event, whatever else is written with it."""

    def __init__(self, order: Order) -> None:
        super().__init__(order.journal)
        self._order = order
        self._events = 0

    async def append(self, records: Sequence[Record], status: RunStatus) -> None:
        """Write the records; if one of them is the last one of this process, those before it first, by themselves."""
        when, _, number = self._order.die.partition(" ")
        index = int(number) - self._events - 1 if number.isdigit() else -1
        self._events += len(records)
        if 0 <= index < len(records):
            if index:
                await super().append(records[:index], status)
            hit(self._order, f"before {number}")
            wal = self.path.with_name(self.path.name + "-wal")
            length = wal.stat().st_size if wal.exists() else 0
            self.path.with_name("length").write_text(str(length), encoding="utf-8")
            await super().append(records[index : index + 1], status)
            hit(self._order, f"{when} {number}")
        await super().append(records, status)


def six(order: Order) -> Worker[Goods, str]:
    """Price, screen, ask a model, pay, notify, join."""

    @worker
    async def price(goods: Goods) -> int:
        """Prices."""
        return goods.cents + 19

    @worker
    async def screen(goods: Goods) -> bool:
        """Screens."""
        return goods.cents < 100_000

    @worker(effect=True, usd=0.05)
    async def pay(cents: int, advice: Advice, key: Key) -> str:
        """Pays; nobody on the other side looks at the key."""
        deed(order, "pay", key.value)
        return f"paid {cents}"

    @worker(effect=True, on_unknown="retry")
    async def notify(receipt: str, key: Key) -> str:
        """Notifies; the other side honours the key."""
        if not done(order, key.value):
            deed(order, "notify", key.value)
        return f"told {receipt}"

    @worker
    async def join(receipt: str, told: str, screened: bool) -> str:  # noqa: FBT001 - a payload, not an option
        """Writes the last line."""
        return f"{receipt}; {told}; {screened}"

    def script(request: Request) -> Advice:
        deed(order, "advise", "-")
        return Advice(pay=True, why="cheap")

    model = ScriptedModel(script, price=Rates(input=1.0, output=4.0))
    advise = Agent("advise", "Advise.", accepts=Goods, returns=Advice, models=[model])
    flow = Workflow(Goods, str)
    cents, fine, advice = flow.step(price, flow.task), flow.step(screen, flow.task), flow.step(advise, flow.task)
    receipt = flow.step(pay, {"cents": cents, "advice": advice})
    told = flow.step(notify, receipt)
    flow.output(flow.step(join, {"receipt": receipt, "told": told, "screened": fine}))
    return Supervisor("desk", accepts=Goods, returns=str, team=[price, screen, advise, pay, notify, join], planner=flow)


def two(order: Order) -> Worker[Goods, str]:
    """Two people approve in parallel branches, each then followed by a deed; then join."""
    left = Person("ada", "May we?", accepts=Goods, returns=Approval)
    right = Person("bob", "May we?", accepts=Goods, returns=Approval)

    @worker(effect=True)
    async def book(who: str, key: Key) -> str:
        """Books."""
        deed(order, f"book-{who}", key.value)
        return who

    @worker
    async def join(first: str, second: str) -> str:
        """Joins."""
        return f"{first} and {second}"

    flow = Workflow(Goods, str)
    first = flow.step(book, flow.step(left, flow.task)["by"], id="book-left")
    second = flow.step(book, flow.step(right, flow.task)["by"], id="book-right")
    flow.output(flow.step(join, {"first": first, "second": second}))
    return Supervisor("desk", accepts=Goods, returns=str, team=[left, right, book, join], planner=flow)


def told(outcome: Outcome[str]) -> dict[str, Any]:
    """What the parent's reader is told of an outcome."""
    return {
        "status": outcome.status,
        "output": outcome.output if outcome.status == "delivered" else None,
        "questions": [question.model_dump(mode="json") for question in outcome.questions],
        "usd": outcome.usage.usd,
        "billed": outcome.bill.total.usd,
    }


async def obey(order: Order) -> dict[str, Any]:
    """Do one order; an error of ours is an answer too."""
    team = {"six": six, "two": two}[order.team](order)
    try:
        async with Mortal(order) as journal:
            if order.do == "answer":
                given = await answer(journal, RUN, order.question, approved=order.approved, by="eva", value=order.value)
                return given.model_dump(mode="json")
            if order.do == "run":
                return told(await run(team, Goods(item="lamp", cents=4_200), store=journal, run_id=RUN))
            return told(await resume(team, RUN, store=journal))
    except EchelonError as error:
        return {"error": type(error).__name__, "message": str(error)}


def serve() -> None:
    """Fork for every line of the input; `wait` in place of an order waits for a frozen child that was thawed."""
    frozen: list[int] = []
    for line in sys.stdin:
        child = frozen.pop() if line.strip() == "wait" else _forked(Order.model_validate_json(line))
        _, status = os.waitpid(child, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            frozen.append(child)
            _say({"frozen": child})
        elif os.WIFSIGNALED(status):
            _say({"killed": os.WTERMSIG(status)})
        elif os.WEXITSTATUS(status):
            _say({"broken": os.WEXITSTATUS(status)})


def _forked(order: Order) -> int:
    child = os.fork()
    if child:
        return child
    try:
        _say(anyio.run(partial(obey, order)))
    except BaseException as error:
        _say({"raised": repr(error)})
    os._exit(0)


def _say(value: dict[str, Any]) -> None:
    os.write(1, json.dumps(value).encode() + b"\n")


if __name__ == "__main__":
    serve()
