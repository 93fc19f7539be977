"""Circuits across processes: what operators order, what processes tell each other, what a person sees of all.

Each process judges its endpoints by its own calls (:mod:`gateway.domain.resilience.health`); nothing here opens or
closes a circuit but an operator's word.
"""
