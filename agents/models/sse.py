"""Server-sent events: bytes in any pieces to the data of whole events (WHATWG HTML, 9.2.6)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Events:
    r"""Takes a stream in pieces and gives the data of each whole event; all else is passed over.

    Example:
        >>> events = Events()
        >>> events.feed(b": ping\n\ndata: a")
        []
        >>> events.feed(b"b\r\ndata: c\r\n\r\n")
        [b'ab\nc']
    """

    rest: bytes = b""
    """The beginning of a line."""
    data: list[bytes] = field(default_factory=list[bytes])
    """The lines of an event that is not whole yet."""

    def feed(self, piece: bytes) -> list[bytes]:
        """The events that this piece completes."""
        text = self.rest + piece
        held = b"\r" if text.endswith(b"\r") else b""  # its line feed may be the first byte of the next piece
        if b"\r" in text:
            text = text.removesuffix(held).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = text.split(b"\n")
        self.rest = rest + held
        return [event for line in lines if (event := self._line(line)) is not None]

    def _line(self, line: bytes) -> bytes | None:
        if line.startswith(b"data:"):
            self.data.append(line[6:] if line.startswith(b"data: ") else line[5:])
        elif line == b"data":
            self.data.append(b"")
        elif not line and self.data:
            event = b"\n".join(self.data)
            self.data.clear()
            return event
        return None
