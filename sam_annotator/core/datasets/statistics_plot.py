"""Statistics as a picture."""

import io
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sam_annotator.core.datasets.report_file import check_report
from sam_annotator.core.datasets.statistics import LARGE_FROM, SMALL_BELOW, Statistics
from sam_annotator.core.errors import InputError
from sam_annotator.core.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLOT_SUFFIXES: Final = (".png", ".svg", ".pdf", ".jpg")

_CATEGORIES_SHOWN: Final = 30
_OURS: Final = "sam_annotator statistics"
"""What each picture says of where it comes from, by which it is known when it is drawn anew."""

_NOTED: Final[dict[str, dict[str, Any]]] = {  # and no time of day: the same numbers give the same bytes
    "png": {"metadata": {"Software": _OURS}},
    "svg": {"metadata": {"Creator": _OURS, "Date": None}},
    "pdf": {"metadata": {"Creator": _OURS, "CreationDate": None}},
    "jpg": {"pil_kwargs": {"comment": _OURS.encode()}},
}
_COLOURS: Final = {"base": "#3b75af", "novel": "#d1603d", None: "#5a8a72"}


def write_plot(path: Path, statistics: Statistics) -> None:
    """Draw five panels: objects by category, frames per object, gaps, mask areas, objects per video.

    Raises:
        InputError: the suffix is none that can be drawn, or something else stands there.
        SaveError: the file cannot be written.
    """
    check_plot(path)
    from matplotlib import rc_context  # slow to import; without pyplot there is no window and no Qt
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 8), layout="constrained")
    panels = figure.subplot_mosaic([["categories", "lengths", "gaps"], ["categories", "areas", "counts"]])
    _draw_categories(panels["categories"], statistics)
    lengths = [len(found.areas) for found in statistics.objects]
    _draw_histogram(panels["lengths"], lengths, "Frames per object", "frames with a mask", "objects")
    gaps = [gap for found in statistics.objects for gap in found.gaps]
    _draw_histogram(panels["gaps"], gaps, "Gaps", "frames away", "gaps")
    _draw_areas(panels["areas"], statistics.areas)
    counts = [len(video.objects) for video in statistics.videos]
    _draw_histogram(panels["counts"], counts, "Objects per video", "objects", "videos")
    stream = io.BytesIO()
    kind = path.suffix[1:].lower()
    with warnings.catch_warnings(), rc_context({"svg.hashsalt": "sam_annotator"}):
        warnings.filterwarnings("ignore", message="Glyph")  # names in letters that the font lacks become boxes
        figure.savefig(stream, format=kind, dpi=110, **_NOTED[kind])
    write_atomically(path, stream.getvalue())


def check_plot(path: Path, taken: Iterable[Path] = ()) -> None:
    """Make sure that a picture of this name can be drawn.

    Args:
        taken: what the same command reads or writes.

    Raises:
        InputError: its suffix is none of `PLOT_SUFFIXES`; it cannot be written, or something would be lost.
    """
    if path.suffix.lower() not in PLOT_SUFFIXES:
        raise InputError(f"{path} has no suffix of a picture; use one of {', '.join(PLOT_SUFFIXES)}.")
    check_report(path, taken, "--plot FILE", _is_plot)


def _is_plot(path: Path) -> bool:
    content = path.read_bytes()
    return not content or _OURS.encode() in content


def _draw_categories(panel: "Axes", statistics: Statistics) -> None:
    shown = statistics.categories[:_CATEGORIES_SHOWN]
    names = [category.name.replace("$", r"\$") for category in shown]
    panel.barh(range(len(shown)), [one.objects for one in shown], color=[_COLOURS[one.group] for one in shown])
    panel.set_yticks(range(len(shown)), names, fontsize=7 if len(shown) > 12 else 9)
    panel.invert_yaxis()
    panel.locator_params(axis="x", integer=True)
    more = len(statistics.categories) - len(shown)
    panel.set_title("Objects by category" + (f" (the first {len(shown)} of {len(shown) + more})" if more else ""))
    for group in ("base", "novel"):
        if any(one.group == group for one in shown):
            panel.barh([0], [0], color=_COLOURS[group], label=group)
            panel.legend(loc="lower right")


def _draw_histogram(panel: "Axes", values: list[int], title: str, across: str, up: str) -> None:
    if not values:
        panel.set_title(title)
        panel.text(0.5, 0.5, "none", ha="center", va="center", transform=panel.transAxes)
        panel.set_axis_off()
        return
    largest = max(values)
    step = -(-(largest + 1) // 40)
    panel.hist(values, bins=(np.arange(0, largest + 1 + step, step) - 0.5).tolist(), color=_COLOURS[None])
    panel.set(title=title, xlabel=across, ylabel=up)
    panel.locator_params(integer=True)


def _draw_areas(panel: "Axes", areas: tuple[int, ...]) -> None:
    edges = np.logspace(0, np.log10(max(*areas, 10, LARGE_FROM)) + 0.1, 50)
    panel.hist(areas, bins=edges.tolist(), color=_COLOURS[None])
    panel.set(title="Mask areas", xlabel="pixels (lines: 128 x 128, 256 x 256)", ylabel="masks", xscale="log")
    for bound in (SMALL_BELOW, LARGE_FROM):
        panel.axvline(bound, color="black", linewidth=0.8, linestyle="--")
