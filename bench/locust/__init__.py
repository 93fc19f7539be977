"""Conversations instead of requests: many users on all channels, as the platforms bring them, at a fixed rate.

``locust -f bench/locust/conversations.py --host URL`` loads any deployment; ``python -m bench.locust`` one of its own.
"""
