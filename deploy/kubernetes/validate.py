"""Check of the manifests, offline: python -m deploy.kubernetes.validate.

It renders each kustomization with `kubectl kustomize`, and validates every document against the schemas of Kubernetes.
Custom resources have no schema there: the program names them. Without kubectl it says so and succeeds.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from kubernetes_validate import SchemaNotFoundError, ValidationError, validate

FOLDER = Path(__file__).parent
KUSTOMIZATIONS = (
    "overlays/dev",
    "overlays/production",
    "overlays/production/provision",
    "overlays/production/migrate",
    "overlays/production/contract",
)
VERSIONS = ("1.33", "1.37")
"""Oldest and newest version of Kubernetes that the manifests are for."""


def kubectl() -> str | None:
    """Return the program of this environment, or the one of the machine."""
    own = Path(sys.executable).parent / "kubectl"
    return str(own) if own.exists() else shutil.which("kubectl")


def render(kustomization: str, program: str) -> list[dict[str, Any]]:
    """Return the documents of a kustomization. Raises CalledProcessError."""
    command = [program, "kustomize", str(FOLDER / kustomization)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - a fixed command
    return [document for document in yaml.safe_load_all(text) if document]


def problems(documents: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a line for each document that a version of Kubernetes would refuse."""
    for document in documents:
        for version in VERSIONS:
            try:
                validate(document, version, strict=True)
            except ValidationError as error:
                path = ".".join(map(str, error.path))
                yield f"{document['kind']} {document['metadata']['name']}: {path}: {error.message} ({version})"
            except SchemaNotFoundError as error:
                if not is_custom(document):
                    yield f"{document['kind']} {document['metadata']['name']}: {error.message}"


def is_custom(document: dict[str, Any]) -> bool:
    """Return True for a resource that Kubernetes itself does not define."""
    group = document["apiVersion"].partition("/")[0] if "/" in document["apiVersion"] else ""
    return "." in group and not group.endswith(".k8s.io")


def main() -> None:
    program = kubectl()
    if program is None:
        sys.stderr.write("kubectl is not installed: the manifests for Kubernetes are NOT checked\n")
        return
    failed = False
    for kustomization in KUSTOMIZATIONS:
        documents = render(kustomization, program)
        custom = sorted({f"{each['apiVersion']} {each['kind']}" for each in documents if is_custom(each)})
        sys.stdout.write(f"{kustomization}: {len(documents)} resources for Kubernetes {' and '.join(VERSIONS)}")
        sys.stdout.write(f"; not validated: {', '.join(custom)}\n" if custom else "\n")
        for problem in problems(documents):
            failed = True
            sys.stderr.write(f"{kustomization}: {problem}\n")
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
