"""A team of six steps with a paid side effect, to be crashed: `python -m echelon.evals.simulation`."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..protocols.contracts import Worker
from ..protocols.conversation import Request
from ..protocols.messages import Message
from ..protocols.prices import Rates
from .world import World


class Order(Message):
    """What is ordered, and for how much."""

    item: str
    cents: int


class Advice(Message):
    """What a model says about an order."""

    pay: bool
    why: str


def six_steps(world: World) -> tuple[Worker, Order]:
    """Price, screen and ask a model; then pay, which must not be done twice; notify, which may be; and join."""
    # As a user comes in: by the front door. Evals know runs and nobody who works, so they do not import it.
    front: Any = import_module("..", __package__)
    key_of = import_module("..agents.tools", __package__).Key

    async def price(order: Order) -> int:
        """Prices an order."""
        return order.cents + 19

    async def screen(order: Order) -> bool:
        """Screens an order."""
        return order.cents < 100_000

    async def pay(cents: int, advice: Advice, key: Any) -> str:
        """Pays."""
        return await world.do("pay", key=key.value, usd=0.05, result=f"paid {cents}")

    async def notify(receipt: str, key: Any) -> str:
        """Notifies; the other side honours the key."""
        return await world.do("notify", key=key.value, once=True, result=f"told: {receipt}")

    async def join(receipt: str, told: str, screened: bool) -> str:  # noqa: FBT001 - a payload, not an option
        """Writes the last line."""
        return f"{receipt}; {told}; {screened}"

    def says_yes(_: Request) -> Advice:
        return Advice(pay=True, why="cheap")

    for keyed in (pay, notify):
        keyed.__annotations__["key"] = key_of
    steps: dict[str, Any] = {
        "price": front.worker(price),
        "screen": front.worker(screen),
        "pay": front.worker(effect=True, usd=0.05)(pay),
        "notify": front.worker(effect=True, on_unknown="retry")(notify),
        "join": front.worker(join),
    }
    scripted = front.ScriptedModel(says_yes, price=Rates(input=1.0, output=4.0))
    advise = front.Agent("advise", "Advise.", accepts=Order, returns=Advice, models=[world.watched(scripted)])
    return _team(front, steps, advise), Order(item="lamp", cents=4_200)


def _team(front: Any, steps: dict[str, Any], advise: Any) -> Worker:
    flow = front.Workflow(Order, str)
    cents, fine = flow.step(steps["price"], flow.task), flow.step(steps["screen"], flow.task)
    advice = flow.step(advise, flow.task)
    receipt = flow.step(steps["pay"], {"cents": cents, "advice": advice})
    told = flow.step(steps["notify"], receipt)
    flow.output(flow.step(steps["join"], {"receipt": receipt, "told": told, "screened": fine}))
    workers = [*steps.values(), advise]
    team: Worker = front.Supervisor("desk", accepts=Order, returns=str, team=workers, planner=flow)
    return team
