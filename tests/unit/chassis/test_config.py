"""Settings: read once, validated completely, secrets not printable."""

import os

import pytest
from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from chassis.settings import Listen, ListenAddress, Settings, load_settings


class ExampleSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="EXAMPLE_")

    listen: ListenAddress
    password: SecretStr
    size: int = 3


def test_all_problems_are_reported_without_values(monkeypatch, capsys):
    monkeypatch.setenv("EXAMPLE_LISTEN", "hunter2")
    monkeypatch.setenv("EXAMPLE_SIZE", "hunter3")
    with pytest.raises(SystemExit) as exit_:
        load_settings(ExampleSettings)
    assert exit_.value.code == 2
    output = capsys.readouterr().err
    for name in ("EXAMPLE_LISTEN: ", "EXAMPLE_PASSWORD: ", "EXAMPLE_SIZE: "):
        assert name in output
    assert "hunter" not in output


def test_misspelt_variable_is_refused(monkeypatch, capsys):
    """The message proposes the setting with the closest name."""
    monkeypatch.setenv("EXAMPLE_LISTEN", "127.0.0.1:1")
    monkeypatch.setenv("EXAMPLE_PASSWORD", "x")
    monkeypatch.setenv("EXAMPLE_LISTN", "hunter2")
    monkeypatch.setenv("EXAMPLE_PASSWROD", "hunter2")
    with pytest.raises(SystemExit) as exit_:
        load_settings(ExampleSettings)
    assert exit_.value.code == 2
    assert capsys.readouterr().err.splitlines() == [
        "EXAMPLE_LISTN: unknown setting. Did you mean EXAMPLE_LISTEN?",
        "EXAMPLE_PASSWROD: unknown setting. Did you mean EXAMPLE_PASSWORD?",
    ]


@pytest.mark.parametrize(
    "name", ["SERVICE_HOST", "SERVICE_PORT_GRPC", "PORT", "PORT_50051_TCP_ADDR", "TARGET", "OTHER"]
)
def test_variables_of_others_are_accepted(monkeypatch, name):
    """Kubernetes sets variables for each Service, people export their own, and commands have further settings."""

    class Example(ExampleSettings):
        other_variables = frozenset({"EXAMPLE_OTHER"})

    monkeypatch.setenv("EXAMPLE_LISTEN", "127.0.0.1:1")
    monkeypatch.setenv("EXAMPLE_PASSWORD", "x")
    monkeypatch.setenv(f"EXAMPLE_{name}", "tcp://10.0.0.1:50051")
    assert load_settings(Example).size == 3


def test_environment_overrides_secret_files(monkeypatch, tmp_path):
    (tmp_path / "EXAMPLE_PASSWORD").write_text("from a file\n")
    (tmp_path / "EXAMPLE_LISTEN").write_text("127.0.0.1:1")
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("EXAMPLE_LISTEN", "[::1]:2")
    settings = load_settings(ExampleSettings)
    assert settings.password.get_secret_value() == "from a file"
    assert settings.listen == Listen("::1", 2)
    assert str(settings.listen) == "[::1]:2"


def test_value_that_is_no_text_is_refused(monkeypatch, capsys, tmp_path):
    """Bytes that are not UTF-8, in a variable or in a secret file, are one line without the value."""
    monkeypatch.setenv("EXAMPLE_LISTEN", "127.0.0.1:1")
    monkeypatch.setenv("EXAMPLE_PASSWORD", "hunter2\udcff")
    monkeypatch.setenv("EXAMPLE_SIZE", "\udcff")
    with pytest.raises(SystemExit) as exit_:
        load_settings(ExampleSettings)
    assert exit_.value.code == 2
    lines = ["EXAMPLE_PASSWORD: must be UTF-8 text", "EXAMPLE_SIZE: must be UTF-8 text"]
    assert capsys.readouterr().err.splitlines() == lines
    (tmp_path / "EXAMPLE_PASSWORD").write_bytes(b"hunter2\xff")
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    with pytest.raises(SystemExit) as exit_:
        load_settings(ExampleSettings)
    assert exit_.value.code == 2
    assert capsys.readouterr().err == f"EXAMPLE_PASSWORD: {tmp_path}/EXAMPLE_PASSWORD must be UTF-8 text\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_secrets_that_the_process_may_not_read_are_named(monkeypatch, capsys, tmp_path):
    """A file or a directory without the permission is one line."""
    secret = tmp_path / "EXAMPLE_PASSWORD"
    secret.touch(mode=0)
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    for path, name in ((secret, "EXAMPLE_PASSWORD"), (tmp_path, "SECRETS_DIR")):
        path.chmod(0)
        with pytest.raises(SystemExit) as exit_:
            load_settings(ExampleSettings)
        assert exit_.value.code == 2
        assert capsys.readouterr().err == f"{name}: can't read {path}: Permission denied\n"
    tmp_path.chmod(0o700)


def test_no_representation_shows_a_secret(monkeypatch):
    monkeypatch.setenv("EXAMPLE_LISTEN", "127.0.0.1:1")
    monkeypatch.setenv("EXAMPLE_PASSWORD", "hunter2")
    settings = load_settings(ExampleSettings)
    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump()}"


@pytest.mark.parametrize("text", ["", "8080", ":8080", "host:", "host:x", "host:65536", "host:-1"])
def test_malformed_address_is_refused(monkeypatch, text):
    monkeypatch.setenv("EXAMPLE_LISTEN", text)
    monkeypatch.setenv("EXAMPLE_PASSWORD", "x")
    with pytest.raises(SystemExit):
        load_settings(ExampleSettings)
