"""The addresses of OpenAI's APIs: `routes` for any starlette application, `surface` for Echelon's own server."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ...errors import MissingExtraError
from ..runs import Runs
from ..serving import Serving, Surface
from .chat import Chat
from .desk import ASIDE, Desk
from .errors import worded
from .kept import Kept
from .models import Models
from .resource import Resource, nowhere
from .responses import Responses
from .settings import Settings

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from ..openapi import Operation

PREFIX = "/v1"
DEFAULTS = Settings()


def routes(runs: Runs, settings: Settings = DEFAULTS, now: Callable[[], float] = time.time) -> list[BaseRoute]:
    """Models, Chat Completions and Responses over runs.

    Args:
        runs: whose teams are the models.
        settings: heartbeat, and what becomes of a run whose client hangs up.
        now: seconds since the epoch.

    Raises:
        MissingExtraError: starlette is not installed.
    """
    try:
        from starlette.routing import Route
    except ImportError as error:
        raise MissingExtraError("the OpenAI surface", "serve") from error
    desk, kept = Desk(runs, now), Kept(runs, settings)
    models, chat = Models(desk, int(now())), Chat(desk, settings)
    responses = Responses(desk, settings, kept)
    resources = {
        "/models": Resource({"GET": models.list}),
        "/models/{model:path}": Resource({"GET": models.get}),
        "/chat/completions": Resource({"POST": chat.create}),
        "/responses": Resource({"POST": responses.create}),
        "/responses/{response}": Resource({"GET": kept.get, "DELETE": kept.delete}),
        "/responses/{response}/cancel": Resource({"POST": kept.cancel}),
        "/responses/{response}/input_items": Resource({"GET": kept.items}),
        "/{rest:path}": Resource({}, nowhere),
    }
    return [Route(f"{PREFIX}{path}", resource) for path, resource in resources.items()]


def surface(runs: Runs, serving: Serving) -> Surface:
    """The surface as Echelon's server mounts it.

    Raises:
        MissingExtraError: starlette is not installed.
    """
    settings = Settings(disconnect=serving.disconnect)
    made = routes(runs, settings)

    def described() -> Sequence[Operation]:
        from . import operations  # their models are built for the document alone

        return operations.of(made, [*runs.teams, *(f"{name}{ASIDE}" for name in runs.teams)])

    return Surface(name="openai", routes=made, prefix=PREFIX, wording=worded, operations=described)
