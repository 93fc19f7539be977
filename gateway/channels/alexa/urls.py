"""Where Amazon's certificates may be fetched, whatever a request says.

https://developer.amazon.com/docs/alexa/custom-skills/host-a-custom-skill-as-a-web-service.html: https, the host
s3.amazonaws.com in any case, port 443 or none, and a path that begins with ``/echo.api/`` once it is normalised.
Stricter than that where nothing is lost by it: no user, query, fragment or escapes, which Amazon never sends and two
parsers could read in two ways.
"""

from __future__ import annotations

import posixpath
import re
from urllib.parse import urlsplit

__all__ = ["chain_path"]

_HOST = "s3.amazonaws.com"
_PREFIX = "/echo.api/"
_URL_CHARS_MAX = 512
_PLAIN = re.compile(r"[A-Za-z0-9:/._-]+")


def chain_path(url: str) -> str | None:
    """Return the normalised path of a certificate chain's address, or None: it is none of Amazon's."""
    if len(url) > _URL_CHARS_MAX or not _PLAIN.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme != "https" or parts.hostname != _HOST or port not in {None, 443}:
        return None
    path = posixpath.normpath(parts.path)
    return path if path.startswith(_PREFIX) and len(path) > len(_PREFIX) else None
