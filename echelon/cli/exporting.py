"""Spans and metrics of what a command drives, for those who ask for them with `--otel`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

from ..protocols.contracts import Listener
from ..supervisor.log import Entry
from ..supervisor.telemetry import Telemetry


@contextmanager
def exporting(args: Namespace) -> Generator[Callable[[Sequence[Entry]], Listener] | None]:
    """While the block runs, what is driven is exported by OTLP; None: nobody asked for it.

    Raises:
        MissingExtraError: OpenTelemetry is not installed.
    """
    if args.otel is None:
        yield None
        return
    telemetry = Telemetry.otlp(capture=args.otel)
    try:
        yield telemetry.listener
    finally:
        telemetry.close()
