"""Addresses of a Redis that is several servers: read whole, or refused with the reason and nothing of the address."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings.redis_address import RedisAddress, redis_address
from gateway.settings.secret import Secret
from tests.settings.folder import BASE, Folder


def several(url: str) -> RedisAddress:
    found = redis_address(url)
    assert found is not None
    return found


def problem(url: str) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        redis_address(url)
    return str(caught.value)


@pytest.mark.parametrize(
    "url", ["redis://h", "redis://", "redis://u:p%23@[::1]:1/0", "rediss://:p,w@h:1/2", "unix:///a,b.sock?db=0", "redis://h:1/0?socket_timeout=1"]
)
def test_one_server_is_left_to_redis_py(url: str) -> None:
    assert redis_address(url) is None


@pytest.mark.parametrize(
    "url", ["redis://:hunt#er@h:1/0", "redis://:hunt/er@h:1", "redis://:12/er@h", "redis://:x?er@h", "redis://h:99999",
            "redis://:hunter@[::1", "rediss://:1"],
)  # fmt: skip
def test_what_redis_py_would_fail_at_when_it_connects_is_told_at_the_start(url: str) -> None:
    """Its own errors quote a part of the password."""
    said = problem(url)
    assert said.endswith("://:PASSWORD@HOST:PORT/DATABASE, special characters percent-encoded")
    assert "hunt" not in said


def test_a_cluster_is_the_servers_that_are_asked_first() -> None:
    assert several("redis+cluster://a:7001,10.0.0.2,[::1]:7003/0") == RedisAddress(
        kind="cluster", nodes=(("a", 7001), ("10.0.0.2", 6379), ("::1", 7003))
    )


def test_sentinels_have_a_name_for_the_master() -> None:
    assert several("redis+sentinel://a,b:1/hints/3") == RedisAddress(
        kind="sentinel", nodes=(("a", 26379), ("b", 1)), service="hints", database=3
    )


def test_names_and_passwords_are_percent_encoded() -> None:
    url = "rediss+sentinel://me%3A:p%40ss%2Fword@a/hints?sentinel_username=us&sentinel_password=wat%26cher"
    assert several(url) == RedisAddress(
        kind="sentinel",
        nodes=(("a", 26379),),
        tls=True,
        username="me:",
        password=Secret("p@ss/word"),
        service="hints",
        sentinel_username="us",
        sentinel_password=Secret("wat&cher"),
    )


def test_tls_has_redis_pys_options() -> None:
    options = "ssl_ca_certs=/etc/ca.pem&ssl_check_hostname=no&ssl_cert_reqs=required"
    assert several(f"rediss+cluster://a?{options}").tls_options == {
        "ssl_ca_certs": "/etc/ca.pem",
        "ssl_check_hostname": False,
        "ssl_cert_reqs": "required",
    }


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis+clusters://a", "expected an address with redis://"),
        ("redis+cluster:a", "expected an address with redis://"),
        ("redis://a:1,b:2", "several servers are a redis+cluster:// or a redis+sentinel://"),
        ("redis+cluster://", "server 1 of 1 is not host:port"),
        ("redis+cluster://a,,b", "server 2 of 3 is not host:port"),
        ("redis+cluster://a:0", "server 1 of 1 is not host:port"),
        ("redis+cluster://a:65536", "server 1 of 1 is not host:port"),
        ("redis+cluster://a:b", "server 1 of 1 is not host:port"),
        ("redis+cluster://::1", "server 1 of 1 is not host:port"),
        ("redis+cluster://" + ",".join("a" * 17), "at most 16 servers, got 17"),
        ("redis+cluster://a/1", "a cluster has database 0 alone"),
        ("redis+cluster://a/hints", "a cluster has database 0 alone, and no name"),
        ("redis+sentinel://a", "expected the sentinels' name of the master"),
        ("redis+sentinel://a/", "expected the sentinels' name of the master"),
        ("redis+sentinel://a/hints/x", "expected a number of a database"),
        ("redis+cluster://a?sentinel_password=x", "unknown option; there are ssl_ca_certs"),
        ("redis+sentinel://a/hints?sentinel_pasword=x", "unknown option, did you mean sentinel_password?"),
        ("redis+cluster://a?socket_timeout=60", "unknown option"),
        ("redis+cluster://a?ssl_ca_certs=x", "ssl_ca_certs is of TLS: expected rediss+cluster://"),
        ("rediss+cluster://a?ssl_check_hostname=maybe", "ssl_check_hostname is true or false"),
        ("rediss+cluster://a?ssl_cert_reqs=maybe", "ssl_cert_reqs is none, optional or required"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(url: str, said: str) -> None:
    assert said in problem(url)


@given(
    st.sampled_from(["redis+cluster", "rediss+cluster", "redis+sentinel", "rediss+sentinel", "redis", "x"]),
    st.text(max_size=40),
)
def test_any_text_is_an_address_or_a_problem(scheme: str, text: str) -> None:
    """Law: nothing else is ever raised, and what was given is not repeated: it may be a password."""
    secret = "correct-horse-battery"
    said = ""
    try:
        redis_address(f"{scheme}://:{secret}@{text}/{secret}?{secret}")
    except ValueError as error:
        said = str(error)
    assert secret not in said


def test_its_secrets_are_not_in_its_repr() -> None:
    assert "ter2" not in repr(several("redis+sentinel://:hunter2@a/hints?sentinel_password=hunter2"))


def test_the_settings_say_what_is_wrong_and_show_nothing(folder: Folder) -> None:
    given = {"DATABASE_URL": "postgresql://db/x", "REDIS_URL": "redis+cluster://:hunter2@a:6379/hints"}
    assert folder.problems(BASE, **given) == [
        "store.redis_url: a cluster has database 0 alone, and no name: expected nothing behind its servers (not shown)"
    ]


def test_the_settings_take_each_kind(folder: Folder) -> None:
    for url in ("redis+cluster://a,b", "rediss+sentinel://:hunter2@a/hints"):
        assert folder.load(BASE, REDIS_URL=url).store.redis_url.reveal() == url
