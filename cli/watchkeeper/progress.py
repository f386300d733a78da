"""How far a long run is: a bar on a terminal, a line per tenth elsewhere."""

from __future__ import annotations

from typing import TextIO

_WIDTH = 32


def bar(done: int, total: int, width: int = _WIDTH) -> str:
    """Draw how much of `total` is done.

    Examples
    --------
    >>> bar(1, 2, width=4)
    '██░░  50 %'
    """
    share = 1.0 if total <= 0 else min(1.0, done / total)
    full = int(share * width)
    return f"{'█' * full}{'░' * (width - full)} {int(share * 100):3d} %"


class Progress:
    """One counter on one stream.

    Parameters
    ----------
    stream
        Where to draw.
    label
        What is being counted, such as `predictions`.
    total
        How many there will be.
    """

    def __init__(self, stream: TextIO, label: str, total: int) -> None:
        self._stream = stream
        self._label = label
        self._total = total
        self._drawn = ""
        self._tenth = -1

    def show(self, done: int, note: str = "") -> None:
        """Show that `done` of the total are done.

        Parameters
        ----------
        done
            The count so far; it may go back, for example after a retry.
        note
            A few words that follow the bar.
        """
        line = f"  {self._label:<12} {bar(done, self._total)}  {done:,} of {self._total:,}  {note}"
        if self._stream.isatty():
            self._redraw(line.rstrip())
        elif (tenth := 10 * done // max(1, self._total)) > self._tenth:
            self._tenth = tenth
            print(line.rstrip(), file=self._stream, flush=True)

    def _redraw(self, line: str) -> None:
        blank = " " * max(0, len(self._drawn) - len(line))
        if line != self._drawn:
            print(f"\r{line}{blank}", end="", file=self._stream, flush=True)
            self._drawn = line

    def finish(self) -> None:
        """End the line, so that what follows starts on its own."""
        if self._stream.isatty():
            print(file=self._stream, flush=True)
