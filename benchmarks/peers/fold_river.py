"""Fold the rows of an Arrow file with river; run in its own environment, prints seconds.

What a user of river would keep for the same question: a histogram per numeric feature, a
counter per categorical one, and the area under the curve, updated row by row.
"""

import sys
from collections import Counter
from time import perf_counter

import pyarrow as pa
from river import metrics, sketch

rows = pa.ipc.open_file(sys.argv[1]).read_all().to_pylist()
numeric = [name for name in rows[0] if name.startswith("features.n")]
categorical = [name for name in rows[0] if name.startswith("features.c")]
histograms = {name: sketch.Histogram(max_bins=64) for name in numeric}
counters: dict[str, Counter[str]] = {name: Counter() for name in categorical}
curve = metrics.ROCAUC()

start = perf_counter()
for row in rows:
    for name, histogram in histograms.items():
        histogram.update(row[name])
    for name, counter in counters.items():
        counter[row[name]] += 1
    curve.update(bool(row["label"]), row["score"])
print(perf_counter() - start)
