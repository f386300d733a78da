"""What people declare in files: systems, policies, channels. Values, checked once.

These are the types of the `spec` part of each kind; reading files and naming the line of
a mistake is `watchkeeper_alerting.applying`'s work, storing them `db.registry`'s.
"""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Literal

import msgspec

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_NAME = r"^[a-z0-9]([a-z0-9._-]{0,126}[a-z0-9])?\Z"
Name = Annotated[str, msgspec.Meta(pattern=_NAME)]
"""A public name: lower-case letters, digits, dot, underscore, hyphen."""

ColumnName = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
"""A feature, an attribute, a version or a class; measurements hold no longer one."""


@lru_cache(maxsize=1024)
def parse_duration(text: str, *, or_none: bool = False) -> timedelta:
    """Read `90s`, `15m`, `1h` or `7d`.

    Parameters
    ----------
    or_none
        Whether `0s` is a duration too.

    Raises
    ------
    ValueError
        The text is not a whole number and one of the four units, or not above zero.

    Examples
    --------
    >>> parse_duration("1h"), parse_duration("0s", or_none=True)
    (datetime.timedelta(seconds=3600), datetime.timedelta(0))
    """
    match = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if match is None or (int(match[1]) == 0 and not or_none):
        least = "from 0 on" if or_none else "above 0"
        msg = f"a duration is a whole number {least} and s, m, h or d, such as 1h; got {text!r}"
        raise ValueError(msg)
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


MOST_CROSSED_ATTRIBUTES = 3
"""The most attributes that one intersection joins, as in `SEX&RAC1P&AGE`."""


class Tier(StrEnum):
    """How much harm a wrong decision can do; left out counts as high."""

    LOW = "low"
    LIMITED = "limited"
    HIGH = "high"


class Task(StrEnum):
    """What the model answers."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


class FeatureKind(StrEnum):
    """How a feature is binned."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"


class Severity(StrEnum):
    """How fast a person must look."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class _Spec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Frozen and closed: an unknown key is an error, not a silent default."""


class Owner(_Spec, frozen=True):
    """Who answers for a system."""

    team: str
    contact: str


class Group(_Spec, frozen=True):
    """A protected attribute, or an intersection of some; others are compared with `reference`."""

    reference: str


class VersionSpec(_Spec, frozen=True):
    """What differs in one version of a system."""

    features: dict[ColumnName, FeatureKind]


class AISystem(_Spec, frozen=True):
    """A system under watch (architecture section 6)."""

    owner: Owner
    purpose: str
    task: Task
    features: dict[ColumnName, FeatureKind]
    tier: Tier = Tier.HIGH
    positive_label: str | int = 1
    groups: dict[ColumnName, Group] = {}
    versions: dict[ColumnName, VersionSpec] = {}
    runbook: str = ""

    def __post_init__(self) -> None:
        """Refuse an intersection that cannot be made of the declared attributes."""
        for name, group in self.groups.items():
            parts = name.split("&")
            if len(parts) == 1:
                continue
            missing = [part for part in parts if part not in self.groups]
            if missing or not len(set(parts)) == len(parts) <= MOST_CROSSED_ATTRIBUTES:
                msg = (
                    f"groups: the intersection {name!r} joins two or three different attributes "
                    f"that are declared themselves; not declared: {', '.join(missing) or 'none'}"
                )
                raise ValueError(msg)
            if len(group.reference.split("&")) != len(parts):
                msg = (
                    f"groups: the reference of {name!r} names one group of each attribute, such "
                    f"as {'&'.join(self.groups[part].reference for part in parts)!r}; "
                    f"got {group.reference!r}"
                )
                raise ValueError(msg)

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes that predictions carry: `groups` without the intersections."""
        return tuple(name for name in self.groups if "&" not in name)

    def features_of(self, version: str) -> dict[str, FeatureKind]:
        """Return the features that `version` has, by name."""
        special = self.versions.get(version)
        return self.features if special is None else special.features


class WindowSpec(_Spec, frozen=True):
    """Which predictions one judgement looks at, in event time."""

    size: str = "1d"
    step: str = ""  # left out: equal to size, a tumbling window
    lateness: str = "1h"

    def __post_init__(self) -> None:
        """Refuse what is no duration, by its field, and sizes that are no whole number of steps."""
        for name in ("size", "step", "lateness"):
            try:
                getattr(self, f"{name}_delta")
            except ValueError as error:
                msg = f"window {name}: {error}"
                raise ValueError(msg) from None
        if self.size_delta % self.step_delta:
            msg = f"window size {self.size} must be a whole multiple of step {self.step}"
            raise ValueError(msg)

    @property
    def size_delta(self) -> timedelta:
        """The length of a window."""
        return parse_duration(self.size)

    @property
    def step_delta(self) -> timedelta:
        """The distance between the starts of two windows."""
        return parse_duration(self.step or self.size)

    @property
    def lateness_delta(self) -> timedelta:
        """How long a window waits for late predictions before it is final."""
        return parse_duration(self.lateness, or_none=True)


class Clear(_Spec, frozen=True):
    """When an open breach ends: `count` windows in a row inside `limit`."""

    limit: float
    count: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1


class OnBreach(_Spec, frozen=True):
    """What a breach sets off. Channels left out: every channel there is."""

    ticket: bool = True
    channels: tuple[Name, ...] | None = None


class Rule(_Spec, frozen=True):
    """One limit on one metric (architecture section 6)."""

    id: Name
    metric: str
    columns: tuple[ColumnName, ...] = ()  # ["*"]: every feature of the system
    attribute: str = ""
    below: bool = False  # a breach is a value at or below the limit, not at or above
    warn: float | None = None
    breach: float | None = None
    min_rows: Annotated[int, msgspec.Meta(ge=1)] | None = None
    sustained: Annotated[str, msgspec.Meta(pattern=r"^\d{1,3} of \d{1,3}$")] = "1 of 1"
    severity: Severity = Severity.WARNING
    clear: Clear | None = None
    controls: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    dispersion: Annotated[float, msgspec.Meta(ge=1)] | None = None  # left out: learnt
    on_breach: OnBreach = OnBreach()
    note: str = ""

    def __post_init__(self) -> None:
        """Refuse a rule that can never fire, always fires or contradicts itself."""
        need, out_of = self.k_of_n
        if not 1 <= need <= out_of:
            msg = f"rule {self.id}: sustained needs 1 <= k <= n, got {self.sustained!r}"
            raise ValueError(msg)
        if self._warns_too_late():
            side = "above" if self.below else "below"
            msg = f"rule {self.id}: warn {self.warn} must lie {side} breach {self.breach}"
            raise ValueError(msg)
        if self.columns and self.attribute:
            msg = f"rule {self.id}: give columns or attribute, not both"
            raise ValueError(msg)

    def _warns_too_late(self) -> bool:
        if self.warn is None or self.breach is None or self.warn == self.breach:
            return False
        return (self.warn < self.breach) == self.below

    @property
    def k_of_n(self) -> tuple[int, int]:
        """Open when k of the last n windows breached."""
        k, n = self.sustained.split(" of ")
        return int(k), int(n)


class OversightPolicy(_Spec, frozen=True):
    """Limits that people approved, and what happens past them."""

    systems: tuple[Name, ...]
    rules: tuple[Rule, ...] = ()
    window: WindowSpec = WindowSpec()
    alarm_budget: Annotated[int, msgspec.Meta(ge=1)] = 500

    def __post_init__(self) -> None:
        """Refuse two rules with one id."""
        ids = [rule.id for rule in self.rules]
        twice = sorted({one for one in ids if ids.count(one) > 1})
        if twice:
            msg = f"rule ids must differ, got {', '.join(twice)} more than once"
            raise ValueError(msg)


class Channel(_Spec, frozen=True):
    """Where notifications go. Secrets are named, never written here."""

    type: Literal["webhook", "alertmanager", "email"]
    url: str = ""  # webhook, alertmanager; email: smtp://host:port
    secret_env: str = ""
    to: tuple[str, ...] = ()
    sender: str = "watchkeeper@localhost"
    send_resolved: bool = True

    def __post_init__(self) -> None:
        """Refuse a channel that cannot deliver."""
        if not self.url:
            msg = f"a {self.type} channel needs a url"
            raise ValueError(msg)
        if self.type == "email" and not self.to:
            msg = "an email channel needs at least one address in `to`"
            raise ValueError(msg)


SPECS: dict[str, type[AISystem | OversightPolicy | Channel]] = {
    "AISystem": AISystem,
    "OversightPolicy": OversightPolicy,
    "Channel": Channel,
}
"""The kinds that `apply` takes, by name."""
