"""``/api/v1``: what operators and their programs ask of a gateway.

Plain Flask; errors are problem details (RFC 9457).
"""
