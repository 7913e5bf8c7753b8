"""The past as Python objects: a data directory, read only, its events and its state at any point.

Bytes come from ``eventlog``, meaning from ``projections``; here they are joined, and nothing is ever
locked, created or changed. No HTTP, no clock, no printing.
"""

from spoolog.folding import Folded, fold_at, fold_log
from spoolog.point import Point
from spoolog.select import Shown, Wanted, select

__all__ = ["Folded", "Point", "Shown", "Wanted", "fold_at", "fold_log", "select"]
