"""Start a run: a form made from what the team accepts, or a box for JSON."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlencode

from ...contracts import Card
from ...errors import BusyError, ShapeError
from ...markup import tag
from ...messages import Json
from ..asgi import App, note_run
from ..conversation import Conversation
from ..runs import Order, Runs
from .door import TOKEN, Visit, VisitError, sent_on, shown
from .filled import ROOT, Faults, less, more, read
from .forms import NO_FAULTS, form, fresh, trouble
from .frame import framed
from .parts import address
from .schemas import Field, field_of

SURFACE = "console"


class Start:
    """The page on which a run is started."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    async def show(self, visit: Visit) -> App:
        """Show an empty form."""
        card = self._card(visit.query("team"))
        field = _field(card, as_json=visit.query("as") == "json")
        return await self._page(visit, card, field, _begin(card, field))

    async def take(self, visit: Visit) -> App:
        """Start a run, or show the form again with what is wrong with it."""
        pairs = await visit.form()
        given = dict(pairs)
        card = self._card(given.get("team", ""))
        field = _field(card, as_json=given.get("as") == "json")
        value, faults = read(field, pairs)
        key = given.get("key", "")[:64]
        if (at := given.get("add")) is not None:
            value, count = more(value, at), _count(pairs, at)
            return await self._page(visit, card, field, value, key=key, focus=f"{at}/{count}")
        if (at := given.get("drop")) is not None:
            return await self._page(visit, card, field, less(value, at), key=key)
        if not faults:
            try:
                return await self._begun(visit, card, value, key)
            except ShapeError as error:
                faults = located(error)
            except BusyError:
                faults = {"": "as many runs are under way as are allowed; try again later"}
        return await self._page(visit, card, field, value, faults, key=key)

    async def _begun(self, visit: Visit, card: Card, value: Json, key: str) -> App:
        task = _conversation(value) if card.accepts.of is Conversation and isinstance(value, str) else value
        order = Order(team=card.name, task=task, principal=visit.principal, surface=SURFACE, key=key)
        run = await self._runs.begin(order)
        note_run(visit.scope, run)
        return sent_on(address(run))

    def _card(self, name: str) -> Card:
        teams = self._runs.teams
        if name not in teams:
            raise VisitError(404, f"There is no team {name[:80]!r}.")
        return replace(teams[name], name=name)  # a team is known by the name that it is served under

    async def _page(
        self,
        visit: Visit,
        card: Card,
        field: Field,
        value: Json,
        faults: Faults = NO_FAULTS,
        *,
        key: str = "",
        focus: str = "",
    ) -> App:
        as_json = field == JSON
        hidden = {
            TOKEN: visit.token,
            "team": card.name,
            "key": key or secrets.token_hex(16),
            "as": "json" if as_json else "",
        }
        inputs = (tag("input", type="hidden", name=name, value=text) for name, text in hidden.items())
        other = {"team": card.name} if as_json else {"team": card.name, "as": "json"}
        said = "Fill in a form instead" if as_json else "Write JSON instead"
        can_switch = not as_json or field_of(card.accepts.input_schema).kind != "json"
        page = framed(
            f"New run of {card.name}",
            visit.principal,
            tag("p", tag("a", "Runs", href="/"), class_="crumbs"),
            tag("h1", "New run of ", card.name),
            tag("p", card.description, class_="lead"),
            trouble(faults),
            tag(
                "form",
                inputs,
                # what Enter presses must not be the button of a list, which stands before the last one
                tag("button", "Start", class_="unseen", tabindex=-1, aria_hidden="true"),
                form(field, value, faults, focus=focus),
                tag(
                    "p",
                    tag("button", "Start run", class_="main"),
                    " ",
                    tag("a", said, href=f"/start?{urlencode(other)}") if can_switch else "",
                    class_="buttons",
                ),
                method="post",
                action="/start",
                class_="task",
            ),
            here="/",
            waiting=await visit.waiting(self._runs),
        )
        return shown(page, 422 if faults else 200)


JSON = Field(kind="json", title="Task as JSON")
TEXT = Field(kind="text", title="Message")


def _field(card: Card, *, as_json: bool) -> Field:
    if as_json:
        return JSON
    if card.accepts.of is Conversation:
        return TEXT
    field = field_of(card.accepts.input_schema)
    return JSON if field.kind == "json" else field


def _begin(card: Card, field: Field) -> Json:
    return fresh(field_of(card.accepts.input_schema)) if field == JSON else fresh(field)


def _conversation(text: str) -> Conversation:
    return Conversation.model_validate({"turns": [{"role": "user", "text": text}]})


def _count(pairs: Sequence[tuple[str, str]], name: str) -> str:
    return dict(pairs).get(f"{name}#", "0")[:4]


def located(error: ShapeError) -> Faults:
    """The faults of a value by the name of the field that each is about; several about one are joined.

    Example:
        >>> located(ShapeError("Task", ["/n: field required", "no task at all"]))
        {'v/n': 'field required', 'v': 'no task at all'}
    """
    faults: Faults = {}
    for fault in error.faults:
        where, colon, said = fault.partition(": ") if fault.startswith("/") else ("", ":", fault)
        name = f"{ROOT}{where}" if colon else ROOT
        faults[name] = f"{faults[name]}; {said}" if name in faults else said
    return faults
