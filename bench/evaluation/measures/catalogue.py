"""The one list of what is measured, in the order in which it is measured and told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.contestants import CONTESTANTS, OURS
from bench.evaluation.measure import Measure
from bench.evaluation.measures.cold_start import ColdStart
from bench.evaluation.measures.curve import curves
from bench.evaluation.measures.lines import closed_lines
from bench.evaluation.measures.memory import memory
from bench.evaluation.measures.overload import overloads
from bench.evaluation.measures.slow_client import slow_clients
from bench.evaluation.measures.stall import Stall

__all__ = ["MEASURES", "WHO"]

#: Who takes part; dataloader and the Flask ones belong to bench.server.
_MEANT = (
    OURS, "falcon_sync", "falcon", "fastapi", "node", "fastify", "go", "plug", "phoenix", "aleph",
)  # fmt: skip
WHO: Sequence[str] = tuple(name for name in _MEANT if name in CONTESTANTS)

_ALL: Sequence[Measure] = (
    *closed_lines(WHO),
    *curves(WHO),
    *overloads(WHO),
    *slow_clients(WHO),
    Stall(WHO),
    *memory(WHO),
    ColdStart(WHO),
)

MEASURES: Mapping[str, Measure] = {measure.name: measure for measure in _ALL}
