"""A console to try: a logged-in browser in front of a server in this process, and a desk whose words are hostile."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import httpx2

from echelon.agents.agent import Agent
from echelon.agents.function import worker
from echelon.agents.models.scripted import ScriptedModel
from echelon.agents.person import Person
from echelon.agents.reviewer import Reviewer
from echelon.protocols.contracts import Worker
from echelon.protocols.errors import UsageError
from echelon.protocols.gateway import keys
from echelon.protocols.gateway.app import application
from echelon.protocols.gateway.conversation import Conversation
from echelon.protocols.gateway.keys import Keys
from echelon.protocols.gateway.runs import Order
from echelon.protocols.gateway.serving import Serving, hosts_of, origins_of
from echelon.protocols.messages import Approval, Json, Message, Revise
from echelon.protocols.prices import Rates
from echelon.protocols.storage import Record
from echelon.supervisor.host import Host, Limits
from echelon.supervisor.journal.memory import MemoryJournal
from echelon.supervisor.planners.workflow import Workflow
from echelon.supervisor.supervisor import Supervisor

from .builders import double
from .markup import Parsed, parsed

BASE = "http://localhost:8700"
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u202e\x07"
ELSEWHERE = re.compile(r"""(?:https?:)?//[^\s"'<>]+|url\(|@import|javascript:|\son\w+=""")


class Invoice(Message):
    """What a desk accepts."""

    text: str
    amounts: list[int]
    urgent: bool = False
    kind: str = "goods"


class Said(Message):
    """What a worker says."""

    text: str


@worker
async def read(invoice: Invoice) -> Said:
    """Read it."""
    return Said(text=f"read {invoice.text}")


@worker
async def fail(said: Said) -> Said:
    """Fail."""
    raise UsageError(f"cannot: {said.text}")


@worker
async def hear(conversation: Conversation) -> Said:
    """Hear what is said."""
    return Said(text=conversation.request.text)


def summing(_: object) -> Said:
    """Sum up."""
    return Said(text=f"sum {EVIL}")


ADA: Person[Said, Approval] = Person("ada", f"May this be {EVIL}?", accepts=Said, returns=Approval)


def desk(name: str, *, approved: bool = False, failing: bool = False) -> Supervisor[Invoice, Said]:
    """A team: a function reads, a model sums up; then perhaps somebody is asked, or it fails."""
    model = ScriptedModel(summing, name="small", price=Rates(input=1.0, output=4.0))
    summer = Agent("summer", "Sum up.", accepts=Said, returns=Said, models=[model])
    flow = Workflow(Invoice, Said)
    out: Any = flow.step(summer, flow.step(read, flow.task))
    team: list[Worker[Any, Any]] = [read, summer]
    if approved:
        answered = flow.step(ADA, out)
        out = flow.step(close, {"said": out, "approval": answered})
        team += [ADA, close]
    if failing:
        out = flow.step(fail, out)
        team.append(fail)
    flow.output(out)
    rounds = iter([Revise(findings=(f"too {EVIL}",), blamed=("summer",))])
    reviewer = Reviewer(checks=[lambda said: next(rounds, None)])
    return Supervisor(
        name, accepts=Invoice, returns=Said, team=team, planner=flow, reviewer=reviewer, description=f"A desk {EVIL}"
    )


@worker
async def close(said: Said, approval: Approval) -> Said:
    """Close."""
    return Said(text=f"{said.text} {approval.by}")


class Spoilt(MemoryJournal):
    """A journal in which somebody changed a line of a run."""

    def __init__(self) -> None:
        super().__init__()
        self.run = ""

    async def read(self, run: str) -> list[Record]:
        """The records; of that run, with another body in the second."""
        found = list(await super().read(run))
        return [replace(one, body=b"{}") if (run, i) == (self.run, 1) else one for i, one in enumerate(found)]


@dataclass
class Console:
    """A logged-in browser in front of a server in this process."""

    host: Host
    client: httpx2.AsyncClient
    store: Spoilt

    async def get(self, path: str) -> httpx2.Response:
        """Ask for a page, and check what holds of every page."""
        answer = await self.client.get(path)
        if answer.headers["content-type"].startswith("text/html"):
            check(answer)
        return answer

    async def page(self, path: str, status: int = 200) -> Parsed:
        """A page, read."""
        answer = await self.get(path)
        assert answer.status_code == status, answer.text
        return parsed(answer.text)

    async def send(self, path: str, fields: Mapping[str, str], token: str | None = None) -> httpx2.Response:
        """Send a form as the browser does, with the token of a page if none is given."""
        given = token if token is not None else await self.token()
        answer = await self.client.post(path, data={"token": given, **fields}, headers={"origin": BASE})
        if answer.status_code != 303:
            check(answer)
        return answer

    async def token(self) -> str:
        """What forms of this session hold."""
        found = parsed((await self.client.get("/start?team=double")).text)
        return next(one.attributes["value"] for one in found.all("input") if one.attributes.get("name") == "token")

    async def order(self, team: str, task: Json, principal: str = keys.OWNER) -> str:
        """Begin a run."""
        return await self.host.begin(Order(team=team, task=task, principal=principal, surface="chat", thread=EVIL))


def check(answer: httpx2.Response) -> None:
    """What holds of every page: well-formed, a policy without exceptions, nothing from elsewhere, nothing unescaped."""
    page = parsed(answer.text)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "same-origin"  # with none, browsers send forms with `Origin: null`
    scripts = [one for one in page.all("script") if not one.attributes.get("src", "").startswith("/console.js?")]
    assert not scripts
    assert not page.all("style")
    for one in page.elements:
        assert not [name for name in one.attributes if name.startswith("on") or name == "style"], one
        for name in ("href", "src", "action", "data-live"):
            where = one.attributes.get(name, "/")
            assert (where.startswith("/") and not where.startswith("//")) or where.startswith("#"), one
    ids = [one.attributes["id"] for one in page.elements if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    labelled = {one.attributes["for"] for one in page.all("label")}
    for one in page.elements:
        if one.tag in ("select", "textarea") or (one.tag == "input" and one.attributes.get("type") != "hidden"):
            assert one.attributes["id"] in labelled, one
    told = "".join(text for tag, text in page.texts if tag != "textarea")  # what was typed comes back as it was
    assert not {"\u202e", "\x07"} & set(told)
    assert [one.tag for one in page.elements].count("h1") == 1


@asynccontextmanager
async def console(folder: Path, *teams: Worker[Any, Any]) -> AsyncGenerator[Console]:
    """A console over these teams, logged in."""
    key = keys.make(folder / "keys")
    hosts = hosts_of(8700)
    (folder / "reports").mkdir()
    rules = Serving(keys=Keys(folder / "keys"), hosts=hosts, origins=origins_of(hosts), reports=folder / "reports")
    store = Spoilt()
    named: dict[str, Worker[Any, Any]] = {team.card.name: team for team in (double, *teams)} | {"other_name": double}
    async with Host(named, store, limits=Limits(drain=0.0, listen=None)) as host:
        app: Any = application(host, rules)
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=BASE) as client:
            with anyio.fail_after(5):
                await client.get(f"/login?key={key}")
                yield Console(host, client, store)


TASK: Json = {"text": EVIL, "amounts": [1, 2]}
