"""The sample videos: what is in them and how it moves."""

from collections.abc import Callable, Mapping

from sam_annotator.samples import backdrops, outlines
from sam_annotator.samples.cutouts import cut_out
from sam_annotator.samples.motion import Path, Pose
from sam_annotator.samples.photographs import read_photograph
from sam_annotator.samples.render import Layer, Scene, Shadow

VERSION = 1
"""Goes up with every change that changes a byte of the videos."""


def coffee() -> Scene:
    """One object that is easy to follow: a cup of coffee glides over a lawn."""
    cup = cut_out(read_photograph("coffee.png"), outlines.CUP, band=0, softness=1.2, scale=0.85)
    path = Path(
        [
            Pose(0, 215, 290, 0.92, -4),
            Pose(0.3, 330, 225, 0.88, 2),
            Pose(0.65, 560, 250, 0.95, 5),
            Pose(1, 660, 300, 1.0, -2),
        ]
    )
    camera = Path([Pose(0, 460, 240, 1.0), Pose(0.5, 430, 250, 1.02), Pose(1, 390, 235, 1.0, light=1.04)])
    layer = Layer(cup, path, 1, "cup", Shadow((-22, 34), 14, 0.85))
    return Scene("coffee", 854, 480, 48, backdrops.lawn(), camera, (layer,))


def space() -> Scene:
    """Two objects: a space shuttle flies past behind an astronaut."""
    portrait = read_photograph("astronaut.png")
    shuttle = cut_out(portrait, outlines.SHUTTLE, band=0, softness=0.8)
    astronaut = cut_out(portrait, outlines.ASTRONAUT, band=5, softness=1.0, scale=0.9)
    behind = Path(
        [
            Pose(0, 730, 345, 1.0, -38, 0.95),
            Pose(0.4, 520, 200, 0.92, -44, 1.0),
            Pose(0.75, 270, 115, 0.84, -52, 1.05),
            Pose(1, 115, 90, 0.76, -60, 1.0),
        ]
    )
    front = Path([Pose(0, 300, 290, 1.0, 1), Pose(0.5, 350, 276, 1.02, -2), Pose(1, 420, 284, 1.05, 1.5)])
    far = Path([Pose(0, 720, 120, 1, 0), Pose(1, 670, 135, 1, 4)])
    camera = Path([Pose(0, 440, 250, 1.08, 0), Pose(1, 415, 235, 1.14, 2)])
    layers = (
        Layer(backdrops.moon(110), far),
        Layer(shuttle, behind, 1, "space shuttle"),
        Layer(astronaut, front, 2, "astronaut"),
    )
    return Scene("space", 854, 480, 48, backdrops.deep_sky(), camera, layers)


def whiskers() -> Scene:
    """A hard one: a cat comes close, larger than the frame, and slips out of it while the light goes."""
    cat = cut_out(read_photograph("chelsea.png"), outlines.CAT, band=0, softness=2.4, scale=1.4)
    path = Path(
        [
            Pose(0, 258, 190, 1.00, 0, 1.0),
            Pose(0.3, 230, 185, 1.05, 2.0, 1.1),
            Pose(0.7, 20, 175, 1.18, -2.0, 0.65),
            Pose(1, 60, 180, 1.25, 1.0, 0.6),
        ]
    )
    camera = Path([Pose(0, 405, 175, 1.0, 0, 1.05), Pose(0.6, 380, 170, 1.05, 0, 0.9), Pose(1, 360, 165, 1.1, 0, 0.85)])
    return Scene("whiskers", 640, 360, 48, backdrops.city_lights(), camera, (Layer(cat, path, 1, "cat"),))


SCENES: Mapping[str, Callable[[], Scene]] = {"coffee": coffee, "space": space, "whiskers": whiskers}
"""From easy to hard, which is also the order of their names."""
