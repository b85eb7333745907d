"""Where and with what something was measured, in lines for a table's head; and middle values."""

import os
import platform
import sys
from collections.abc import Iterable
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median


def describe(*packages: str) -> str:
    """Processor, cores, load, system, date, versions."""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    versions = ", ".join(f"{package} {_version(package)}" for package in packages)
    return "\n".join(
        (
            f"{date.today().isoformat()}, {_processor()}, {os.cpu_count()} cores{load}, {platform.system()}",
            f"Python {platform.python_version()}, {versions}",
        )
    )


def quartiles(values: Iterable[float]) -> tuple[float, float, float]:
    """The values a quarter, half and three quarters of the way up."""
    ordered = sorted(values)
    half = len(ordered) // 2
    lower, upper = ordered[: half + len(ordered) % 2], ordered[half:]
    return median(lower), median(ordered), median(upper)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _processor() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
