"""Which grid a version is counted on now: its reference's, or a bare one without a reference."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.references.reference import Reference
from watchkeeper_shared.db.registry import Registry
from watchkeeper_shared.specs import AISystem

_KEPT = 64
_BARE = "bare-"


@dataclass(frozen=True, slots=True)
class Baseline:
    """A grid under its key, and the reference where there is one.

    Parameters
    ----------
    key
        The reference's id, or `bare-` and the beginning of the bare grid's id: profiles of
        two grids never meet under one key.
    """

    key: str
    grid: Grid
    reference: Reference | None

    @property
    def reference_id(self) -> str | None:
        """The id of the reference, or None without one."""
        return None if self.reference is None else self.key


class Baselines:
    """Baselines in memory, the last 64 used. One thread at a time.

    Parameters
    ----------
    registry
        Knows the reference of each version and has its bytes.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._references: OrderedDict[str, Baseline] = OrderedDict()
        self._bare: OrderedDict[tuple[str, str], tuple[AISystem, Baseline]] = OrderedDict()

    def current(self, system: str, spec: AISystem, version: str) -> Baseline:
        """Return what predictions of a version are counted on from now on.

        Raises
        ------
        StoreUnavailable
            The reference is not in memory and the database does not answer.
        """
        reference_id = self._registry.reference_id(system, version)
        if reference_id is not None:
            return self._referenced(reference_id)
        return self._without_reference(system, spec, version)

    def under(self, key: str, system: str, spec: AISystem, version: str) -> Baseline | None:
        """Return the baseline that profiles were stored under.

        None if it was a bare grid of a declaration that changed since: those counts cannot
        be read any more.
        """
        if not key.startswith(_BARE):
            return self._referenced(key)
        bare = self._without_reference(system, spec, version)
        return bare if bare.key == key else None

    def _referenced(self, reference_id: str) -> Baseline:
        found = self._references.get(reference_id)
        if found is None:
            reference = Reference.from_bytes(self._registry.artifact(reference_id))
            found = Baseline(reference_id, reference.grid, reference)
            self._references[reference_id] = found
        self._references.move_to_end(reference_id)
        if len(self._references) > _KEPT:
            self._references.popitem(last=False)
        return found

    def _without_reference(self, system: str, spec: AISystem, version: str) -> Baseline:
        known = self._bare.get((system, version))
        if known is not None and known[0] == spec:
            return known[1]
        grid = Grid.bare(spec, version)
        made = Baseline(_BARE + grid.id[: 64 - len(_BARE)], grid, None)
        self._bare[system, version] = (spec, made)
        if len(self._bare) > _KEPT:
            self._bare.popitem(last=False)
        return made
