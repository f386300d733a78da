"""A policy replayed over stored profiles: what it would have told, and what it would not.

panes ─► Past (merged and measured once) ─► replay(policy) ─► compare(new, in force) ─► report

Nothing here writes, and no raw row is needed: measuring, judging and folding are the judge's.
"""
