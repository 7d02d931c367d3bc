"""Two teams for an editor: one that answers, one that asks before it pays."""

from tests.plugged import desk, echo

answering = echo()
asking = desk([])
