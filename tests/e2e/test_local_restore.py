"""`make restore`: what it says about a backup that is missing or damaged, and that it can be repeated."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a target of the Makefile, as in a clone: this test may itself run below `make`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(["make", *arguments], cwd=ROOT, env=environment, check=False, capture_output=True, text=True)


@pytest.fixture
def data_dir(stack, tmp_path) -> Path:
    """New data directory with the secrets of the stack."""
    data_dir = tmp_path / "data-restored"
    data_dir.mkdir()
    shutil.copy(stack.data_dir / "secrets.json", data_dir)
    return data_dir


@pytest.fixture
def backup(stack, user, tmp_path) -> Path:
    """Backup of the stack, with the file of an import."""
    user.wait_for_import(user.upload(b"title\nBuy milk\n")["id"])
    folder = tmp_path / "backup"
    completed = make("backup", f"DATA={stack.data_dir}", f"BACKUP={folder}")
    assert completed.returncode == 0, completed.stderr
    return folder


def test_failed_restore_can_be_repeated(backup, data_dir):
    """A restore that fails says why and leaves no file. The next one shows nothing of the earlier one."""
    dump = backup / "database.dump"
    content = dump.read_bytes()
    dump.write_bytes(content[: len(content) * 3 // 4])
    failed = make("restore", f"DATA={data_dir}", f"BACKUP={backup}")
    assert failed.stderr.startswith(f"error: The backup is damaged: {dump} has other bytes")
    assert not (data_dir / "uploads").exists()
    dump.write_bytes(content)
    restored = make("restore", f"DATA={data_dir}", f"BACKUP={backup}")
    assert (restored.returncode, restored.stderr) == (0, "")
    assert restored.stdout.startswith(f"starting Postgres\nrestoring {backup}\nRestored from {backup}: ")
    assert "error" not in restored.stdout


def test_interrupted_restore_leaves_no_database(backup, data_dir):
    command = [sys.executable, "-m", "deploy.local", "restore", "--data-dir", str(data_dir), str(backup)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "starting Postgres\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert (process.returncode, err) == (130, "Interrupted. Nothing was restored. Repeat the restore.\n")
    assert not (data_dir / "postgres").exists()


def test_restore_without_a_backup_asks_for_its_name(data_dir):
    completed = make("restore", f"DATA={data_dir}")
    assert completed.returncode != 0
    assert "Name the backup: make restore BACKUP=backups/…" in completed.stderr


def test_mistyped_backup_is_reported_before_a_server_starts(data_dir, tmp_path):
    completed = make("restore", f"DATA={data_dir}", f"BACKUP={tmp_path / 'nix'}")
    assert completed.stdout == ""
    assert completed.stderr.splitlines()[0] == f"error: There is no folder {tmp_path / 'nix'}."
