"""Several tries at each task: pass@k asks whether one of k succeeds, pass^k whether all k do.

A task is the pair (n, c): n scored tries, c of which succeeded. A try that was not scored is none of the n.

The mean over tasks is undefined where any task has fewer than k tries, and where there are no tasks: to leave
the short ones out would change what the figure is about. Who wants that leaves them out before, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import comb, fsum

from ...protocols.errors import UsageError

Tasks = Mapping[str, tuple[int, int]] | Sequence[tuple[int, int]]
"""(n, c) of each task; of a mapping, its values."""


def pass_at_k(tasks: Tasks, k: int) -> float | None:
    """Estimate without bias how likely at least one of k tries succeeds, as a mean over tasks.

    1 - C(n-c, k) / C(n, k) per task; in [0, 1]; it never falls as k grows. None: undefined, as this module says.

    Raises:
        UsageError: k is no positive number, or a task has more successes than tries.

    Source: Chen et al. 2021, Evaluating Large Language Models Trained on Code, arXiv:2107.03374, equation 1.

    Example:
        >>> pass_at_k({"a": (4, 2), "b": (4, 0)}, 1), pass_at_k({"a": (4, 2), "b": (1, 1)}, 2)
        (0.25, None)
    """
    return _mean(tasks, k, lambda n, c: 1 - comb(n - c, k) / comb(n, k))


def pass_hat_k(tasks: Tasks, k: int) -> float | None:
    """Estimate without bias how likely all of k tries succeed (pass^k), as a mean over tasks.

    C(c, k) / C(n, k) per task; in [0, 1]; it never rises as k grows. None: undefined, as this module says.

    Raises:
        UsageError: as `pass_at_k`.

    Source: Yao et al. 2024, tau-bench, arXiv:2406.12045, section 3.

    Example:
        >>> pass_hat_k([(4, 4), (4, 2)], 1), pass_hat_k([(4, 4), (4, 2)], 4), pass_hat_k([], 1)
        (0.75, 0.5, None)
    """
    return _mean(tasks, k, lambda n, c: comb(c, k) / comb(n, k))


def _mean(tasks: Tasks, k: int, estimate: Callable[[int, int], float]) -> float | None:
    if k < 1:
        raise UsageError(f"k: expected a number of tries from 1, found {k}")
    pairs = list(tasks) if isinstance(tasks, Sequence) else list(tasks.values())
    for n, c in pairs:
        if not 0 <= c <= n:
            raise UsageError(f"a task: expected (n, c) with 0 <= c <= n, found ({n}, {c})")
    if not pairs or any(n < k for n, _ in pairs):
        return None
    return fsum(estimate(n, c) for n, c in pairs) / len(pairs)
