"""Packages that a plain install leaves out."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec

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


def require(feature: str) -> None:
    """Say so before long work begins, if its figures could not be computed at its end.

    Raises:
        MissingExtraError: numpy, scipy or scikit-learn is not installed.
    """
    if any(find_spec(name) is None for name in ("numpy", "scipy", "sklearn")):
        raise MissingExtraError(feature, "evals")
