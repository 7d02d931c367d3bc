"""Whether the journals are as they were written: every line is chained to the one before by its digest."""

from __future__ import annotations

from collections.abc import Mapping

from ...markup import NOTHING, Html, tag
from ..asgi import App
from ..runs import Runs
from .door import Visit, shown
from .frame import framed, wide
from .parts import address
from .telling import many, sign

LEAD = (
    "Each event of a run is chained to the one before it by SHA-256: a line that was changed, left out or put in "
    "breaks the chain."
)
MOST = 1_000
"""Runs that are listed; those that are damaged come first."""


class Audit:
    """The page on which chains are verified."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    async def show(self, visit: Visit) -> App:
        """Say what it is; verify when asked to."""
        checks = visit.query("verify") == "all"
        found = await self._runs.audit(principal=visit.principal) if checks else None
        button = tag(
            "form", tag("button", "Verify all chains", name="verify", value="all", class_="main"), action="/audit"
        )
        page = framed(
            "Audit",
            visit.principal,
            tag("h1", "Audit"),
            tag(
                "p",
                LEAD,
                class_="lead",
            ),
            button,
            _told(found) if found is not None else NOTHING,
            here="/audit",
            waiting=await visit.waiting(self._runs),
        )
        return shown(page)


def _told(found: Mapping[str, str]) -> Html:
    broken = sum(bool(fault) for fault in found.values())
    verdict = "done" if not broken else "failed"
    said = f"{many(len(found), 'run')} read, {broken or 'none'} damaged"
    runs = sorted(found, key=lambda run: (not found[run], run))[:MOST]
    heads = tag("tr", (tag("th", name, scope="col") for name in ("Run", "Chain", "Export")))
    rows = (_row(run, found[run]) for run in runs)
    table = wide("Chains", tag("table", tag("thead", heads), tag("tbody", rows))) if runs else NOTHING
    return tag("div", tag("p", sign(verdict), " ", tag("b", said), class_="status", role="status"), table)


def _row(run: str, fault: str) -> Html:
    chain = tag("td", fault, class_="bad") if fault else tag("td", "intact", class_="good")
    export = "" if fault else tag("a", "JSON", href=f"{address(run)}/export.json", aria_label=f"Export {run} as JSON")
    name = tag("code", run) if fault else tag("a", tag("code", run), href=address(run))
    return tag("tr", tag("th", name, scope="row"), chain, tag("td", export))
