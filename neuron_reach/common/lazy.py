"""Packages whose names are imported when they are first used (PEP 562)."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy_names(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a `__getattr__` for a package.

    Args:
        package: its name.
        modules: under the name of a module of `neuron_reach`, the names to take from it.
    """
    origin = {name: module for module, names in modules.items() for name in names.split()}

    def get(name: str) -> Any:
        if name not in origin:
            raise AttributeError(f'module {package!r} has no attribute {name!r}')
        value = getattr(importlib.import_module(f'neuron_reach.{origin[name]}'), name)
        setattr(sys.modules[package], name, value)
        return value

    return get
