"""Manifests for Kubernetes, rendered."""

import pytest

from tests.architecture.manifests import OVERLAYS, manifests


@pytest.fixture(params=OVERLAYS)
def overlay(request):
    return manifests(request.param)
