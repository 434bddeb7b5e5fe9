from pathlib import Path

from gateway.commands.openapi import render

DOCS = Path(__file__).parents[3] / "docs"


def test_committed_document_is_up_to_date():
    """docs/openapi.json is the document of the contract. If it differs, run `make openapi`."""
    assert (DOCS / "openapi.json").read_text() == render()
