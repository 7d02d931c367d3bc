"""A property that is computed at its first reading."""

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    once = property  # type checkers compare it with the properties of protocols, which they do not do for the other
else:
    once = cached_property

__all__ = ["once"]
