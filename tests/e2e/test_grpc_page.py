"""docs/grpc.md: every command runs, and programs use the installed wheel of the stubs."""

import json
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.support.documented_commands import Shell, Step, fenced, steps
from tests.support.grpc_page import ROOT, page_of, sections_of, shell_of_a_reader

PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]


@pytest.fixture(scope="module")
def client_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of a virtual environment with the wheel of protos/gen, and without this repository."""
    folder = tmp_path_factory.mktemp("client")
    # A build writes into its folder.
    source = shutil.copytree(
        ROOT / "protos" / "gen", folder / "gen", ignore=shutil.ignore_patterns("build", "*.egg-info")
    )
    build = ["wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(folder), str(source)]
    subprocess.run([*PIP, *build], check=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    (wheel,) = folder.glob("taskmanager_protos-*.whl")
    subprocess.run([*PIP, "--python", python, "install", "--no-deps", "--no-index", wheel], check=True)
    # The dependencies of the wheel come from this environment: tests need no package index.
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return python


@pytest.fixture
def grpcurl(tmp_path: Path) -> Path:
    """Folder with grpcurl, or with a stand-in where it is not installed."""
    folder = tmp_path / "bin"
    folder.mkdir()
    if shutil.which("grpcurl") is None:
        stand_in = shlex.join([sys.executable, str(ROOT / "tests" / "support" / "grpcurl_by_buf.py")])
        (folder / "grpcurl").write_text(f'#!/bin/sh\nexec {stand_in} "$@"\n')
        (folder / "grpcurl").chmod(0o755)
    return folder


def status_in(error: str) -> list[str]:
    """Return the status of an error in the format of grpcurl. The stand-in prints errors as buf does."""
    if not error.startswith("{"):
        return error.splitlines()[:3]
    status = json.loads(error)
    return ["ERROR:", f"  Code: {status['code'].title().replace('_', '')}", f"  Message: {status['message']}"]


def check(shell: Shell, step: Step) -> None:
    """Run the command and compare its output with the page; of an error of grpcurl only the status."""
    if step.output[:1] == ["ERROR:"]:
        assert status_in(shell.run(step.command)) == step.output[:3]
    else:
        shell.check(step)


def test_grpc_page_commands_print_what_it_shows(stack, tmp_path, client_python, grpcurl):
    page = page_of(stack)
    (tmp_path / "reader").mkdir()
    with shell_of_a_reader(page, tmp_path / "reader", client_python.parent, grpcurl) as shell:
        for heading, section in sections_of(page).items():
            for step in steps(section) if heading != "Node" else ():
                check(shell, step)


def test_installed_stubs_are_typed(tmp_path, client_python):
    """The program of the page passes mypy --strict against the installed wheel."""
    (program,) = fenced("python", (ROOT / "docs" / "grpc.md").read_text())
    (tmp_path / "client.py").write_text(program)
    options = ["--strict", "--config-file=", f"--python-executable={client_python}", "--cache-dir=cache", "client.py"]
    mypy = subprocess.run(
        [sys.executable, "-m", "mypy", *options],
        cwd=tmp_path,
        env={"PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert mypy.returncode == 0, mypy.stdout + mypy.stderr


@pytest.mark.parametrize("service", ["auth", "tasks"])
def test_reflection_describes_error_details(stack, service):
    """grpcurl decodes the details of errors by the descriptors that reflection returns."""
    names = ["ErrorInfo", "BadRequest", "RetryInfo"]
    requests = [reflection_pb2.ServerReflectionRequest(file_containing_symbol=f"google.rpc.{name}") for name in names]
    with grpc.insecure_channel(stack.endpoints[f"{service}_target"]) as channel:
        reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
        responses = list(reflection.ServerReflectionInfo(iter(requests), timeout=60))
    files = [response.file_descriptor_response.file_descriptor_proto for response in responses]
    assert all(name.encode() in file[0] for name, file in zip(names, files, strict=True))
