"""``python -m bench.queue``: our jobs beside other queues', what each promise costs, and what happens after a kill."""
