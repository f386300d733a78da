"""Finding many 64-bit hashes among many, sorted, without a step per hash.

In front of each sorted run stands a filter of 16 bits per hash, in which the hashes of a word
are neighbours in the order too: asking in order walks through it once, and all but about one
in a hundred of the absent hashes end there. A binary search is for the rest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from watchkeeper_monitor.store.rooms import apart

Hashes = NDArray[np.int64]
Words = NDArray[np.uint64]

_SIGN = np.uint64(1 << 63)
_HALF = np.uint64(32)
_ROWS_PER_WORD = 4


class Asked:
    """Hashes in ascending order that are looked for in several runs.

    Parameters
    ----------
    ordered
        Ascending; one may be there more than once.
    """

    def __init__(self, ordered: Hashes) -> None:
        self.ordered = ordered
        unsigned = ordered.view(np.uint64) ^ _SIGN  # in the same order as the signed ones
        self.heads = unsigned >> _HALF
        self.masks = _masks(unsigned)


class Sorted:
    """Hashes in ascending order, to look in once: a filter would cost more than it saves.

    Parameters
    ----------
    ordered
        Ascending.
    """

    def __init__(self, ordered: Hashes) -> None:
        self.ordered = ordered

    def find(self, asked: Asked) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return which of the asked are here, by their place, and where here."""
        return self._among(asked, np.arange(len(asked.ordered)))

    def _among(
        self, asked: Asked, likely: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if not likely.size or not self.ordered.size:
            return likely[:0], likely[:0]
        at = self.ordered.searchsorted(asked.ordered[likely])
        at[at == self.ordered.size] = 0
        here = self.ordered[at] == asked.ordered[likely]
        return likely[here], at[here]


class Run(Sorted):
    """Hashes in ascending order that are kept, to look in often.

    Parameters
    ----------
    ordered
        Ascending.
    """

    def __init__(self, ordered: Hashes) -> None:
        super().__init__(apart(ordered))
        self._size = np.uint64(max(1, len(ordered) // _ROWS_PER_WORD))
        self._words = apart(self._filter(Asked(ordered)))

    def _filter(self, own: Asked) -> Words:
        words = np.zeros(int(self._size), dtype=np.uint64)
        if len(own.ordered):
            places = self._places(own)
            firsts = np.flatnonzero(np.diff(places, prepend=-1))
            words[places[firsts]] = np.bitwise_or.reduceat(own.masks, firsts)
        return words

    def _places(self, asked: Asked) -> NDArray[np.int64]:
        """Return the word of each hash: the share of the range below it, in whole words."""
        places = asked.heads * self._size
        places >>= _HALF
        return places.view(np.int64)  # less than 2**63, and indices need no copy

    @property
    def nbytes(self) -> int:
        """How much memory the run and its filter hold: about 10 bytes per hash."""
        return self.ordered.nbytes + self._words.nbytes

    def find(self, asked: Asked) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return which of the asked are here, by their place, and where here."""
        words = self._words.take(self._places(asked))
        words &= asked.masks
        return self._among(asked, np.flatnonzero(words == asked.masks))


def _masks(unsigned: Words) -> Words:
    """Return four bits of 64 for each hash, chosen by its low bits."""
    masks = np.zeros_like(unsigned)
    for shift in (0, 6, 12, 18):
        masks |= np.uint64(1) << ((unsigned >> np.uint64(shift)) & np.uint64(63))
    return masks
