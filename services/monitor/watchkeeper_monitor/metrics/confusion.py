"""What a two-by-two table of labels and predictions says, with standard errors.

References
----------
.. [1] Y. M. M. Bishop, S. E. Fienberg, P. W. Holland, "Discrete Multivariate Analysis", 1975,
       section 11.3.3 (variance of phi, which for two classes is Matthews' coefficient).
.. [2] J. Cohen, Educational and Psychological Measurement 20, 1960 (kappa and its error).
.. [3] D. M. W. Powers, Journal of Machine Learning Technologies 2, 2011 (informedness).
.. [3] A. Agresti, B. A. Coull, American Statistician 52, 1998 (four rows added for an interval).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.metrics.intervals import Z, careful_variance, mean_of_rates
from watchkeeper_monitor.metrics.values import Estimate, Value, nothing

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_ADDED = 4.0


@dataclass(frozen=True, slots=True)
class Table:
    """Labels against predictions.

    Parameters
    ----------
    hits, missed, false_alarms, rejected
        True positives, false negatives, false positives, true negatives.
    """

    hits: int
    missed: int
    false_alarms: int
    rejected: int

    @property
    def positive(self) -> int:
        """Positive labels."""
        return self.hits + self.missed

    @property
    def negative(self) -> int:
        """Negative labels."""
        return self.false_alarms + self.rejected

    @property
    def called(self) -> int:
        """Positive predictions."""
        return self.hits + self.false_alarms

    @property
    def n(self) -> int:
        """All labels."""
        return self.positive + self.negative

    @classmethod
    def of(cls, confusion: Ints, positive: int) -> Table:
        """Return the table of a confusion matrix; every class but `positive` is negative."""
        hits = int(confusion[positive, positive])
        missed = int(confusion[positive].sum()) - hits
        false_alarms = int(confusion[:, positive].sum()) - hits
        return cls(hits, missed, false_alarms, int(confusion.sum()) - hits - missed - false_alarms)


def balanced_accuracy(table: Table) -> Value:
    """Return the mean of recall and specificity."""
    if not table.positive or not table.negative:
        why = "all labels are of one class" if table.n else "no labels yet"
        return nothing("balanced_accuracy", "", why, n=table.n)
    recall, kept = table.hits / table.positive, table.rejected / table.negative
    variance = _of_both(table, table.positive, table.negative)
    test = Estimate((recall + kept) / 2, math.sqrt(variance) / 2)
    ends = mean_of_rates([(table.hits, table.positive), (table.rejected, table.negative)])
    return Value("balanced_accuracy", "", "", test.value, *ends, table.n, None, test)


def mcc(table: Table) -> Value:
    """Return Matthews' coefficient; none where a margin of the table is empty."""
    if not table.positive * table.negative * table.called * (table.n - table.called):
        why = "labels or predictions are of one class" if table.n else "no labels yet"
        return nothing("mcc", "", why, n=table.n)
    cells = table.hits, table.missed, table.false_alarms, table.rejected
    found, added = _phi(*cells), _phi(*(cell + _ADDED / 4 for cell in cells))
    found = Estimate(found.value, max(found.error, _least_error(table)))
    return _agreement("mcc", found, added, table.n)


def _least_error(table: Table) -> float:
    """Return the error that few positive labels or predictions leave Matthews' coefficient.

    Its square is informedness (recall + specificity - 1) times markedness (the same of
    predictions) [3]_: the geometric mean of their errors. Without a hit its own is nearly 0.
    """
    informed = _of_both(table, table.positive, table.negative)
    marked = _of_both(table, table.called, table.n - table.called)
    return math.sqrt(math.sqrt(informed * marked))


def _of_both(table: Table, positive: int, negative: int) -> float:
    """Return the variance of the sum of the two classes' rates, to test it with."""
    hit, kept = float(table.hits), float(table.rejected)
    return careful_variance(hit, float(positive)) + careful_variance(kept, float(negative))


def _phi(hits: float, missed: float, false_alarms: float, rejected: float) -> Estimate:
    positive, negative = hits + missed, false_alarms + rejected
    called, uncalled = hits + false_alarms, missed + rejected
    cross = hits * rejected - missed * false_alarms
    phi = cross / math.sqrt(positive * negative * called * uncalled)
    rows = (positive - negative) / math.sqrt(positive * negative)
    columns = (called - uncalled) / math.sqrt(called * uncalled)
    variance = (
        1 - phi**2 + (phi + phi**3 / 2) * rows * columns - 0.75 * phi**2 * (rows**2 + columns**2)
    )
    return Estimate(phi, math.sqrt(max(variance, 0.0) / (positive + negative)))


def kappa(confusion: Ints) -> Value:
    """Return Cohen's kappa of labels and predictions, over any number of classes."""
    n = int(confusion.sum())
    if not n:
        return nothing("kappa", "", "no labels yet")
    found = _kappa(confusion.astype(np.float64))
    if found is None:
        return nothing("kappa", "", "labels and predictions are of one class", n=n)
    added = np.asarray(confusion + _ADDED / confusion.size, dtype=np.float64)
    return _agreement("kappa", found, _kappa(added) or found, n)


def _kappa(confusion: Floats) -> Estimate | None:
    n = float(confusion.sum())
    agreed = float(np.trace(confusion)) / n
    chance = float(np.dot(confusion.sum(axis=0), confusion.sum(axis=1))) / n**2
    if chance >= 1:
        return None
    error = math.sqrt(agreed * (1 - agreed) / n) / (1 - chance)
    return Estimate((agreed - chance) / (1 - chance), error)


def _agreement(metric: str, found: Estimate, added: Estimate, n: int) -> Value:
    """Return an agreement, its interval that of the table with four rows added to its cells.

    By itself a table without an error says that there never will be one.
    """
    low = max(-1.0, min(found.value, added.value - Z * added.error))
    high = min(1.0, max(found.value, added.value + Z * added.error))
    return Value(metric, "", "", found.value, low, high, n, None, found)
