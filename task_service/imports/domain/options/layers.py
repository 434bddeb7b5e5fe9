"""Layers of options: those of the caller over those of a source. An option with its default value is not set."""

from dataclasses import fields, replace
from typing import Any, TypeVar

Options = TypeVar("Options", bound=Any)
"""A dataclass in which every field has a default."""


def set_options(options: Any) -> dict[str, Any]:
    """Return the options that do not have their default values."""
    defaults = type(options)()
    names = [each.name for each in fields(options)]
    return {name: value for name in names if (value := getattr(options, name)) != getattr(defaults, name)}


def overlay(top: Options, base: Options) -> Options:
    """Return the options of `top`, and those of `base` that `top` does not set."""
    return replace(base, **set_options(top))
