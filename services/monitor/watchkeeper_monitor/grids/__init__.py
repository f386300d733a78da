"""The grid of one system version: every cell that anything is ever counted in."""

from watchkeeper_monitor.grids.axes import Axis
from watchkeeper_monitor.grids.categories import Categories
from watchkeeper_monitor.grids.grid import Grid

__all__ = ["Axis", "Categories", "Grid"]
