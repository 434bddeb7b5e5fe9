"""Help of the operators' commands. They are dangerous to run by mistake: they rotate keys and end cursors."""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMANDS = sorted(
    f"{file.parts[-3]}.commands.{file.stem}"
    for file in ROOT.glob("*_service/commands/*.py")
    if "__main__" in file.read_text(encoding="utf-8")
)


@pytest.fixture
def run(monkeypatch, capsys):
    """Return a function that runs a command and returns its exit status, stdout and stderr. No database responds."""
    for prefix in ("AUTH", "TASKS"):
        monkeypatch.setenv(f"{prefix}_OWNER_DATABASE_URL", "postgresql://nobody:secret@127.0.0.1:1/none")

    def run_command(name: str, *arguments: str):
        monkeypatch.setattr("sys.argv", [name, *arguments])
        with pytest.raises(SystemExit) as ended:
            importlib.import_module(name).main()
        return ended.value.code, *capsys.readouterr()

    return run_command


@pytest.mark.parametrize("name", COMMANDS)
def test_help_does_not_run_the_command(run, name):
    status, out, err = run(name, "--help")
    assert (status, err) == (0, "")
    assert out.startswith(f"usage: python -m {name} [-h]")


@pytest.mark.parametrize("name", COMMANDS)
def test_unknown_argument_does_not_run_the_command(run, name):
    status, _, err = run(name, "--dry-run")
    assert status == 2
    assert err.startswith(f"usage: python -m {name} [-h]")
