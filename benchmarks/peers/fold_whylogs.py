"""Fold the rows of an Arrow file with whylogs; run in its own environment, prints seconds.

Batches of 1,000 rows are tracked into one profile, as its documentation shows.
"""

import sys
from time import perf_counter

import pyarrow as pa
from whylogs.core import DatasetProfile

table = pa.ipc.open_file(sys.argv[1]).read_all()
names = [name for name in table.column_names if name.startswith(("features.", "score", "pred"))]
frame = table.select(names).to_pandas()
frames = [frame.iloc[at : at + 1_000] for at in range(0, len(frame), 1_000)]

profile = DatasetProfile()
start = perf_counter()
for one in frames:
    profile.track(one)
print(perf_counter() - start)
