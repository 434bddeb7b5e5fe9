"""README.md: every command runs in order in one shell, and its output must match the text."""

import re
from pathlib import Path

from tests.support.cli_session import run_step, session_program, session_steps, without_colours
from tests.support.documented_commands import Shell, fenced, pattern, steps, with_addresses_of
from tests.support.stack import running_stack

ROOT = Path(__file__).parents[2]


def test_readme_commands_print_what_it_shows(tmp_path):
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    with running_stack(tmp_path / "data") as stack, Shell(tmp_path) as shell:
        text = with_addresses_of(stack, (ROOT / "README.md").read_text())
        (program,) = fenced("python", text)
        (tmp_path / "client.py").write_text(program)
        run = steps(text)
        assert len(run) >= 10
        for step in run:
            shell.check(step)
        client = session_program(stack, tmp_path)
        for step in session_steps(stack):
            shown = without_colours(run_step(client, step, tmp_path))
            assert re.fullmatch(pattern(step.output), shown), f"$ {step.command}\n{shown}"
