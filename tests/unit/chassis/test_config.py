"""Settings: read once, wholly checked, secrets unprintable."""

import pytest
from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from chassis.settings import Listen
from chassis.settings import ListenAddress
from chassis.settings import Settings
from chassis.settings import load_settings


class ExampleSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="EXAMPLE_")

    listen: ListenAddress
    password: SecretStr
    size: int = 3


def test_every_problem_is_told_at_once_and_no_value_is_shown(monkeypatch, capsys):
    monkeypatch.setenv("EXAMPLE_LISTEN", "hunter2")
    monkeypatch.setenv("EXAMPLE_SIZE", "hunter3")
    with pytest.raises(SystemExit) as exit_:
        load_settings(ExampleSettings)
    assert exit_.value.code == 2
    told = capsys.readouterr().err
    for name in ("EXAMPLE_LISTEN: ", "EXAMPLE_PASSWORD: ", "EXAMPLE_SIZE: "):
        assert name in told
    assert "hunter" not in told


def test_a_secret_is_read_from_a_file_and_the_environment_wins(monkeypatch, tmp_path):
    (tmp_path / "EXAMPLE_PASSWORD").write_text("from a file\n")
    (tmp_path / "EXAMPLE_LISTEN").write_text("127.0.0.1:1")
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("EXAMPLE_LISTEN", "[::1]:2")
    settings = load_settings(ExampleSettings)
    assert settings.password.get_secret_value() == "from a file"
    assert settings.listen == Listen("::1", 2)
    assert str(settings.listen) == "[::1]:2"


def test_no_representation_shows_a_secret(monkeypatch):
    monkeypatch.setenv("EXAMPLE_LISTEN", "127.0.0.1:1")
    monkeypatch.setenv("EXAMPLE_PASSWORD", "hunter2")
    settings = load_settings(ExampleSettings)
    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump()}"


@pytest.mark.parametrize("text", ["", "8080", ":8080", "host:", "host:x", "host:65536", "host:-1"])
def test_an_address_that_is_none_is_refused(monkeypatch, text):
    monkeypatch.setenv("EXAMPLE_LISTEN", text)
    monkeypatch.setenv("EXAMPLE_PASSWORD", "x")
    with pytest.raises(SystemExit):
        load_settings(ExampleSettings)
