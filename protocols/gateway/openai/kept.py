"""Responses that are there: looked at, watched again, called off; nobody sees anybody else's."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import UnknownRunError
from ..asgi import App, note_run
from ..legs import Leg, legs_of
from ..runs import Runs
from .errors import RefusedError, invalid, unknown_response
from .following import Place, leg_of, said_at_once, streamed
from .resource import Call, whole
from .response_object import Item, begun_of, input_of, place_in, response_of
from .responses_stream import ResponseStream
from .settings import Settings

MOST_ITEMS = 100
"""Of one page."""


@dataclass(frozen=True, slots=True)
class Kept:
    """`/v1/responses/{id}` and what is below it."""

    runs: Runs
    settings: Settings

    async def leg(self, given: str, principal: str, param: str = "response_id") -> Leg:
        """The leg that a response is.

        Raises:
            RefusedError: there is none of that id, or it is somebody else's; the two look the same.
        """
        place = place_in(given)
        if place is not None:
            try:
                stands = await self.runs.standing(place[0])
                if stands.principal == principal:
                    goes_on = int(stands.status == "running")  # perhaps in a leg in which nothing has happened yet
                    return await leg_of(self.runs, Place(run=place[0], number=place[1], after=goes_on))
            except UnknownRunError:
                pass
        raise unknown_response(given, param)

    async def _named(self, call: Call) -> Leg:
        leg = await self.leg(call.place("response"), call.principal)
        note_run(call.scope, leg.run)
        return leg

    async def get(self, call: Call) -> App:
        """A response as it stands, or its events: all, or those after the last one that the client has.

        Raises:
            RefusedError: there is no such response, or it cannot be watched again.
        """
        leg = await self._named(call)
        if call.query("stream").lower() not in ("true", "1"):
            return whole(response_of(leg))
        begun = begun_of(leg)
        if leg.number == 1 and not begun["background"]:  # later legs are never heard before they are journalled
            raise invalid("Only a response that was created with background=true can be streamed again.", "stream")
        stream = ResponseStream(begun, None, after=_number(call, "starting_after", -1))
        if leg.progress == "running":
            place = Place(run=leg.run, number=leg.number, after=leg.after)
            return streamed(self.runs, self.settings, place, stream, call)
        frames = [stream.begin(), *(stream.take(seen) for seen in leg.seen), stream.end(leg)]
        return said_at_once(b"".join(frames))

    async def cancel(self, call: Call) -> App:
        """Call the run off; a response that is over stays as it is, and so does one whose question was answered.

        Raises:
            RefusedError: there is no such response.
        """
        leg = await self._named(call)
        last = legs_of(leg.run, await self.runs.events(leg.run))[-1].number
        if leg.number == last and leg.progress in ("running", "waiting"):
            await self.runs.cancel(leg.run, reason="its client called it off")
            leg = await leg_of(self.runs, Place(run=leg.run, number=leg.number, after=leg.after))
        return whole(response_of(leg))

    async def delete(self, call: Call) -> App:
        """Refuse: what has happened cannot be made not to have happened.

        Raises:
            RefusedError: always.
        """
        await self._named(call)
        message = "Responses are read off a journal to which events are only added; none can be deleted."
        raise RefusedError(405, message, headers=[("allow", "GET")])

    async def items(self, call: Call) -> App:
        """What the client said, the last item first unless asked otherwise.

        Raises:
            RefusedError: there is no such response.
        """
        found = input_of(await self._named(call))
        if call.query("order") != "asc":
            found.reverse()
        return whole(_page(found, call.query("after"), _number(call, "limit", 20)))


def _page(items: list[Item], after: str, limit: int) -> Item:
    names = [str(item["id"]) for item in items]
    begin = names.index(after) + 1 if after in names else 0
    end = begin + max(1, min(limit, MOST_ITEMS))
    data = items[begin:end]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": end < len(items),
    }


def _number(call: Call, name: str, default: int) -> int:
    """A whole number from the query.

    Raises:
        RefusedError: it is none.
    """
    text = call.query(name)
    if not text:
        return default
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise invalid(f"{name}: expected a whole number.", name)
    return int(text)
