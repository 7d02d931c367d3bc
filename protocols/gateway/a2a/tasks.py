"""Takes the requests of A2A clients of one team: the SDK's `RequestHandler`, over runs.

There is no store of tasks: a task is a run, its id is the run's, and it stands as the journal says. The same message,
sent again by the same principal, is the same task. A task goes on when its client leaves; it ends when it is called
off. Nobody sees the tasks of another principal, nor those of other teams and surfaces.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import anyio

from ...contracts import Card
from ...conversation import Delta
from ...errors import AnswerError, EchelonError, JournalError, ShapeError, UnknownRunError
from ...events import Answered
from ...messages import Done, Json
from ..app import told
from ..asgi import Scope, header_of, note_run, principal_of
from ..conversation import Said, recalled
from ..openai.following import follow, quietly
from ..openai.progress import line_of
from ..openai.speech import Speech
from ..runs import Order, Runs, Seen, Standing
from ..turns import Aside
from . import stream
from .card import MODES
from .message import UntakenError, answer_in, named_in, task_in
from .task import CANCELED, INPUT, OVER, SURFACE, Wire, asked, context_of, message_of, state_of, status_of, task_of

if TYPE_CHECKING:
    from a2a.server.context import ServerCallContext
    from a2a.types import a2a_pb2 as wire
    from google.protobuf.message import Message as Proto

logger = logging.getLogger(__name__)

SCOPE = "scope"
"""Key of a call's state under which its ASGI scope stands."""
MOST_CONTEXT = 200
"""Characters of a context's id."""
PAGE, MOST_PAGE = 50, 100
"""Tasks of a page: as a rule, and at most."""
MOST_TRACE = 64
BROKEN = "The server could not go on with this request."


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the answer to a message will stand."""

    run: str
    after: int
    """Seq of the last event before it."""
    aside: str = ""
    """What is said at once, since the message could not be taken as an answer; "": nothing."""
