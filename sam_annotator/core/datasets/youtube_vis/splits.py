"""Which video goes into which split: by a list, or by ratios with a seed. Whole videos only."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import orjson

from sam_annotator.core.errors import InputError

_LEAST: Final = 1e-100
_MOST: Final = 1e100
"""What ratios may add up to, so that they can be multiplied by a number of objects, and divided."""


@dataclass(frozen=True)
class SplitPlan:
    """How videos are shared out; either `listed` or `ratios` says it.

    Attributes:
        listed: the split of each video, by its name in the tree or in the dataset; who is not named goes nowhere.
        ratios: the share of each split; they need not add up to 1.
        seed: another seed gives another draw.
        source: the file that lists them, for messages.
    """

    listed: Mapping[str, str] = field(default_factory=dict)
    ratios: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    source: Path | None = None

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of the splits, in the order in which they were given."""
        return tuple(self.ratios) or tuple(dict.fromkeys(self.listed.values()))

    def unknown_names(self, names: Mapping[str, str]) -> list[str]:
        """What the list names and is no video; `names` are the videos' names in the dataset, by those in the tree."""
        known = {*names, *names.values()}
        return [name for name in self.listed if name not in known]

    def assign(self, videos: Sequence[tuple[str, str, Counter[str]]]) -> dict[str, str]:
        """The split of each video by its name in the tree; a video that is in no list is missing.

        Ratios are kept to the video, and as far as that allows for each category, the rare ones first (iterative
        stratification, Sechidis et al. 2011). The order of the videos does not matter.

        Args:
            videos: (name in the tree, name in the dataset, its objects counted by category).
        """
        if self.ratios:
            return self._draw({name: labels for name, _new, labels in videos})
        found = {name: self.listed.get(name, self.listed.get(new)) for name, new, _labels in videos}
        return {name: split for name, split in found.items() if split is not None}

    def _draw(self, videos: Mapping[str, Counter[str]]) -> dict[str, str]:
        room = _shares(len(videos), self.ratios)
        total = sum(self.ratios.values())
        counts = Counter[str]()
        for labels in videos.values():
            counts.update(labels)
        wanted = {s: {label: counts[label] * share / total for label in counts} for s, share in self.ratios.items()}
        assigned: dict[str, str] = {}
        drawn = sorted(videos, key=self._chance)
        for label in [*sorted(counts, key=lambda label: (counts[label], label)), None]:
            for name in drawn:
                if name in assigned or (label is not None and label not in videos[name]):
                    continue
                split = _neediest(label, room, wanted)
                assigned[name] = split
                room[split] -= 1
                for other, count in videos[name].items():
                    wanted[split][other] -= count
        return assigned

    def _chance(self, name: str) -> bytes:
        return blake2b(f"{self.seed}:{name}".encode("utf-8", "surrogateescape"), digest_size=16).digest()


def _neediest(label: str | None, room: Mapping[str, int], wanted: Mapping[str, Mapping[str, float]]) -> str:
    """The split that lacks most of a category, of those that take another video; the first of equal ones."""
    free = [split for split, places in room.items() if places > 0]
    return max(free, key=lambda split: (0.0 if label is None else wanted[split][label], room[split]))


def _shares(number: int, ratios: Mapping[str, float]) -> dict[str, int]:
    """Whole numbers that add up to `number`, as close to the ratios as can be."""
    total = sum(ratios.values())
    exact = {split: number * share / total for split, share in ratios.items()}
    shares = {split: int(share) for split, share in exact.items()}
    by_rest = sorted(exact, key=lambda split: shares[split] - exact[split])
    for split in by_rest[: number - sum(shares.values())]:
        shares[split] += 1
    return shares


def parse_ratios(text: str, seed: int = 0) -> SplitPlan:
    """A plan from a text like `train=0.8,val=0.2`.

    Raises:
        InputError: it says no ratios.
    """
    ratios: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = part.partition("=")
        try:
            value = float(share)
        except ValueError:
            value = -1.0
        if not name.strip() or name.strip() in ratios or not 0 < value < float("inf"):
            raise InputError(f"{text!r} says no ratios of splits; write them like train=0.8,val=0.1,test=0.1.")
        ratios[name.strip()] = value
    if not _LEAST <= sum(ratios.values()) <= _MOST:
        raise InputError(
            f"The ratios of splits {text!r} are too large or too small to reckon with; write them like "
            "train=0.8,val=0.1,test=0.1."
        )
    return SplitPlan(ratios=ratios, seed=seed)


def read_split_list(path: Path) -> SplitPlan:
    """Read which video belongs to which split.

    Two kinds are taken: JSON {"train": ["video", ...], "val": [...]}, and a text with a split and a video a line,
    as in `train 00000`. Videos are named as in the tree (`a/00000`) or as in the dataset (`00000`).

    Raises:
        InputError: cannot be read, names no video, or one video twice.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"The list of splits {path} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise InputError(f"The list of splits {path} is not UTF-8 text; save it as UTF-8.") from error
    is_json = path.suffix.lower() == ".json" or text.lstrip()[:1] == "{"
    listed: dict[str, str] = {}
    for split, name in _from_json(path, text) if is_json else _from_lines(path, text):
        if listed.get(name, split) != split:
            raise InputError(f"The list of splits {path} puts the video {name} into {listed[name]} and into {split}.")
        listed[name] = split
    if not listed:
        raise InputError(f"The list of splits {path} names no video.")
    return SplitPlan(listed=listed, source=path)


def _from_json(path: Path, text: str) -> list[tuple[str, str]]:
    try:
        document: Any = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InputError(f"The list of splits {path} is not valid JSON ({error}).") from error
    if not isinstance(document, dict) or not all(isinstance(names, list) for names in document.values()):
        raise InputError(f'The list of splits {path} is no object of lists, like {{"train": ["00000"], "val": []}}.')
    pairs = [(split, name) for split, names in document.items() for name in names]
    if not all(isinstance(name, str) for _split, name in pairs):
        raise InputError(f"The list of splits {path} has a video that is no text.")
    return pairs


def _from_lines(path: Path, text: str) -> list[tuple[str, str]]:
    pairs = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        parts = line.split(maxsplit=1)
        if len(parts) != 2:
            raise InputError(f"Line {number} of the list of splits {path} is no split and video, as in 'train 00000'.")
        pairs.append((parts[0], parts[1].strip()))
    return pairs
