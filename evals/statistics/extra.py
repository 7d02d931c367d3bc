"""Packages that a plain install leaves out."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from ...protocols.errors import MissingExtraError


@contextmanager
def needs(feature: str) -> Generator[None]:
    """Name the extra to install if an import inside the block fails.

    Raises:
        MissingExtraError: it does.

    Example:
        >>> with needs("a bootstrap"):
        ...     import no_such_package
        Traceback (most recent call last):
        echelon.protocols.errors.MissingExtraError: a bootstrap needs the extra 'evals': pip install 'echelon[evals]'
    """
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(feature, "evals") from error
