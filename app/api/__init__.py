"""The JSON doors. Each module here that holds a ``router`` is served by the application."""

import importlib
import pkgutil

from fastapi import APIRouter


def routers() -> list[APIRouter]:
    """Return the routers of this folder, in the order of their modules' names."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    found = [getattr(module, "router", None) for module in modules]
    return [router for router in found if isinstance(router, APIRouter)]
