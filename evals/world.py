"""The world of a simulation: what was really done, whatever the journal says, and a store whose process may die."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import anyio
from typing_extensions import TypeVar

from ..protocols.contracts import Model
from ..protocols.conversation import Reply, Request, digest_of
from ..protocols.errors import EffectError, FencedError
from ..protocols.messages import Json
from ..protocols.prices import Price
from ..protocols.storage import Record, RunStatus, RunSummary

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Something that was really done."""

    name: str
    key: str
    """Idempotency key, or for a model call the digest of its effect; "": none."""
    usd: float
    """What it really cost."""
    result: Json
    writes: bool


def nobody(moment: str) -> None:
    """Nobody watches."""


class World:
    """Counts what is really done, outside the journal: the truth that a run is held against.

    Workers and tools under test touch it instead of a bank or a printer (`await world.do("pay", key=key.value)`);
    models are wrapped (`world.watched(model)`). Everything takes a little virtual time, by the seed, with a moment to
    die before the deed and one after it.

    Args:
        faults: chances in [0, 1] by name, for code that asks `world.strikes(name)` whether something goes wrong now.
    """

    def __init__(self, faults: dict[str, float] | None = None) -> None:
        self.deeds: list[Deed] = []
        self.faults = faults or {}
        self.watch: Callable[[str], None] = nobody
        """Told of every moment at which a crash makes a difference."""
        self._random = Random(0)

    def begin(self, seed: object, deeds: Sequence[Deed] = ()) -> None:
        """Go on from these deeds, with latencies and faults by this seed."""
        self.deeds = list(deeds)
        self._random = Random(f"{seed}")

    @property
    def spent(self) -> float:
        """USD that were really spent, to nine decimals."""
        return round(sum(deed.usd for deed in self.deeds), 9)

    def found(self, key: str) -> Deed | None:
        """The deed under this idempotency key; None: it was not done."""
        return next((deed for deed in self.deeds if key and deed.key == key), None)

    def chance(self) -> float:
        """A number in [0, 1) by the seed: a price, a latency, whatever the world decides."""
        return self._random.random()

    def strikes(self, fault: str) -> bool:
        """Whether the fault of this name happens now."""
        return self.chance() < self.faults.get(fault, 0.0)

    async def wait(self) -> None:
        """Let up to a virtual second pass, or none."""
        if (seconds := self.chance() - 0.5) > 0:
            await anyio.sleep(2 * seconds)

    async def do(
        self, name: str, result: T, *, key: str = "", usd: float = 0.0, writes: bool = True, once: bool = False
    ) -> T:
        """Do something.

        Args:
            name: what.
            result: what comes back.
            key: idempotency key, as the worker or tool received it.
            usd: what it costs.
            writes: it changes something; a repeat of it is a finding.
            once: the other side honours the key: it does not do again what it has done under the same key.
        """
        await self.wait()
        known = self.found(key) if once else None
        if known is None:
            self.watch(f"{name} is about to be done")
            self.deeds.append(Deed(name=name, key=key, usd=usd, result=result, writes=writes))
            self.watch(f"{name} was done")
        await self.wait()
        return result

    def watched(self, model: Model) -> Model:
        """The model, with its calls and what they cost on record here."""
        return _Watched(model, self)


@dataclass(frozen=True)
class _Watched:
    """A model whose calls are deeds."""

    model: Model
    world: World

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def price(self) -> Price:
        return self.model.price

    async def reply(self, request: Request, listen: Callable[[str], None] | None = None) -> Reply:
        usd = 0.0
        try:
            reply = await self.model.reply(request, listen)
            usd = reply.usage.usd
        except EffectError as error:
            usd = error.usage.usd if error.usage is not None else 0.0
            raise
        finally:
            key = digest_of(self.model.name.encode(), request.digest.encode())
            await self.world.do(f"model:{self.name}", key=key, result=None, usd=usd, writes=False)
        return reply


class CrashingStore:
    """A store in memory whose writes take virtual time: what is durable is a prefix, and only that outlives a crash.

    Args:
        world: whose seed decides how long a write takes.
        records: what is durable already, of one run.
        signals: what lies in the inbox already.
    """

    def __init__(self, world: World, records: Sequence[Record] = (), signals: Sequence[tuple[str, bytes]] = ()) -> None:
        self.world = world
        self.records = list(records)
        self.signals = list(signals)
        self._status: RunStatus = "running"

    async def append(self, records: Sequence[Record], status: RunStatus) -> None:
        """Write the next records, all or none; durable on return.

        Raises:
            FencedError: the first record's seq is not the next one of its run.
        """
        what = f"event {records[0].seq} to {records[-1].seq}" if len(records) > 1 else f"event {records[0].seq}"
        self.world.watch(f"{what} is about to be durable")
        await self.world.wait()
        self.commit(records, status)
        self.world.watch(f"{what} is durable and not acknowledged")
        await self.world.wait()

    def commit(self, records: Sequence[Record], status: RunStatus) -> None:
        """Make records durable.

        Raises:
            FencedError: the first record's seq is not the next one.
        """
        if records[0].seq != len(self.records) + 1:
            raise FencedError(records[0].run, records[0].seq - 1, len(self.records))
        self.records.extend(records)
        self._status = status

    async def read(self, run: str) -> Sequence[Record]:
        """All records by seq."""
        return list(self.records)

    async def runs(self) -> Sequence[RunSummary]:
        """The run, if it has begun."""
        if not self.records:
            return []
        first, last = self.records[0], self.records[-1]
        return [
            RunSummary(
                run=first.run, status=self._status, worker="", started=first.at, updated=last.at, events=last.seq
            )
        ]

    async def put(self, run: str, key: str, body: bytes) -> bool:
        """Leave a signal; False if the key is taken."""
        if any(key == taken for taken, _ in self.signals):
            return False
        self.signals.append((key, body))
        self.world.watch(f"an answer to {key} was left")
        return True

    async def take(self, run: str) -> Sequence[tuple[str, bytes]]:
        """All signals, in the order of their arrival."""
        return list(self.signals)
