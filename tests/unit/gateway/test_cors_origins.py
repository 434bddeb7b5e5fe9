"""GATEWAY_CORS_ORIGINS takes only origins that a browser can send; any other text would never match."""

import pytest

from chassis.settings import load_settings
from gateway.settings import GatewaySettings


@pytest.fixture
def load(monkeypatch):
    def load(**environment):
        values = {"GATEWAY_LISTEN": "127.0.0.1:0", "GATEWAY_AUTH_TARGET": "a:1", "GATEWAY_TASKS_TARGET": "b:1"}
        for name, value in (values | environment).items():
            monkeypatch.setenv(name, value)
        return load_settings(GatewaySettings)

    return load


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("", ()),
        ("*", ("*",)),
        ("https://app.example.com", ("https://app.example.com",)),
        ("https://a.example, http://localhost:3000,", ("https://a.example", "http://localhost:3000")),
        ("http://127.0.0.1:8080", ("http://127.0.0.1:8080",)),
        ("http://[::1]:8080", ("http://[::1]:8080",)),
        ("https://xn--bcher-kva.example", ("https://xn--bcher-kva.example",)),
        ("http://example.com:443", ("http://example.com:443",)),
        ("capacitor://localhost", ("capacitor://localhost",)),
    ],
)
def test_origins_are_a_list(load, text, origins):
    assert load(GATEWAY_CORS_ORIGINS=text).cors_origins == origins


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "app.example.com",
        "https://",
        "https://app.example.com/",
        "https://app.example.com/path",
        "https://user@app.example.com",
        "https://app.example.com?x=1",
        "https://*.example.com",
        "https://.example.com",
        "https://App.example.com",
        "HTTPS://app.example.com",
        "https://bücher.example",
        "https://app.example.com:443",
        "http://app.example.com:80",
        "https://app.example.com:0",
        "https://app.example.com:65536",
        "https://app.example.com:08080",
        "https://app.example.com:",
        "http://127.1",
        "http://[0:0::1]",
        "http://[127.0.0.1]",
        "http://::1",
        "https://a.example https://b.example",
    ],
)
def test_text_that_no_browser_sends_stops_the_start(load, capsys, origin):
    """The message names the setting and the place in the list, and says what to write."""
    with pytest.raises(SystemExit) as exit_info:
        load(GATEWAY_CORS_ORIGINS=f"https://ok.example,{origin}")
    (line,) = capsys.readouterr().err.splitlines()
    assert exit_info.value.code == 2
    assert line.startswith("GATEWAY_CORS_ORIGINS: ")
    assert "origin 2 of the list must be scheme://host[:port]" in line
    assert origin not in line.replace("https://app.example.com or", "")


def test_any_origin_excludes_a_list(load, capsys):
    with pytest.raises(SystemExit):
        load(GATEWAY_CORS_ORIGINS="*, https://app.example.com")
    assert "GATEWAY_CORS_ORIGINS: must be * alone" in capsys.readouterr().err


def test_malformed_network_names_the_setting(load, capsys):
    """The message has the setting's name, without the index of the network in the list."""
    with pytest.raises(SystemExit):
        load(GATEWAY_TRUSTED_PROXIES="10.0.0.0/8, proxies")
    assert capsys.readouterr().err.startswith("GATEWAY_TRUSTED_PROXIES: ")
