"""``python -m bench.faults NAME``: campaigns that kill what can be killed, and check what was promised."""
