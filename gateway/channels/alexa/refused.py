"""Amazon's own word for a request that is not Amazon's: 400."""

from __future__ import annotations

from gateway.domain.errors import Unauthentic

__all__ = ["Refused"]


class Refused(Unauthentic):
    """The caller did not prove that it is Alexa.

    [D] https://developer.amazon.com/docs/alexa/custom-skills/host-a-custom-skill-as-a-web-service.html: "discard the
    request and return 400 Bad Request"; certification sends such requests.
    """

    status = 400
