"""A measurement series as the geometry of a picture: numbers in, SVG coordinates out. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchkeeper_alerting.store.measurements import Measurement

WIDTH, HEIGHT = 960, 340
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 16, 36

_TICKS = 5
_DATES = 6


@dataclass(frozen=True, slots=True)
class Mark:
    """One measured window."""

    x: float
    y: float
    state: str
    label: str


@dataclass(frozen=True, slots=True)
class Line:
    """A limit or a grid line, across the picture, with its text."""

    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything the template draws, in SVG units.

    Parameters
    ----------
    lines, bands
        Path data: values joined where no window between is without one; intervals.
    marks
        One per value.
    grid, dates
        The axes.
    warn, breach
        The newest limits, if any.
    """

    lines: tuple[str, ...]
    bands: tuple[str, ...]
    marks: tuple[Mark, ...]
    grid: tuple[Line, ...]
    dates: tuple[tuple[float, str], ...]
    warn: Line | None
    breach: Line | None


@dataclass(frozen=True, slots=True)
class _Scale:
    """From time and value to a place."""

    start: datetime
    span: timedelta
    low: float
    high: float

    def x(self, moment: datetime) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * ((moment - self.start) / self.span), 1)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share, 1)


def chart(series: Sequence[Measurement]) -> Chart | None:
    """Return the picture of a series in time order, or None when it has no value at all."""
    measured = [one for one in series if one.value is not None]
    if not measured:
        return None
    newest = series[-1]
    scale = _scale(series, measured, newest)
    runs = list(_runs(series))
    return Chart(
        lines=tuple(_path(_points(run, scale)) for run in runs),
        bands=tuple(_band(run, scale) for run in runs if all(one.low is not None for one in run)),
        marks=tuple(_mark(one, scale) for one in measured),
        grid=tuple(Line(scale.y(tick), f"{tick:g}") for tick in ticks(scale.low, scale.high)),
        dates=tuple(_dates(scale)),
        warn=_limit("warn", newest.warn, scale),
        breach=_limit("breach", newest.breach, scale),
    )


def ticks(low: float, high: float) -> list[float]:
    """Return round numbers inside a range, about five of them.

    Examples
    --------
    >>> ticks(0.0, 1.0)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    raw = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def _scale(
    series: Sequence[Measurement], measured: Sequence[Measurement], newest: Measurement
) -> _Scale:
    every = [
        value for one in measured for value in (one.value, one.low, one.high) if value is not None
    ]
    every.extend(limit for limit in (newest.warn, newest.breach) if limit is not None)
    low, high = min(every), max(every)
    room = (high - low) * 0.08 or abs(high) * 0.1 or 0.1
    start, end = series[0].window_start, series[-1].window_end
    floor = 0.0 if low >= 0 and low - room < 0 else low - room
    return _Scale(start, max(end - start, timedelta(seconds=1)), floor, high + room)


def _runs(series: Sequence[Measurement]) -> Iterator[list[Measurement]]:
    """Yield stretches without a gap: a line over missing windows would be an invention."""
    run: list[Measurement] = []
    for one in series:
        if one.value is not None:
            run.append(one)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _points(run: Sequence[Measurement], scale: _Scale) -> list[tuple[float, float]]:
    return [(scale.x(one.window_end), scale.y(one.value)) for one in run if one.value is not None]


def _band(run: Sequence[Measurement], scale: _Scale) -> str:
    upper = [(scale.x(one.window_end), scale.y(one.high)) for one in run if one.high is not None]
    lower = [(scale.x(one.window_end), scale.y(one.low)) for one in run if one.low is not None]
    return f"{_path([*upper, *reversed(lower)])} Z"


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M " + " L ".join(f"{x} {y}" for x, y in points)


def _mark(one: Measurement, scale: _Scale) -> Mark:
    value = one.value or 0.0
    label = f"{one.window_start:%Y-%m-%d %H:%M}: {value:.4g}, {one.state}"
    return Mark(scale.x(one.window_end), scale.y(value), one.state, label)


def _dates(scale: _Scale) -> Iterator[tuple[float, str]]:
    form = "%Y-%m-%d" if scale.span >= timedelta(days=_DATES) else "%m-%d %H:%M"
    for number in range(_DATES):
        moment = scale.start + scale.span * (number / (_DATES - 1))
        yield scale.x(moment), moment.strftime(form)


def _limit(name: str, value: float | None, scale: _Scale) -> Line | None:
    return None if value is None else Line(scale.y(value), f"{name} {value:g}")
