"""A run as the events of an A2A stream, in the protocol's JSON: what happens, pieces of the output, and the end."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from ...a2a import WORKING, Wire, text_part
from ...conversation import Delta
from ...errors import JournalError
from ...messages import Done
from ..conversation import as_text
from ..progress import line_of
from ..runs import Runs, Seen, Standing
from ..speech import Speech
from .task import artifact_of, artifacts_of, context_of, message_of, status_of, time_of


async def updates(runs: Runs, run: str, after: int) -> AsyncGenerator[Wire]:
    """What happens in a run after an event, until it rests, and how it then stands.

    Text of an output that is sure goes out in pieces, in the artifact that the end completes.

    Raises:
        JournalError: the run cannot be read, or broke off.
    """
    first = await runs.standing(run)
    speech = Speech(runs.teams[first.team])
    async with aclosing(everything(runs, run, after)) as told:
        async for one in told:
            begun = bool(speech.text)
            if text := speech.hear(one):
                yield artifact_update(first, artifact_of(text_part(text)), append=begun, last=False)
            if isinstance(one, Seen) and (line := line_of(one.event)):
                status = {"state": WORKING, "timestamp": time_of(one.at), "message": message_of(first, one.seq, line)}
                yield status_update(first, status)
    stands = await runs.standing(run)
    if stands.status == "running":
        return
    for update in _artifacts(stands, speech):
        yield update
    yield status_update(stands, status_of(stands, await runs.events(run)))


async def everything(runs: Runs, run: str, after: int) -> AsyncGenerator[Seen | Delta]:
    """Everything after an event until the run rests; one who could not keep up goes on where it was let go.

    Raises:
        JournalError: the run cannot be read, or broke off.
    """
    last = after
    while True:
        before = last
        try:
            async with runs.watch(run, after=last) as told:
                async for one in told:
                    last = one.seq if isinstance(one, Seen) else last
                    yield one
        except JournalError:
            if last == before:
                raise
        else:
            return


def _artifacts(stands: Standing, speech: Speech) -> list[Wire]:
    """The output, or what is still to be sent of it."""
    if not isinstance(stands.report, Done):
        return []
    output = stands.report.output
    if speech.text and isinstance(output, str) and output.startswith(speech.text):
        rest = artifact_of(text_part(speech.rest(as_text(output))))
        return [artifact_update(stands, rest, append=True, last=True)]
    return [artifact_update(stands, each, append=False, last=True) for each in artifacts_of(stands.report)]


def status_update(stands: Standing, status: Wire) -> Wire:
    """A change of the status."""
    return {"statusUpdate": {"taskId": stands.run, "contextId": context_of(stands), "status": status}}


def artifact_update(stands: Standing, artifact: Wire, *, append: bool, last: bool) -> Wire:
    """A piece of the artifact, or all of it."""
    whose = {"taskId": stands.run, "contextId": context_of(stands)}
    return {"artifactUpdate": {**whose, "artifact": artifact, "append": append, "lastChunk": last}}
