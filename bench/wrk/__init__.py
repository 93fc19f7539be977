"""wrk's scripts; and ``python -m bench.wrk``, which makes the signed messages that some of them send."""
