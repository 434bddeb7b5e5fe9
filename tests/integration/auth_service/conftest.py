import pytest

from tests.integration.auth_service.door import opened, settings_for


@pytest.fixture
def settings(database):
    return settings_for(database.auth_url)


@pytest.fixture
async def door(settings):
    async with opened(settings) as door:
        yield door
