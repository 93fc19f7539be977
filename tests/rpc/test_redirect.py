"""The laws of redirects: off unless allowed, never with a body, never to another place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.domain.deadline import Deadline
from gateway.rpc.address import parse_base_url
from gateway.rpc.redirect import Refused, next_target
from gateway.rpc.request import RequestWriter
from tests.rpc.peer import to


def followed(
    location: str | None, base_url: str = "http://host:81/api", *, status: int = 302, **changes: Any
) -> str:
    """Return the next path, or the reason why there is none."""
    call = to(base_url, **({"path": "/a/b?x=1", "redirects_max": 1} | changes))
    found = next_target(status, location, call, parse_base_url(base_url))
    return f"({found.reason})" if isinstance(found, Refused) else found


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_reads_may_go_on(status: int, method: str) -> None:
    assert followed("/api/c", status=status, method=method) == "/c"


@pytest.mark.parametrize("status", [200, 201, 300, 304, 305, 306, 399, 404])
def test_other_answers_are_no_redirects(status: int) -> None:
    assert followed("/api/c", status=status) == "(no_redirect)"


def test_redirects_are_off_unless_the_call_allows_them() -> None:
    assert to("http://host").redirects_max == 0
    assert followed("/api/c", redirects_max=0) == "(redirects_max)"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_what_may_change_something_goes_nowhere(method: str) -> None:
    assert followed("/api/c", method=method) == "(method)"


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("c", "/a/c"), ("../c", "/c"), ("./", "/a/"), ("?y=2", "/a/b?y=2"), ("/api/c?y=2#z", "/c?y=2"),
        ("/api/", "/"), ("/api", ""), ("#z", "/a/b?x=1"), ("//host:81/api/c", "/c"),
        ("http://host:81/api/c", "/c"), ("HTTP://HOST:81/api/c", "/c"), ("/api/%2E%2e/api/c", "/c"),
        ("/api/c?a=//x", "/c?a=//x"), ("http:///api/c", "/c"), ("http:c", "/a/c"),
    ],
)  # fmt: skip
def test_the_same_place_however_it_is_written(location: str, path: str) -> None:
    assert followed(location) == path


@pytest.mark.parametrize(
    "location",
    [
        "http://other/api/c", "//other/api/c", "http://host/api/c", "http://host:82/api/c",
        "https://host:81/api/c", "http://user@host:81/api/c", "http://host:81@other/api/c",
        "http://host.:81/api/c", "ftp://host:81/api/c", "javascript:alert(1)", "https:/api/c", "http://[::1]:81/api",
        "http://host:0/api/c",
    ],
)  # fmt: skip
def test_another_origin_gets_nothing(location: str) -> None:
    """Headers of the call (tokens, signatures) were made for this one."""
    assert followed(location) == "(other_origin)"


@pytest.mark.parametrize(
    "location",
    ["/c", "/", "/apix", "/API/c", "../../c", "/api/../c", "/api/%2e%2e/c", "/api/%2E./c", "/api?x=1", "//host:81/c"],
)
def test_what_lies_beside_the_base_url_is_outside(location: str) -> None:
    assert followed(location) == "(outside)"


@pytest.mark.parametrize(
    "location",
    [
        "/api/c d", "/api/c\r\nX: y", "/api/\tc", "/api/ä", "/api/\x7f", "\0", " ", "http://[::1/", "http://host:x/",
        "http://host:99999/", "http://host:81/api/../c", "http://host:81/api/%2e%2e",
    ],
)  # fmt: skip
def test_what_is_no_clean_reference_is_refused(location: str) -> None:
    assert followed(location) == "(bad_location)"


@pytest.mark.parametrize("location", [None, ""])
def test_a_redirect_without_a_place_leads_nowhere(location: str | None) -> None:
    assert followed(location) == "(no_location)"


@pytest.mark.parametrize(
    ("base_url", "location", "path"),
    [
        ("http://host", "/c", "/c"), ("http://host", "http://host:80/c", "/c"), ("http://host", "", "(no_location)"),
        ("https://host", "https://host:443/c", "/c"), ("https://host", "http://host/c", "(other_origin)"),
        ("http://[::1]:81", "http://[::1]:81/c", "/c"), ("http://Host", "http://host/c", "/c"),
        ("http+unix://%2Frun%2Fx.sock/api", "/api/c", "/c"), ("http+unix://%2Frun%2Fx.sock", "c", "/a/c"),
        ("http+unix://%2Frun%2Fx.sock", "http://localhost/c", "/c"),
        ("http+unix://%2Frun%2Fx.sock", "http://host/c", "(other_origin)"),
        ("http+unix://%2Frun%2Fx.sock", "http+unix://%2Frun%2Fx.sock/c", "(other_origin)"),
    ],
)  # fmt: skip
def test_ports_and_hosts_are_compared_as_meant(base_url: str, location: str, path: str) -> None:
    assert followed(location, base_url) == path


@given(location=st.text(alphabet="/.?#%2eE:@\\apihost81 x[]") | st.text(), prefix=st.sampled_from(["", "/api"]))
@example(location="/api/..//other/", prefix="/api")
def test_whatever_a_location_says_the_next_request_is_one_to_the_same_place(location: str, prefix: str) -> None:
    base_url = f"http://host:81{prefix}"
    call = to(base_url, path="/a/b", redirects_max=1, deadline=Deadline(0.0))
    found = next_target(302, location, call, parse_base_url(base_url))
    if isinstance(found, Refused):
        return

    target = RequestWriter(parse_base_url(base_url)).write(to(base_url, path=found)).split(b" ")[1]
    assert target.startswith(prefix.encode() + b"/") or target == prefix.encode()
    assert b"/../" not in target.partition(b"?")[0] + b"/"
