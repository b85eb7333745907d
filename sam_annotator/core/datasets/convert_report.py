"""What a conversion tells of itself: how far it is, what came of it, what was left out or has to be mended first."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, Protocol

from sam_annotator.core.errors import InputError
from sam_annotator.core.remedies import COMMAND_LINE, Remedy, Words, instruction, sentence

PROBLEMS_SHOWN: Final = 20
_EXAMPLES: Final = 3

Kind = Literal["error", "dropped", "repaired", "note"]
"""`error`: nothing is written before it is mended. `dropped`: not in the dataset. `repaired`: in it, but not as the
file says. `note`: worth knowing, nothing is wrong."""

KINDS: Final = {
    "error": "To be mended first",
    "dropped": "Left out",
    "repaired": "Repaired",
    "note": "To know",
}

_REPAIRS: Final = {
    "label-cleaned": "labels without the white space around them, and composed",
    "mask-clipped": "masks cut off at the border of the image",
    "mask-unfit": "masks of another size than their points say, taken from the first point on",
    "joined-by-label": "shapes without an object id, joined by label",
}
_DROPS: Final = {
    "part-nowhere": "parts of objects that cover no pixel of the image",
    "no-object-id": "shapes without an object id",
    "unknown-label": "labels that the category file does not name",
}
_NOTES: Final = {
    "video-renamed": "videos that share a name with one of another tree, and got the tree's before it",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that came up, and what was decided.

    Attributes:
        reason: a short name for the kind of thing, the same in every report.
        what: what is wrong; all that is said of it, if there is no remedy.
        video: its name in the tree; empty if it is about none.
        file: the annotation or image, as a path; empty if it is about none.
        count: how many shapes, masks or objects it is about.
        remedy: what to do about it, where the command line and the window have different words for that.
    """

    kind: Kind
    reason: str
    what: str
    video: str = ""
    file: str = ""
    count: int = 1
    remedy: Remedy | None = None

    @property
    def text(self) -> str:
        """The whole sentence, as the command line says it."""
        return self.told()

    def told(self, words: Words = COMMAND_LINE) -> str:
        """The whole sentence in the words of a front end."""
        return sentence(self.what, self.remedy, words)

    def to_document(self, words: Words = COMMAND_LINE) -> dict[str, Any]:
        """For the JSON report."""
        facts = {"kind": self.kind, "reason": self.reason, "text": self.told(words)}
        return {**facts, "video": self.video, "file": self.file, "count": self.count}


class Report(Protocol):
    """What any work on datasets tells of itself; `str()` is the summary for people at the command line."""

    def told(self, words: Words = COMMAND_LINE) -> str:
        """The summary in the words of a front end."""
        ...

    @property
    def is_clean(self) -> bool:
        """True if nothing was left out or changed."""
        ...

    @property
    def findings(self) -> Sequence[Finding]:
        """All that came up, one by one."""
        ...

    @property
    def written(self) -> Sequence[Path]:
        """What was written, files or folders; nothing after a dry run."""
        ...

    def counts(self) -> dict[str, Any]:
        """The numbers, for the JSON report."""
        ...


def _nothing_counted() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True)
class ConvertReport:
    """What was written, and what was left out.

    Attributes:
        path: the JSON file; the first, where there are several splits.
        videos, frames, objects, masks, categories: how many the JSON holds; of all splits.
        images: frames by what was done with them: linked, copied, encoded, or left as they stood in the dataset.
        videos_without_annotation: names of videos that are not in the dataset.
        videos_not_unpacked: names of video files without frames so far; not in the dataset.
        videos_in_no_split: names of videos that the list of splits does not name; not in the dataset.
        files_without_frame: annotation files whose frame was not found.
        ignored_shapes: points and lines, by type.
        empty_masks: objects in a frame whose shapes cover no pixel of the image; null in the dataset.
        empty_objects: objects that cover no pixel in any frame, named; not in the dataset.
        findings: all of it one by one, with file and reason.
        more_paths: the JSON files of the other splits.
        shares: of each JSON file, where there are several: (videos, objects, masks).
        unannotated: splits whose annotations are left out of the JSON, as was asked for; they count nothing.
        verified: masks that were read back and checked; None: not checked.
        is_dry_run: nothing was written.
    """

    path: Path
    videos: int
    frames: int
    objects: int
    masks: int
    categories: int
    images: Mapping[str, int] = field(default_factory=_nothing_counted)
    videos_without_annotation: tuple[str, ...] = ()
    videos_not_unpacked: tuple[str, ...] = ()
    videos_in_no_split: tuple[str, ...] = ()
    files_without_frame: tuple[Path, ...] = ()
    ignored_shapes: Mapping[str, int] = field(default_factory=_nothing_counted)
    empty_masks: int = 0
    empty_objects: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    more_paths: tuple[Path, ...] = ()
    shares: tuple[tuple[int, int, int], ...] = ()
    unannotated: tuple[str, ...] = ()
    verified: int | None = None
    is_dry_run: bool = False

    @property
    def is_clean(self) -> bool:
        """True if nothing that is in the annotations was left out or changed."""
        return not any(finding.kind in ("dropped", "repaired") for finding in self.findings)

    @property
    def written(self) -> tuple[Path, ...]:
        """The JSON files; none after a dry run."""
        return () if self.is_dry_run else (self.path, *self.more_paths)

    def __str__(self) -> str:
        return self.told()

    def told(self, words: Words = COMMAND_LINE) -> str:
        """The summary in the words of a front end."""
        parts = (self._paths(), self._contents(), self._left_out(), self._repaired(), self._notes(words))
        return "\n".join(chain.from_iterable(parts))

    def counts(self) -> dict[str, Any]:
        """The numbers, for the JSON report."""
        names = ("videos", "frames", "objects", "masks", "categories", "verified")
        counts = {name: getattr(self, name) for name in names} | {"images": dict(self.images)}
        paths = map(str, (self.path, *self.more_paths))
        shares = [dict(zip(("videos", "objects", "masks"), share, strict=True)) for share in self.shares]
        return counts | ({"splits": dict(zip(paths, shares, strict=True))} if shares else {})

    def _paths(self) -> Iterator[str]:
        wrote = "Would write" if self.is_dry_run else "Wrote"
        for path, share in zip_longest((self.path, *self.more_paths), self.shares):
            counted = "" if share is None else "   (videos {}, objects {}, masks {})".format(*share)
            yield f"{wrote} {path}{counted}"

    def _contents(self) -> Iterator[str]:
        yield f"  videos      {self.videos} ({self.frames} frames)"
        yield f"  objects     {self.objects}"
        yield f"  masks       {self.masks}"
        yield f"  categories  {self.categories}"
        if self.unannotated:
            yield f"  without annotations in the JSON: {', '.join(self.unannotated)}"
        if self.images:
            yield "  images      " + ", ".join(f"{count} {what}" for what, count in self.images.items())
        encoded = sum(finding.count for finding in self.findings if finding.reason == "images-encoded")
        if self.is_dry_run and encoded:
            yield f"  images      {encoded} to be encoded as JPEG, the others as they are"

    def _left_out(self) -> Iterator[str]:
        yield from self._outside()
        left_out = {
            "annotation files without a frame": tuple(map(str, self.files_without_frame)),
            "objects that cover no pixel": self.empty_objects,
        }
        for what, names in left_out.items():
            if names:
                yield f"Left out: {what}: {len(names)} ({_some(names)})"
        if self.ignored_shapes:
            kinds = ", ".join(f"{count} {kind}" for kind, count in self.ignored_shapes.items())
            yield f"Left out: shapes that cover no area: {sum(self.ignored_shapes.values())} ({kinds})"
        if self.empty_masks:
            yield f"Left out: masks without a pixel inside the image: {self.empty_masks}"
        yield from self._counted(_DROPS)

    def _outside(self) -> Iterator[str]:
        """Videos that are not in the dataset. Only where annotations are, something is left out."""
        unpacked = "video files not unpacked (open them once in the window)"
        lost = {one.video for one in self.findings if one.kind == "dropped" and one.reason == "video-in-no-split"}
        losing: list[str] = []
        empty: list[str] = []
        for name in self.videos_in_no_split:
            (losing if name in lost else empty).append(name)
        for what, names in (
            ("Not in the dataset: videos without annotation", self.videos_without_annotation),
            (f"Not in the dataset: {unpacked}", self.videos_not_unpacked),
            ("Left out: videos in no split", losing),
            ("Not in the dataset: videos in no split, without annotation", empty),
        ):
            if names:
                yield f"{what}: {len(names)} ({_some(tuple(names))})"

    def _repaired(self) -> Iterator[str]:
        yield from self._counted(_REPAIRS)

    def _counted(self, reasons: Iterable[str]) -> Iterator[str]:
        for reason in reasons:
            found = [finding for finding in self.findings if finding.reason == reason]
            if found:
                yield summed_up(found)

    def _notes(self, words: Words) -> Iterator[str]:
        told = (
            "video-without-annotation",
            "video-not-unpacked",
            "video-in-no-split",
            "images-encoded",
            "frame-not-annotated",
        )
        bare = [finding for finding in self.findings if finding.reason == "frame-not-annotated"]
        if bare:
            count, videos = sum(finding.count for finding in bare), [finding.video for finding in bare]
            where = f"{len(videos)} video{'' if len(videos) == 1 else 's'} ({_some(videos)})"
            yield (
                f"To know: frames without annotation: {count} of {self.frames}, in {where}; objects count as absent "
                "there"
            )
        notes = [finding for finding in self.findings if finding.kind == "note" and finding.reason not in told]
        for reason in _NOTES:  # many of one kind would hide the others
            alike = [finding for finding in notes if finding.reason == reason]
            if len(alike) > 1:
                yield summed_up(alike)
                notes = [finding for finding in notes if finding.reason != reason]
        yield from (f"To know: {finding.told(words)}" for finding in notes[:_EXAMPLES])
        if len(notes) > _EXAMPLES:
            yield f"To know: {len(notes) - _EXAMPLES} more; {words[Remedy.FULL_REPORT]}"


def is_summed_up(reason: str) -> bool:
    """True if many findings of this reason are told in one line."""
    return reason in _REPAIRS or reason in _DROPS


def summed_up(found: Sequence[Finding]) -> str:
    """Findings of one kind and reason in one line: how many there are, and where the first of them."""
    first = found[0]
    of_video = first.reason in _NOTES
    places = list(dict.fromkeys((of_video and finding.video) or finding.file or finding.text for finding in found))
    what = (_REPAIRS | _DROPS | _NOTES)[first.reason]
    return f"{KINDS[first.kind]}: {what}: {sum(finding.count for finding in found)} ({_some(places)})"


@dataclass(frozen=True)
class ConvertProgress:
    """One step of a conversion.

    Attributes:
        stage: `videos` (looking for annotations), `masks` (reading frames), `compare` (images that stand in the dataset
            already), `images` (placing frames), `check` (reading back what was written), `done`.
        video: the name of the video at work; empty when done.
        done, total: videos in the stage `videos`, objects in the stage `check`, else frames.
        report: with the last step, and only with it.
        masks: masks drawn so far, in the stage `masks`.
    """

    stage: Literal["videos", "masks", "compare", "images", "check", "done"]
    video: str
    done: int
    total: int
    report: ConvertReport | None = None
    masks: int = 0


class ConversionError(InputError):
    """The annotations do not make a dataset.

    Attributes:
        findings: all that came up, what has to be mended among it.
        problems: a sentence for each thing to mend, as the command line says it.
    """

    def __init__(self, problems: Sequence[Finding], findings: Iterable[Finding] = ()) -> None:
        self._to_mend = tuple(problems)
        self.findings = tuple(findings)
        super().__init__(self.told())

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(problem.text for problem in self._to_mend)

    def told(self, words: Words = COMMAND_LINE) -> str:
        """What to mend, kind by kind: some of each, so that one run tells all that is missing."""
        count = "1 problem was" if len(self._to_mend) == 1 else f"{len(self._to_mend)} problems were"
        by_reason: dict[str, list[Finding]] = {}
        for problem in self._to_mend:
            by_reason.setdefault(problem.reason, []).append(problem)
        shown = max(PROBLEMS_SHOWN // len(by_reason), _EXAMPLES) if by_reason else 0
        lines = [line for found in by_reason.values() for line in _alike(found, shown, words)]
        return "\n".join([f"{count} found and nothing was written:", *(f"  {line}" for line in lines)])


def _alike(found: Sequence[Finding], shown: int, words: Words) -> Iterator[str]:
    """Findings of one reason, the first so many of them; a remedy that all have is said once."""
    remedy = found[0].remedy
    if len(found) == 1 or remedy is None or any(one.remedy is not remedy for one in found):
        yield from (one.told(words) for one in found[:shown])
        remedy = None
    else:
        yield from (f"{one.what.removesuffix('.')}." for one in found[:shown])
    if len(found) > shown:
        yield f"... and {len(found) - shown} more of this kind"
    if remedy is not None:
        yield f"  {instruction(remedy, words)}"


def _some(names: Sequence[str]) -> str:
    listed = ", ".join(names[:_EXAMPLES])
    return listed if len(names) <= _EXAMPLES else f"{listed}, ..."
