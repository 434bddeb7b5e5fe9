import pytest

from tests.integration.auth_service.auth_server import make_settings, running_auth_server


@pytest.fixture
def settings(database):
    return make_settings(database.auth_url)


@pytest.fixture
async def auth_server(settings):
    async with running_auth_server(settings) as auth_server:
        yield auth_server
