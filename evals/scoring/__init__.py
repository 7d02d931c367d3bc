"""From a run to figures: scorers judge it, a measurement folds its journal, a scorecard sums measurements up."""
