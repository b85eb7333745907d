"""What the embedded segmenter knows of an image before the first click: small regions, their borders, their colours.

Regions are the basins of a colour edge map (watershed), about 25 pixels each, so that everything a click asks for
is computed on some 16,000 nodes instead of 400,000 pixels, and masks follow edges from the start.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from skimage.segmentation import watershed

Floats = NDArray[np.float32]

SPACING = 5  # pixels between the markers regions grow from
COLOURS = 64  # of the palette
CHROMA = 1.4  # weight of a and b against L: lightness changes within objects more than their hue does
PALETTE_ROUNDS = 8
CLEAR_EDGE = 4.5  # times the change that three quarters of the pixels stay below
FAINT_EDGE = 1.5  # the same, where an edge begins to count


@dataclass(frozen=True, eq=False)
class Regions:
    """An image cut into n small regions, and the m pairs of them that touch.

    Attributes:
        labels: int32 (height, width), the region of each pixel, 0..n-1.
        areas: float32 (n,), pixels.
        centres: float32 (n, 2), x and y.
        colours: float32 (n, 3), mean Lab with a and b stretched by CHROMA.
        palette: float32 (n, COLOURS), how much of each palette colour a region has; rows sum to 1.
        pairs: int32 (m, 2), the lower region first.
        lengths: float32 (m,), pixels of common border.
        strengths: float32 (m,), how much of an edge the border is: 0 none, 1 a clear one.
        border: float32 (n,), pixels on the image's border.
        crispness: uint8 (height, width), how clear an edge is nearby: 0 none, 255 one that outlines follow exactly.
    """

    labels: NDArray[np.int32]
    areas: Floats
    centres: Floats
    colours: Floats
    palette: Floats
    pairs: NDArray[np.int32]
    lengths: Floats
    strengths: Floats
    border: Floats
    crispness: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.areas)

    def mean(self, values: NDArray[np.generic]) -> Floats:
        """Mean over each region of a (height, width) array: float32 (n,)."""
        x, y, width, height = cv2.boundingRect((values != 0).astype(np.uint8))
        window = np.s_[y : y + height, x : x + width]
        sums = np.bincount(self.labels[window].ravel(), values[window].ravel(), len(self))
        return np.asarray(sums / self.areas, np.float32)

    def strength(self, among: NDArray[np.bool_], most: float = math.inf) -> float:
        """Mean strength of some of the borders, bool (m,), by their lengths, none counted above `most`; 0 of none."""
        lengths = self.lengths[among]
        return float((np.minimum(self.strengths[among], most) * lengths).sum() / max(float(lengths.sum()), 1e-6))

    def colour_overlap(self, chosen: NDArray[np.bool_], context: Floats | float = 1.0) -> float:
        """How alike the colours of some regions, bool (n,), and of the rest, as far as it counts, are, 0..1.

        This is Bhattacharyya's coefficient.
        """
        inside, outside = self.palette.T @ (self.areas * chosen), self.palette.T @ (self.areas * context * ~chosen)
        return float(np.sqrt(inside * outside).sum() / max(np.sqrt(inside.sum() * outside.sum()), 1e-6))


def find_regions(image: NDArray[np.uint8]) -> Regions:
    """Regions of an image uint8 (height, width, 3), RGB."""
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lab[..., 1:] *= CHROMA
    smooth = cv2.bilateralFilter(lab, 5, 12, 3)
    texture = texture_of(lab[..., 0])
    fine = edges(smooth, 1.0)
    coarse = edges(np.dstack([smooth, texture[..., :1]]), 3.0)
    labels = grow(fine)
    areas = np.bincount(labels.ravel()).astype(np.float32)
    features = region_means(labels, areas, np.dstack([smooth, texture]))
    pairs, lengths, (along_fine, along_coarse) = borders(labels, len(areas), [fine, coarse])
    step = np.linalg.norm(features[pairs[:, 0], :3] - features[pairs[:, 1], :3], axis=1)
    strengths = (scaled(along_fine) + scaled(along_coarse) + scaled(step)) / 3
    return Regions(
        labels=labels,
        areas=areas,
        centres=centres_of(labels, areas),
        colours=features[:, :3],
        palette=palette_of(features, areas),
        pairs=pairs,
        lengths=lengths,
        strengths=strengths.astype(np.float32),
        border=border_lengths(labels, len(areas)),
        crispness=crispness_of(fine),
    )


def texture_of(lightness: Floats) -> Floats:
    """Four channels (height, width, 4): how much lightness varies near each pixel, at two sizes and two directions."""
    channels = []
    for sigma in (2.0, 5.0):
        mean = cv2.GaussianBlur(lightness, (0, 0), sigma)
        square = cv2.GaussianBlur(lightness * lightness, (0, 0), sigma)
        channels.append(np.sqrt(np.maximum(square - mean * mean, 0)))
    for x, y in ((1, 0), (0, 1)):
        slope = np.abs(cv2.Scharr(lightness, cv2.CV_32F, x, y, scale=1 / 16))
        channels.append(cv2.GaussianBlur(slope, (0, 0), 4.0))
    return np.dstack(channels)


def edges(channels: Floats, sigma: float) -> Floats:
    """Strongest change of all channels together in any direction (Di Zenzo 1986), (height, width)."""
    blurred = cv2.GaussianBlur(channels, (0, 0), sigma)
    xx = xy = yy = np.float32(0)
    for channel in cv2.split(blurred):
        x = cv2.Scharr(channel, cv2.CV_32F, 1, 0, scale=1 / 32)
        y = cv2.Scharr(channel, cv2.CV_32F, 0, 1, scale=1 / 32)
        xx, xy, yy = xx + x * x, xy + x * y, yy + y * y
    largest: Floats = (xx + yy) / 2 + np.sqrt((xx - yy) ** 2 / 4 + xy * xy)
    return np.sqrt(largest)


def crispness_of(edge: Floats) -> NDArray[np.uint8]:
    """How clear an edge is within two pixels of each: uint8 (height, width)."""
    usual = max(float(np.percentile(edge[::4, ::4], 75)), 1e-3)
    nearby = cv2.dilate(edge, np.ones((5, 5), np.uint8)) / np.float32(usual)
    return np.asarray(np.clip((nearby - FAINT_EDGE) * (255 / (CLEAR_EDGE - FAINT_EDGE)), 0, 255), np.uint8)


def grow(edge: Floats) -> NDArray[np.int32]:
    """Basins of an edge map around markers on a grid: int32 (height, width), 0..n-1."""
    height, width = edge.shape
    ys, xs = grid(height), grid(width)
    markers = np.zeros((height, width), np.int32)
    markers[np.ix_(ys, xs)] = np.arange(1, len(ys) * len(xs) + 1).reshape(len(ys), len(xs))
    top = max(float(np.percentile(edge, 98)), 1e-6)
    levels = np.clip(edge * (255 / top), 0, 255).astype(np.uint8)
    return np.asarray(watershed(levels, markers) - 1, np.int32)


def grid(length: int) -> NDArray[np.intp]:
    """Where the markers stand along one side: at least one."""
    return np.arange(min(SPACING // 2, length // 2), length, SPACING)


def region_means(labels: NDArray[np.int32], areas: Floats, channels: Floats) -> Floats:
    """Mean of each channel over each region, (n, channels)."""
    flat = labels.ravel()
    sums = [np.bincount(flat, weights=channel.ravel(), minlength=len(areas)) for channel in cv2.split(channels)]
    return (np.stack(sums, axis=1) / areas[:, None]).astype(np.float32)


def centres_of(labels: NDArray[np.int32], areas: Floats) -> Floats:
    """Mean x and y of each region, (n, 2)."""
    ys, xs = np.indices(labels.shape, dtype=np.float32)
    return region_means(labels, areas, np.dstack([xs, ys]))


def border_lengths(labels: NDArray[np.int32], count: int) -> Floats:
    """Pixels of each region on the image's border, (n,)."""
    rim = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    return np.bincount(rim, minlength=count).astype(np.float32)


def borders(
    labels: NDArray[np.int32], count: int, maps: list[Floats]
) -> tuple[NDArray[np.int32], Floats, list[Floats]]:
    """Pairs of touching regions, the length of their common border, and the mean of each map along it."""
    first = np.concatenate([labels[:, :-1].ravel(), labels[:-1].ravel()])
    second = np.concatenate([labels[:, 1:].ravel(), labels[1:].ravel()])
    apart = first != second
    low, high = np.minimum(first, second)[apart], np.maximum(first, second)[apart]

    def total(values: Floats) -> sparse.csr_matrix:
        return sparse.coo_matrix((values, (low, high)), shape=(count, count)).tocsr()

    lengths = total(np.ones(len(low), np.float32))
    along = []
    for one in maps:
        across, down = np.maximum(one[:, :-1], one[:, 1:]), np.maximum(one[:-1], one[1:])
        along.append(total(np.concatenate([across.ravel(), down.ravel()])[apart]).data / lengths.data)
    indices = lengths.tocoo()
    return np.stack([indices.row, indices.col], axis=1).astype(np.int32), lengths.data, along


def scaled(values: Floats) -> Floats:
    """Values in units of their 75th percentile."""
    unit = max(float(np.percentile(values, 75)), 1e-3) if len(values) else 1.0
    return values / np.float32(unit)


def palette_of(features: Floats, areas: Floats) -> Floats:
    """Soft assignment of regions to COLOURS k-means centres of their features, (n, COLOURS)."""
    points = features * np.array([1, 1, 1, 0.7, 0.7, 0.7, 0.7], np.float32)
    generator = np.random.default_rng(0)
    sample = points[generator.choice(len(points), min(len(points), 4096), replace=False)]
    centres = sample[generator.choice(len(sample), min(len(sample), COLOURS), replace=False)]
    for _ in range(PALETTE_ROUNDS):
        nearest = squared_distances(sample, centres).argmin(axis=1)
        counts = np.bincount(nearest, minlength=len(centres))
        sums = np.stack([np.bincount(nearest, column, len(centres)) for column in sample.T], axis=1)
        used = counts > 0
        centres[used] = (sums[used] / counts[used, None]).astype(np.float32)
    distances = squared_distances(points, centres)
    distances -= distances.min(axis=1, keepdims=True)
    spread = max(float(np.mean(squared_distances(sample, centres).min(axis=1))), 1.0)
    weights = np.exp(-distances / (2 * spread))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def squared_distances(points: Floats, centres: Floats) -> Floats:
    """Squared Euclidean distance of every point to every centre, (points, centres)."""
    products = points @ centres.T
    distances: Floats = (points**2).sum(axis=1)[:, None] - 2 * products + (centres**2).sum(axis=1)
    return np.maximum(distances, 0)
