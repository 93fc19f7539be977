"""``python -m bench.rpc``: the RPC client: its speed, what its guards cost, and what they do when backends fail."""
