"""The laws of URLs out of a payload: what is called is an allowed host's, over https, and on the internet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rpc.errors import InvalidCall
from gateway.rpc.guard import check_payload_url, is_public

HOSTS = ("hooks.slack.com", "*.botframework.com", "smba.example:8443", "*.deep.example:8443", "10.1.2.3")

ALLOWED = {
    "https://hooks.slack.com/actions/T1/2?x=%20#part": "https://hooks.slack.com/actions/T1/2?x=%20",
    "https://hooks.slack.com": "https://hooks.slack.com/",
    "https://hooks.slack.com:443/a": "https://hooks.slack.com/a",
    "https://hooks.slack.com:/x:1": "https://hooks.slack.com/x:1",
    "HTTPS://Hooks.Slack.COM/A": "https://hooks.slack.com/A",
    "https://smba.botframework.com/teams/": "https://smba.botframework.com/teams/",
    "https://a.b.botframework.com/": "https://a.b.botframework.com/",
    "https://smba.example:8443/v3": "https://smba.example:8443/v3",
    "https://a.deep.example:8443/v3": "https://a.deep.example:8443/v3",
    "https://10.1.2.3/": "https://10.1.2.3/",  # its address is judged where it is connected to
}


@pytest.mark.parametrize("url", ALLOWED)
def test_a_url_of_an_allowed_host_is_put_together_again(url: str) -> None:
    assert check_payload_url(url, HOSTS) == ALLOWED[url]


@pytest.mark.parametrize(
    "url",
    [
        # Another host, or one that only looks like an allowed one.
        "https://evil.example/", "https://hooks.slack.com.evil.example/", "https://evilhooks.slack.com/",
        "https://botframework.com/", "https://.botframework.com/", "https://a..botframework.com/",
        "https://evilbotframework.com/", "https://hooks.slack.com./", "https://10.1.2.4/",
        # Whom a browser would take for the host is not whom another parser does.
        "https://hooks.slack.com@evil.example/", "https://evil.example\\@hooks.slack.com/",
        "https://user:secret@hooks.slack.com/", "https://@hooks.slack.com/", "https://hooks.slack.com%2eevil.example/",
        "https://evil.example#@hooks.slack.com/", "https://evil.example?@hooks.slack.com/",
        "https://hooks.slack.com\t.evil.example/", "https://hooks.slack.com/\r\nX: y", "https://hooks.sl\u00e4ck.com/",
        "https://ho\noks.slack.com/", " https://hooks.slack.com/",
        # Another scheme or port.
        "http://hooks.slack.com/", "ftp://hooks.slack.com/", "//hooks.slack.com/", "hooks.slack.com", "",
        "http+unix://%2Frun%2Fapp.sock/", "file:///etc/passwd", "https://hooks.slack.com:8443/",
        "https://smba.example/", "https://smba.example:443/", "https://a.botframework.com:8443/",
        "https://hooks.slack.com:0/", "https://hooks.slack.com:99999/", "https://[::1",
    ],
)  # fmt: skip
def test_any_other_is_refused_without_being_repeated(url: str) -> None:
    """What is refused is an attacker's or a platform's: neither belongs in a log."""
    with pytest.raises(InvalidCall) as caught:
        check_payload_url(url, HOSTS)

    assert caught.value.sent == "never"
    assert "slack" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_plain_http_is_for_trials_on_one_machine() -> None:
    hosts = ("127.0.0.1:8080",)
    with pytest.raises(InvalidCall, match=r"rpc\.private_addresses_allowed"):
        check_payload_url("http://127.0.0.1:8080/hook", hosts)

    assert check_payload_url("http://127.0.0.1:8080/hook", hosts, private_allowed=True) == "http://127.0.0.1:8080/hook"
    with pytest.raises(InvalidCall):
        check_payload_url("ftp://127.0.0.1:8080/hook", hosts, private_allowed=True)


@pytest.mark.parametrize(
    ("allowed", "url"),
    [
        ("hooks.slack.com:443", "https://hooks.slack.com/a"),
        ("hooks.slack.com:443", "https://hooks.slack.com:443/a"),
        ("Hooks.Slack.com:443", "https://hooks.slack.com/a"),
        ("*.slack.com:443", "https://hooks.slack.com/a"),
        ("127.0.0.1:80", "http://127.0.0.1/a"),
        ("127.0.0.1:443", "http://127.0.0.1:443/a"),
        ("127.0.0.1", "http://127.0.0.1:80/a"),
        ("[2606:4700::1]", "https://[2606:4700::1]/a"),
        ("[2606:4700::1]:443", "https://[2606:4700::1]/a"),
        ("[2606:4700::1]:8443", "https://[2606:4700::1]:8443/a"),
    ],
)
def test_a_port_may_be_named_that_the_scheme_has_anyway(allowed: str, url: str) -> None:
    assert check_payload_url(url, (allowed,), private_allowed=True)


@pytest.mark.parametrize(
    ("allowed", "url"),
    [
        # 443 is http's own port as little as 80 is that of https.
        ("127.0.0.1:443", "http://127.0.0.1/a"),
        ("127.0.0.1", "http://127.0.0.1:443/a"),
        ("127.0.0.1:80", "https://127.0.0.1/a"),
        ("hooks.slack.com:443", "https://hooks.slack.com:8443/a"),
        ("*.slack.com:443", "https://hooks.slack.com:8443/a"),
        ("*.slack.com:443", "https://slack.com/a"),
        # What is no host and port names nobody.
        ("hooks.slack.com:", "https://hooks.slack.com/a"),
        ("hooks.slack.com:https", "https://hooks.slack.com/a"),
        ("hooks.slack.com:443:443", "https://hooks.slack.com/a"),
        (":443", "https://hooks.slack.com/a"),
        ("", "https://hooks.slack.com/a"),
        ("*.", "https://hooks.slack.com./a"),
        ("2606:4700::443", "https://[2606:4700::443]/a"),
        ("2606:4700::443", "https://[2606:4700::]/a"),
    ],
)
def test_another_port_is_another_place(allowed: str, url: str) -> None:
    with pytest.raises(InvalidCall, match="allowed hosts"):
        check_payload_url(url, (allowed,), private_allowed=True)


@given(st.text(alphabet="htps:/@\\?#[]%.hookslacme\t\n\u00e4-_0", max_size=60))
def test_whatever_is_let_through_names_an_allowed_host(tail: str) -> None:
    """Any mixture of what parsers disagree about is either refused, or begins with what was allowed."""
    for url in (f"https://{tail}", f"https://hooks.slack.com{tail}", f"https://{tail}hooks.slack.com/"):
        try:
            checked = check_payload_url(url, ("hooks.slack.com",))
        except InvalidCall:
            continue
        assert checked.startswith("https://hooks.slack.com/")


@pytest.mark.parametrize(
    "ip",
    [
        "1.1.1.1", "8.8.8.8", "192.0.1.1", "172.32.0.1", "2606:4700:4700::1111", "2a00:1450:4001:800::200e",
        # A public IPv4 address inside of an IPv6 one.
        "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1",
    ],
)  # fmt: skip
def test_an_address_on_the_internet_is_public(ip: str) -> None:
    assert is_public(ip)


@pytest.mark.parametrize(
    "ip",
    [
        # This machine, its networks, and those of its owner.
        "0.0.0.0", "127.0.0.1", "127.8.9.1", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "100.64.0.1", "169.254.1.1", "::", "::1", "fe80::1", "fe80::1%2", "fc00::1", "fd12::1", "fec0::1",
        # Metadata services of clouds.
        "169.254.169.254", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254",
        # For nobody, for many, or for later.
        "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "192.88.99.1", "224.0.0.1", "240.0.0.1",
        "255.255.255.255", "ff02::1", "2001:db8::1", "3fff::1", "2001::1", "2001:2::1", "100::1", "5f00::1",
        "4000::1",
        # A private IPv4 address inside of an IPv6 one.
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808", "2002:7f00:1::", "2002:a00:1::1", "2002:c0a8:101::1",
    ],
)  # fmt: skip
def test_any_other_address_is_not(ip: str) -> None:
    assert not is_public(ip)
