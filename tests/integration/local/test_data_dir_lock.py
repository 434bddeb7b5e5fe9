import os
from pathlib import Path

import pytest

from deploy.local.errors import LocalStackError
from deploy.local.supervision.data_dir_lock import exclusive_run


async def test_second_run_on_a_data_dir_names_the_holder(tmp_path: Path):
    async with exclusive_run(tmp_path):
        with pytest.raises(LocalStackError, match=rf"in use by a run with process id {os.getpid()}\. Stop that run"):
            async with exclusive_run(tmp_path):
                pass


async def test_data_dir_is_free_again_after_a_run(tmp_path: Path):
    async with exclusive_run(tmp_path) as first:
        pass
    async with exclusive_run(tmp_path) as second:
        assert second.id != first.id
