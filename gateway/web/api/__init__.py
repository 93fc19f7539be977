"""``/api/v1``: what operators and their programs ask of a gateway.  See the README beside this file."""
