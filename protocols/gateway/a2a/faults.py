"""What a client of A2A is told of an error of ours: one of the protocol's, in words without internals."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager

from ...errors import AnswerError, BusyError, EchelonError, JournalError, ShapeError, UnknownRunError
from .message import UntakenError

logger = logging.getLogger(__name__)

BROKEN = "The server could not go on with this request."
UNREADABLE = "The journal cannot be read or written now; try again later."
CROWDED = "As many runs are under way as are allowed; try again later."


@contextmanager
def as_faults() -> Generator[None]:
    """Raise errors of ours as those of the protocol.

    Raises:
        A2AError: whatever it was.
    """
    from a2a.utils.errors import A2AError, InternalError

    try:
        yield
    except A2AError:
        raise
    except EchelonError as error:
        raise _fault(error) from error
    except Exception as error:
        logger.exception("a request broke off", exc_info=error)
        raise InternalError(BROKEN) from None


def _fault(error: EchelonError) -> Exception:
    from a2a.utils.errors import ContentTypeNotSupportedError, InternalError, InvalidParamsError, TaskNotFoundError

    match error:
        case UntakenError():
            return ContentTypeNotSupportedError(f"The message is not taken: {error}.")
        case ShapeError():
            return InvalidParamsError(f"The task does not fit: {error}.")
        case AnswerError():
            return InvalidParamsError(f"The answer is not taken: {error}.")
        case UnknownRunError():
            return TaskNotFoundError("There is no such task.")
        case BusyError():
            return InternalError(CROWDED)
        case JournalError():
            return InternalError(UNREADABLE)
        case _:
            return InternalError(BROKEN)
