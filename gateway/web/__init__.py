"""What is reached over HTTP: webhooks, the chat page, health and metrics.

A handler takes and returns plain values (:mod:`gateway.domain.http`) and decides nothing about a
conversation: that is the pipeline's.
"""
