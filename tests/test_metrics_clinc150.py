"""Routing figures on published data: CLINC150, whose queries a router of scikit-learn sends to ten domains."""

import json
from importlib import import_module
from typing import Any

import pytest

from echelon.evals.metrics.routing import NONE, Choice, accuracy, by_class, confusion, constant_router, gold_accuracy

from .dependencies import ROOT

DATA = ROOT.parent / "shared" / "data" / "clinc150"

Queries = list[tuple[str, str]]


@pytest.fixture(scope="module")
def queries() -> dict[str, Queries]:
    """Give the queries of each split with their domains; those out of scope are nobody's."""
    if not DATA.is_dir():
        pytest.skip(f"the data of CLINC150 (Larson et al. 2019, arXiv:1909.02027) is not at {DATA}")
    intents: dict[str, list[str]] = json.loads((DATA / "domains.json").read_text(encoding="utf-8"))
    domain = {intent: name for name, within in intents.items() for intent in within} | {"oos": NONE}
    splits: dict[str, Queries] = json.loads((DATA / "data_full.json").read_text(encoding="utf-8"))
    return {split: [(text, domain[intent]) for text, intent in told] for split, told in splits.items()}


@pytest.fixture(scope="module")
def router(queries: dict[str, Queries]) -> Any:
    """Train TF-IDF over words and characters with logistic regression on the 15,000 queries for training: 3 seconds."""
    text: Any = import_module("sklearn.feature_extraction.text")
    pipeline: Any = import_module("sklearn.pipeline")
    linear: Any = import_module("sklearn.linear_model")
    words = text.TfidfVectorizer(ngram_range=(1, 2))
    characters = text.TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5))
    regression = linear.LogisticRegression(C=30, solver="saga", tol=0.01, random_state=0)
    asked, domains = zip(*queries["train"], strict=True)
    return pipeline.make_pipeline(pipeline.make_union(words, characters), regression).fit(asked, domains)


def routed(router: Any, told: Queries) -> list[Choice]:
    """Each query's choice of the router beside its domain."""
    chosen = router.predict([text for text, _ in told])
    return [Choice(str(one), frozenset({domain})) for one, (_, domain) in zip(chosen, told, strict=True)]


def test_a_plain_router_sends_97_percent_of_queries_to_the_right_domain(
    router: Any, queries: dict[str, Queries]
) -> None:
    """Measured for this kind of router: .970; this one: .973. Each domain has 450 of the 4,500 test queries."""
    choices = routed(router, queries["test"])
    found = by_class(choices)
    assert accuracy(choices) == gold_accuracy(choices) == pytest.approx(0.970, abs=0.005)
    assert found.macro_f1 == pytest.approx(0.970, abs=0.005)
    assert [score.support for score in found.scores] == [450] * 10
    assert (found.absent, found.left_out) == ((), 0)
    constant = constant_router(choices)
    assert constant is not None
    assert constant.accuracy == 0.1


def test_a_router_that_cannot_stop_gets_no_query_out_of_scope_right(router: Any, queries: dict[str, Queries]) -> None:
    """Nobody is a class with support: 1,000 queries that pull macro-F1 below accuracy."""
    choices = routed(router, queries["test"] + queries["oos_test"])
    found = by_class(choices)
    stopped = next(score for score in found.scores if score.label == NONE)
    assert (stopped.precision, stopped.recall, stopped.support) == (None, 0.0, 1000)
    matrix = confusion(choices)
    row = matrix.counts[matrix.labels.index(NONE)]
    assert sum(row) == 1000
    assert row[matrix.labels.index(NONE)] == 0
    assert (found.macro_f1 or 0) < 0.85
