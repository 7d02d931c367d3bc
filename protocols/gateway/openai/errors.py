"""What a request is refused with, in OpenAI's shape, whatever the status.

Clients of OpenAI try again by themselves after 408, 409, 429 and every 5xx, twice by default, unless the answer says
`x-should-retry: false`. Once a run has begun, trying again would be ordering it again: every such error says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic_core import to_json

from ...errors import (
    AnswerError,
    BusyError,
    CrowdedError,
    EchelonError,
    JournalError,
    ShapeError,
    UnknownRunError,
    UsageError,
)
from ...messages import FailureKind, Json
from ..asgi import Header, Refused

BUSY_SECONDS = 2
"""What a client is told to wait where every place for a run is taken."""

NO_RETRY: Header = ("x-should-retry", "false")

CODES = {
    401: "invalid_api_key",
    404: "not_found",
    405: "method_not_allowed",
    413: "request_too_large",
    415: "unsupported_media_type",
    421: "misdirected_request",
    429: "rate_limit_exceeded",
}
"""By status, where the thing that is refused has no better one."""


class RefusedError(EchelonError):
    """A request that is not served, and what its sender is told."""

    def __init__(
        self,
        status: int,
        message: str,
        param: str | None = None,
        code: str | None = None,
        headers: Sequence[Header] = (),
    ) -> None:
        """Take what is told.

        Args:
            status: 400 or above.
            message: For whoever sent the request: never an exception of ours, never a prompt.
            param: The field that is to blame, as `messages[0].content`; None: none in particular.
            code: For programs; None: what the status says.
            headers: Sent beside the body.
        """
        self.status = status
        self.message = message
        self.param = param
        self.code = code or CODES.get(status)
        self.headers = tuple(headers)
        super().__init__(f"{status}: {message}")

    @property
    def json(self) -> dict[str, Json]:
        """The error object."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        return {"message": self.message, "type": kind, "param": self.param, "code": self.code}

    @property
    def body(self) -> bytes:
        """The whole body of an answer."""
        return to_json({"error": self.json})

    def begun(self) -> RefusedError:
        """The same once a run has begun: no client may send the request again by itself."""
        others = [header for header in self.headers if header != NO_RETRY]
        return RefusedError(self.status, self.message, self.param, self.code, [*others, NO_RETRY])


def worded(refused: Refused) -> bytes:
    """The body of what the guard refuses, as clients of OpenAI expect it.

    Example:
        >>> worded(Refused(status=413, message="Too large."))
        b'{"error":{"message":"Too large.","type":"invalid_request_error","param":null,"code":"request_too_large"}}'
    """
    return RefusedError(refused.status, refused.message, code=refused.code or None).body


def invalid(message: str, param: str | None = None, code: str | None = None) -> RefusedError:
    """A request that asks for what cannot be."""
    return RefusedError(400, message, param, code)


def unknown_model(name: str) -> RefusedError:
    """No such team is served."""
    return RefusedError(404, f"The model {name[:200]!r} does not exist.", "model", "model_not_found")


def unknown_response(name: str, param: str) -> RefusedError:
    """No such response, or somebody else's: the two look the same."""
    return RefusedError(404, f"Response {name[:200]!r} was not found.", param, "response_not_found")


def broken() -> RefusedError:
    """A defect of ours, of which the client is told no more than that."""
    return RefusedError(500, "The server could not go on with this request.").begun()


def sentence(text: str) -> str:
    """A message of ours as a sentence.

    Example:
        >>> sentence("there is no such run")
        'There is no such run.'
    """
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def refused_by(error: EchelonError) -> RefusedError:
    """What a client is told of an error of ours."""
    match error:
        case RefusedError():
            return error
        case ShapeError():
            return RefusedError(422, f"This task does not fit the team: {error}.", code="invalid_task")
        case AnswerError():
            return invalid(sentence(str(error)), code="not_open")
        case BusyError():
            wait = (("retry-after", str(BUSY_SECONDS)),)
            closing = isinstance(error, CrowdedError) and not error.limit
            return RefusedError(503 if closing else 429, sentence(str(error)), headers=wait)
        case UnknownRunError():
            return RefusedError(404, "There is no such run.")
        case JournalError():
            return RefusedError(503, "The journal cannot be read or written just now.").begun()
        case UsageError():
            return RefusedError(404, "This server has no such team.", "model", "model_not_found")
        case _:
            return broken()


SERVICE: Mapping[FailureKind, tuple[int, str]] = {
    "rate_limited": (503, "A model that the team needs is rate limited just now."),
    "overloaded": (503, "A model that the team needs is overloaded just now."),
    "quota": (503, "The quota of a model that the team needs is used up."),
    "auth": (502, "A model that the team needs refused its credentials."),
    "connection": (502, "A model that the team needs could not be reached."),
    "upstream": (502, "Something that the team depends on failed."),
    "timeout": (504, "The team was not done in time."),
    "bad_request": (500, "A model that the team needs refused the team's request."),
    "defect": (500, "The team broke off because of a defect."),
}
"""Failures of the service rather than of the work: an error to the client, by status and sentence."""


def failed_run(kind: FailureKind, run: str) -> RefusedError | None:
    """The error that a failure of the service is; None: the failure is what came of the work, and is said as text."""
    if (known := SERVICE.get(kind)) is None:
        return None
    status, sentence = known
    return RefusedError(status, f"{sentence} (run {run})", code=kind).begun()
