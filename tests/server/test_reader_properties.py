"""The parser's border, for any request, any cut and any mutation: the same environ, or the same refusal."""

from __future__ import annotations

from typing import Any, NamedTuple

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway.settings.server import ServerSettings
from tests.fuzz.mutations import mutated
from tests.server.conftest import Serve
from tests.server.echo import NEXT, echo
from tests.server.raw import Caller, answers
from tests.server.reading import SEEDS, SMALL, assert_same, read, split
from tests.support.examples import examples

WIDE = ServerSettings()
TOKENS = st.text(alphabet="abcXYZ019-!#$%&'*+.^`|~", min_size=1, max_size=12)
#: Fields that mean something to the server are given on purpose, below.
NAMES = TOKENS.map(lambda name: f"X-{name}")
VALUES = st.text(
    alphabet=st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_categories=["Cc"]), max_size=20
)
PATHS = st.text(alphabet="abc/.;=@:,-_~!*'()[]|\"<>{}^`\\&+", max_size=20).map(lambda path: "/" + path)
QUERIES = st.none() | st.text(alphabet="abc=&?/%+[]", max_size=20)
CUTS = st.lists(st.integers(0, 10_000), max_size=12)


class Sample(NamedTuple):
    """A valid request, and what it has to become."""

    data: bytes
    environ: dict[str, Any]


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    method = draw(st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]))
    path, query = draw(PATHS), draw(QUERIES)
    target = path if query is None else f"{path}?{query}"
    version = draw(st.sampled_from(["HTTP/1.1", "HTTP/1.0"]))
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "RAW_URI": target,
        "PATH_INFO": path,
        "QUERY_STRING": query or "",
        "SERVER_PROTOCOL": version,
        "HTTP_HOST": "host",
    }
    lines = [f"{method} {target} {version}", "Host: host"]
    if version == "HTTP/1.0":
        lines.append("Connection: keep-alive")
        environ["HTTP_CONNECTION"] = "keep-alive"
    for name, value in draw(st.lists(st.tuples(NAMES, VALUES), max_size=5)):
        space = draw(st.sampled_from(["", " ", "\t", "  "]))
        lines.append(f"{name}:{space}{value}{space}")
        key = "HTTP_" + name.upper().replace("-", "_")
        bare = value.strip(" \t")
        environ[key] = f"{environ[key]}, {bare}" if key in environ else bare
    body = draw(st.binary(max_size=60))
    framed = body
    if version == "HTTP/1.1" and draw(st.booleans()):
        lines.append("Transfer-Encoding: chunked")
        framed = _in_chunks(draw, body)
        environ["CONTENT_LENGTH"] = str(len(body))
    elif body or draw(st.booleans()):
        lines.append(f"Content-Length: {len(body)}")
        environ["CONTENT_LENGTH"] = str(len(body))
    environ["gateway.body"] = body
    head = "\r\n".join([*lines, "", ""])
    return Sample(head.encode("latin-1") + framed, environ)


def _in_chunks(draw: st.DrawFn, body: bytes) -> bytes:
    extension = draw(st.sampled_from([b"", b";a", b";a=b", b';a="b"']))
    chunks = [
        b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in split(body, draw(CUTS)) if piece
    ]
    trailers = draw(st.sampled_from([b"", b"X-Trailer: evil\r\n", b"Authorization: evil\r\nHost: evil\r\n"]))
    return b"".join(chunks) + b"0\r\n" + trailers + b"\r\n"


@settings(max_examples=examples(400))
@given(st.lists(samples(), min_size=1, max_size=4), CUTS, st.integers(0, 3))
def test_any_cut_of_any_valid_requests_gives_the_same_environs(
    requests: list[Sample], cuts: list[int], line_breaks: int
) -> None:
    data = (b"\r\n" * line_breaks).join([b"", *(request.data for request in requests)])
    found, refusal, unfinished = read(split(data, cuts), WIDE)
    assert (refusal, unfinished) == (None, False)
    assert [environ for environ, _ in found] == [request.environ for request in requests]
    assert all(goes_on for _, goes_on in found)


@settings(max_examples=examples(100))
@given(samples())
def test_byte_by_byte(request: Sample) -> None:
    data = request.data * 2
    assert read(split(data, range(len(data))), WIDE) == read([data], WIDE)


MUTATED = st.lists(mutated(st.sampled_from(SEEDS)), min_size=1, max_size=3).map(b"".join)


@settings(max_examples=examples(1_500))
@given(MUTATED | st.binary(max_size=60), CUTS)
@example(b"GE", [1])
@example(SEEDS[0] + b"GET / HTTP/1.0\r\n\r\n", [len(SEEDS[0])])
@example(b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n" + SEEDS[0], [28])
def test_any_mutation_is_a_request_or_a_refusal_however_it_is_cut(data: bytes, cuts: list[int]) -> None:
    """No exception, nothing beyond a bound, and no cut by which it would mean something else."""
    assert_same(read([data]), read(split(data, cuts)))


@settings(max_examples=examples(300))
@given(
    st.lists(st.tuples(TOKENS, st.integers(0, 100).map("v".__mul__)), max_size=15),
    st.integers(0, 600).map(b"x".__mul__),
    st.booleans(),
    CUTS,
)
def test_bounds_hold_for_every_cut(
    fields: list[tuple[str, str]], body: bytes, chunked: bool, cuts: list[int]
) -> None:
    lines = [f"X{name}: {value}" for name, value in fields]
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
    head = "\r\n".join(["POST / HTTP/1.1", "Host: a", *lines, framing, "", ""]).encode()
    framed = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    data = head + (framed if chunked else body)
    header_bytes = sum(len(line) + 2 for line in ["Host: a", *lines, framing])
    fits = (
        header_bytes <= SMALL.header_bytes_max
        and len(lines) + 2 <= SMALL.headers_max
        and len(body) <= SMALL.body_bytes_max
    )
    for pieces in ([data], split(data, cuts), split(data, range(len(data)))):
        requests, refusal, unfinished = read(pieces)
        assert (len(requests), unfinished) == (int(fits), False)
        assert (refusal is None) == fits
        assert fits or refusal is not None
        assert refusal is None or refusal[0] in {413, 431}


@settings(max_examples=examples(100), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MUTATED, CUTS)
def test_behind_a_refusal_nothing_is_taken(serve: Serve, data: bytes, cuts: list[int]) -> None:
    """On a real connection: it ends, its answers are whole, and a refusal is the last of them."""
    taken = read([data], WIDE)
    methods = [environ["REQUEST_METHOD"] for environ, _ in taken.requests]
    with Caller(serve(echo)) as caller:
        found = answers(caller.trickle([*split(data, cuts), NEXT]).half_close().rest(), *methods, "GET")
    final = [one for one in found if one.status != 100]
    assert all(one.status == 200 and not one.closes for one in final[:-1])
    if taken.refusal is not None:
        assert [one.status for one in final] == [200] * len(methods) + [taken.refusal[0]]
        assert final[-1].closes
