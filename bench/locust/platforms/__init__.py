"""How the platforms speak to the gateway: deliveries with their proofs, and what is understood of the gateway's calls.

Written from the platforms' own documents; nothing of the gateway's channels is in here, so a mistake there does not
find its like.  gateway/platforms, which stands in for them in trials, can do far more; this costs microseconds.  Pure.
"""
