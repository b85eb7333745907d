"""Shapes that reach far beyond the image, to the largest numbers there are: quick, no crash, and the right pixels."""

import math
import random
import time
import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelme.utils import shape_to_mask as labelme_mask

from sam_annotator.core.annotation import Point, Shape
from sam_annotator.core.masks import covers_nothing, object_mask, shape_to_mask

HEIGHT, WIDTH = 60, 80
RASTERS = ("labelme", "cv2", "coco")

numbers = st.one_of(st.floats(-200, 200), st.floats(-1e9, 1e9), st.floats(allow_nan=False, allow_infinity=False))


def circle(center: Point, rim: Point) -> Shape:
    return Shape("swan", (center, rim), "circle", 1)


def inside_circle(shape: Shape) -> np.ndarray:
    """The same by fractions, which round nothing."""
    (x, y), (rim_x, rim_y) = [(Fraction(a), Fraction(b)) for a, b in shape.points]
    square = (x - rim_x) ** 2 + (y - rim_y) ** 2
    return np.array([[(x - i) ** 2 + (y - j) ** 2 <= square for i in range(WIDTH)] for j in range(HEIGHT)])


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["polygon", "rectangle", "circle", "oriented_rectangle"]),
    st.lists(st.tuples(numbers, numbers), min_size=1, max_size=6),
    st.sampled_from(RASTERS),
)
def test_no_finite_number_is_too_large_for_any_shape(kind: str, points: list[Point], raster: str) -> None:
    shape = Shape("swan", tuple(points), kind, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        drawn = object_mask([shape, Shape("swan", ((1.0, 1.0), (9.0, 1.0), (9.0, 9.0)))], HEIGHT, WIDTH, raster=raster)
    assert drawn.shape == (HEIGHT, WIDTH)
    if covers_nothing(shape, HEIGHT, WIDTH):
        assert not shape_to_mask(shape, HEIGHT, WIDTH).any()


@pytest.mark.parametrize("raster", RASTERS)
@pytest.mark.parametrize("far", [1e6, 1e7, 1e12, 1e155, 1e200, 1.7e308])
def test_a_circle_that_holds_the_whole_image_fills_it_at_once(raster: str, far: float) -> None:
    start = time.process_time()
    drawn = object_mask([circle((50.0, 40.0), (far, 40.0))], HEIGHT, WIDTH, raster=raster)
    assert drawn.all()
    assert time.process_time() - start < 5  # walking along the rim took a minute, or for ever


@pytest.mark.parametrize("raster", RASTERS)
@pytest.mark.parametrize("radius", [2e5, 1e6, 1e9, 1e200, 1e308])
@pytest.mark.parametrize("angle", range(10, 360, 75))
def test_of_a_wide_circle_whose_rim_is_in_the_image_the_inner_side_is_drawn(
    raster: str, radius: float, angle: int
) -> None:
    across, down = radius * math.cos(math.radians(angle)), radius * math.sin(math.radians(angle))
    shape = circle((33.3 - across, 21.7 - down), (33.3, 21.7))
    drawn, truth = object_mask([shape], HEIGHT, WIDTH, raster=raster), inside_circle(shape)
    assert truth.any()
    assert not truth.all()
    assert np.count_nonzero(drawn ^ truth) <= 2


def test_circles_of_all_radii_that_pillow_can_count_are_those_of_labelme() -> None:
    rng = random.Random(2)
    for _ in range(200):
        radius, angle = 10 ** rng.uniform(0, 5), rng.uniform(0, 7)
        rim = rng.uniform(-5, WIDTH + 5), rng.uniform(-5, HEIGHT + 5)
        center = rim[0] + radius * math.cos(angle), rim[1] + radius * math.sin(angle)
        theirs = labelme_mask((HEIGHT, WIDTH), [list(center), list(rim)], "circle")
        np.testing.assert_array_equal(shape_to_mask(circle(center, rim), HEIGHT, WIDTH), theirs)


@pytest.mark.parametrize("raster", RASTERS)
@pytest.mark.parametrize("far", [1e7, 1e10, 1e12, 1e300])
def test_edges_of_far_polygons_keep_their_slopes(raster: str, far: float) -> None:
    """A half of the image above its diagonal, by a corner far along that diagonal, not by one cut to a square."""
    along = far * HEIGHT / WIDTH
    shape = Shape("swan", ((0.0, 0.0), (far, along), (far, -far), (0.0, -far)), "polygon", 1)
    drawn = object_mask([shape], HEIGHT, WIDTH, raster=raster)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    above = columns * HEIGHT - rows * WIDTH
    sure = np.abs(above) > 2 * WIDTH  # away from the edge, where each rounds in its own way
    assert np.array_equal(drawn[sure], (above > 0)[sure])


@pytest.mark.parametrize(
    "points", [((-1e308, -1e308), (1e308, -1e308), (50.0, 1e308)), ((-1e9, -1e9), (1e9, -1e9), (50.0, 1e9))]
)
@pytest.mark.parametrize("raster", RASTERS)
def test_a_triangle_around_the_image_fills_it(raster: str, points: tuple[Point, ...]) -> None:
    assert object_mask([Shape("swan", points, "polygon", 1)], HEIGHT, WIDTH, raster=raster).all()


@pytest.mark.parametrize("kind", ["circle", "rectangle"])
@pytest.mark.parametrize("raster", RASTERS)
def test_a_shape_with_a_point_too_few_or_too_many_is_said_to_cover_nothing_by_every_raster(
    raster: str, kind: str
) -> None:
    points = ((10.0, 10.0), (30.0, 30.0), (60.0, 5.0)) if kind == "circle" else ((10.0, 10.0),)
    shape = Shape("swan", points, kind, 1)
    assert covers_nothing(shape, HEIGHT, WIDTH)
    assert not object_mask([shape], HEIGHT, WIDTH, raster=raster).any()


@pytest.mark.parametrize(("raster", "area"), [("labelme", 21 * 21), ("cv2", 21 * 21), ("coco", 20 * 20)])
@pytest.mark.parametrize("turn", range(4))
def test_a_rectangle_of_four_corners_is_that_of_two_for_every_raster(raster: str, area: int, turn: int) -> None:
    corners = ((10.0, 10.0), (30.0, 10.0), (30.0, 30.0), (10.0, 30.0))
    shape = Shape("swan", corners[turn:] + corners[:turn], "rectangle", 1)
    assert object_mask([shape], HEIGHT, WIDTH, raster=raster).sum() == area
