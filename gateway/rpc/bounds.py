"""What an answer may weigh: two bounds that hold for every byte of it, whatever it is wrapped in.

1. Its body, decoded, has at most ``body_bytes_max`` bytes.
2. What is no body (head, chunk framing, trailers; a gzip member's own) has at most ``header_bytes_max`` bytes and
   :data:`FRAMING_RATIO_MAX` more for each byte of body that has come.

Both are asked at each byte and not at each read, so how the network cuts an answer never decides what becomes of it.
"""

from __future__ import annotations

from gateway.domain.errors import Reached
from gateway.rpc.errors import BadAnswer

__all__ = ["FRAMING_RATIO_MAX", "body_too_large", "framing_too_large"]

#: Bytes of framing allowed for each byte of body.  One byte a chunk costs five, extensions a little more; one byte
#: that is compressed and flushed by itself costs seven.
FRAMING_RATIO_MAX = 16


def body_too_large(body_bytes_max: int) -> BadAnswer:
    """Return the refusal of a body over rule 1."""
    return BadAnswer(
        f"the answer's body exceeds {body_bytes_max} bytes (body_bytes_max)",
        reason="body_too_large",
        sent="answered",
    )


def framing_too_large(header_bytes_max: int, sent: Reached) -> BadAnswer:
    """Return the refusal of a head or framing over rule 2."""
    return BadAnswer(
        f"the answer's head or framing exceeds {header_bytes_max} bytes (rpc.header_bytes_max)",
        reason="header_too_large",
        sent=sent,
    )
