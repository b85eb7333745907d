"""The work of the engine thread, step by step, without the thread."""

import gc
import sys
import types
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sam_annotator.core.annotation import MANUAL
from sam_annotator.core.errors import EngineError, ImageError, InputError
from sam_annotator.core.masks import iou, mask_to_shapes, object_mask
from sam_annotator.core.prompt import Prompt
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import find_videos
from sam_annotator.engine import engines
from sam_annotator.engine.propagation import FrameDone
from sam_annotator.engine.sam.segmenter import SamSegmenter
from sam_annotator.gui.engine_jobs import EngineJobs
from sam_annotator.gui.settings.garbage import set_aside
from tests.engine.small_sam import small_sam
from tests.gui.conftest import EMBEDDED
from tests.gui.scene import BALL, HEIGHT, WIDTH, DiscSegmenter, ball_centre, make_video, truth

CLICK = Prompt((ball_centre(0),), (True,))


def run(job: Iterator[Any]) -> tuple[list[Any], Any]:
    """What a job yields, and what it returns."""
    steps = []
    while True:
        try:
            steps.append(next(job))
        except StopIteration as end:
            return steps, end.value


@pytest.fixture
def frames(tmp_path: Path) -> list[Path]:
    return sorted(make_video(tmp_path / "videos" / "ball", 4).iterdir())


def test_nothing_is_loaded_before_the_first_job(frames: list[Path], discs: DiscSegmenter) -> None:
    jobs = EngineJobs({})
    assert jobs.segmenter_name == ""
    steps, _ = run(jobs.prepare(frames[0]))
    assert steps == ["loading the segmenter", "preparing 00000.jpg"]
    assert jobs.segmenter_name == "discs, cpu"


def test_an_image_is_encoded_once_and_used_again_only_after_another(frames: list[Path], discs: DiscSegmenter) -> None:
    jobs = EngineJobs({})
    for path, images, uses in ((frames[0], 1, 1), (frames[0], 1, 1), (frames[1], 2, 2), (frames[0], 2, 3)):
        run(jobs.prepare(path))
        assert (discs.images, discs.uses) == (images, uses)


def test_a_frame_that_is_encoded_ahead_leaves_the_one_in_use_and_its_click_needs_no_encoding(
    frames: list[Path], discs: DiscSegmenter
) -> None:
    jobs = EngineJobs({})
    run(jobs.prepare(frames[0]))
    steps, _ = run(jobs.encode_ahead(frames[1]))
    assert steps == ["preparing 00001.jpg"]
    assert (discs.images, discs.uses) == (2, 1)
    assert jobs.encoded == {frames[0], frames[1]}
    steps, _ = run(jobs.predict(frames[1], CLICK, None))
    assert steps == ["segmenting"]
    assert discs.images == 2


def test_what_is_being_encoded_is_told_until_it_ended_or_was_cancelled(
    frames: list[Path], discs: DiscSegmenter
) -> None:
    jobs = EngineJobs({})
    run(jobs.prepare(frames[0]))
    job = jobs.encode_ahead(frames[1])
    next(job)
    assert jobs.encoding == frames[1]
    job.close()
    assert jobs.encoding is None
    assert jobs.encoded == {frames[0]}


def test_a_frame_that_was_changed_is_encoded_anew(frames: list[Path], discs: DiscSegmenter) -> None:
    cv2.imwrite(str(frames[0]), np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    jobs = EngineJobs({})
    run(jobs.predict(frames[0], CLICK, None))
    cv2.imwrite(str(frames[0]), np.full((HEIGHT, WIDTH, 3), 255, np.uint8))
    _, proposals = run(jobs.predict(frames[0], CLICK, None))
    assert proposals[0].state.mark == (255, 255, 255)


def test_a_click_prepares_what_nobody_has_prepared(frames: list[Path], discs: DiscSegmenter) -> None:
    steps, proposals = run(EngineJobs({}).predict(frames[0], CLICK, None))
    assert steps == ["loading the segmenter", "preparing 00000.jpg", "segmenting"]
    assert len(proposals) == 3
    assert discs.asked == [CLICK]


@pytest.mark.parametrize("steps_before", [0, 1, 2])
def test_a_click_that_overtakes_the_preparing_of_its_frame_does_not_prepare_it_twice(
    frames: list[Path], discs: DiscSegmenter, steps_before: int
) -> None:
    jobs = EngineJobs({})
    preparing = jobs.prepare(frames[0])
    for _ in range(steps_before):
        next(preparing)
    run(jobs.predict(frames[0], CLICK, None))
    run(preparing)
    assert discs.images == 1


@pytest.mark.parametrize("steps_before", [0, 1, 2])
def test_a_click_on_another_frame_than_is_being_prepared_is_answered_for_its_own(
    frames: list[Path], discs: DiscSegmenter, steps_before: int
) -> None:
    cv2.imwrite(str(frames[1]), np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    jobs = EngineJobs({})
    preparing = jobs.prepare(frames[0])
    for _ in range(steps_before):
        next(preparing)
    _, proposals = run(jobs.predict(frames[1], CLICK, None))
    assert proposals[0].state.mark == (0, 0, 0)
    run(preparing)
    _, proposals = run(jobs.predict(frames[0], CLICK, None))
    assert proposals[0].state.mark != (0, 0, 0)


def test_an_image_that_cannot_be_read_leaves_the_one_before_in_no_doubt(
    frames: list[Path], discs: DiscSegmenter
) -> None:
    jobs = EngineJobs({})
    run(jobs.prepare(frames[0]))
    frames[1].write_bytes(b"not a JPEG")
    with pytest.raises(ImageError, match=r"00001\.jpg"):
        run(jobs.prepare(frames[1]))
    run(jobs.prepare(frames[0]))
    assert discs.images == 1


def test_a_segmenter_that_failed_to_prepare_is_asked_again(
    frames: list[Path], discs: DiscSegmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def fail_once(image: NDArray[np.uint8], *_more: object, encode: Any = discs.encode) -> Any:
        tried.append(image.shape)
        if len(tried) == 1:
            raise EngineError("out of memory")
        return encode(image)

    monkeypatch.setattr(discs, "encode", fail_once)
    jobs = EngineJobs({})
    with pytest.raises(EngineError):
        run(jobs.prepare(frames[0]))
    run(jobs.prepare(frames[0]))
    assert tried == [(HEIGHT, WIDTH, 3)] * 2


def test_what_comes_with_a_model_is_not_searched_for_garbage_in_a_program_that_wants_it_so(
    frames: list[Path], discs: DiscSegmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(EngineJobs({}).prepare(frames[0]))
    assert gc.get_freeze_count() == 0
    set_aside()
    try:
        before, imported = gc.get_freeze_count(), [[number] for number in range(1000)]
        run(EngineJobs({}).prepare(frames[0]))
        assert gc.get_freeze_count() <= before  # nothing was imported: what is garbage now can still be found
        monkeypatch.setitem(sys.modules, "imported_with_a_model", types.ModuleType("imported_with_a_model"))
        run(EngineJobs({}).prepare(frames[0]))
        assert gc.get_freeze_count() >= before + len(imported) // 2
    finally:
        gc.unfreeze()


def test_a_segmenter_that_was_replaced_is_freed_at_once(frames: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "make_segmenter", lambda *_: SamSegmenter(small_sam(), name="a small SAM", key=""))
    jobs = EngineJobs({})
    run(jobs.predict(frames[0], Prompt(points=((9.0, 9.0),), includes=(True,)), None))
    parts = [weakref.ref(part) for part in (jobs._segmenter, jobs._segmenter._predictor.model, jobs._embeddings)]
    set_aside()
    gc.disable()
    try:
        run(jobs.renew("segmenter", "embedded"))
        assert [part() for part in parts] == [None, None, None]
    finally:
        gc.enable()
        gc.unfreeze()


@pytest.mark.parametrize("keeps", [True, False])
def test_embeddings_are_kept_in_files_where_that_is_wanted_and_worth_it(
    frames: list[Path], tmp_path: Path, discs: DiscSegmenter, monkeypatch: pytest.MonkeyPatch, keeps: bool
) -> None:
    options = {"embeddings": tmp_path / "kept", "keep_embeddings": keeps}
    run(EngineJobs(options).prepare(frames[0]))
    assert not (tmp_path / "kept").exists()  # these are quickly made
    monkeypatch.setattr(discs, "key", "discs-1")
    run(EngineJobs(options).prepare(frames[0]))
    assert (tmp_path / "kept").exists() == keeps
    steps, _ = run(EngineJobs(options).prepare(frames[0]))
    assert steps == ["loading the segmenter"] + ["preparing 00000.jpg"] * (not keeps)


def test_options_that_cannot_be_used_are_said_by_the_job_that_needs_them(frames: list[Path]) -> None:
    jobs = EngineJobs({"segmenter": "no such model", "propagator": "no such model"})
    assert "no such model" in jobs.missing().text
    with pytest.raises(InputError, match="no such model"):
        run(jobs.prepare(frames[0]))
    assert jobs.segmenter_name == ""


def test_the_banner_speaks_of_weights_only_where_they_are_wanted_and_missing() -> None:
    assert EngineJobs(EMBEDDED).missing() is None
    assert "embedded" in EngineJobs({}).missing().text


def test_asking_for_the_banner_imports_no_torch(frames: list[Path]) -> None:
    before = "torch" in sys.modules
    EngineJobs({}).missing()
    assert ("torch" in sys.modules) == before


def test_the_embedded_engine_finds_and_carries_the_ball(frames: list[Path], tmp_path: Path) -> None:
    jobs = EngineJobs(EMBEDDED)
    _, proposals = run(jobs.predict(frames[0], CLICK, None))
    best = max(proposals, key=lambda proposal: iou(proposal.mask, truth(BALL, 0)))
    assert iou(best.mask, truth(BALL, 0)) > 0.85
    video, store = find_videos(tmp_path / "videos")[0], AnnotationStore(tmp_path / "annotations")
    shapes = mask_to_shapes(best.mask, label="ball", object_id=1, source=MANUAL)
    store.update(video, 0, lambda frame: frame.with_object(1, shapes), WIDTH, HEIGHT)
    request = {"object_ids": (1,), "start": 0, "first": 0, "last": 3, "direction": "forward"}
    steps, _ = run(jobs.propagate(video, store, **request))
    assert steps[0] == "loading the propagator"
    assert [step.index for step in steps[1:] if isinstance(step, FrameDone)] == [0, 1, 2, 3]
    assert jobs.propagator_name.startswith("embedded")
    last = store.read(video, 3)
    assert last is not None
    assert iou(object_mask(last.shapes_of(1), HEIGHT, WIDTH), truth(BALL, 3)) > 0.8
    again, _ = run(jobs.propagate(video, store, **request))
    assert "loading the propagator" not in again


def test_a_propagation_that_is_closed_anywhere_leaves_whole_frames(frames: list[Path], tmp_path: Path) -> None:
    jobs = EngineJobs(EMBEDDED)
    video = find_videos(tmp_path / "videos")[0]
    for stop in range(1, 5):
        store = AnnotationStore(tmp_path / f"annotations{stop}")
        shapes = mask_to_shapes(truth(BALL, 0), label="ball", object_id=1, source=MANUAL)
        store.update(video, 0, lambda frame, shapes=shapes: frame.with_object(1, shapes), WIDTH, HEIGHT)
        job = jobs.propagate(video, store, object_ids=(1,), start=0, first=0, last=3, direction="forward")
        done = [next(job) for _ in range(stop)]
        job.close()
        written = {step.index for step in done if isinstance(step, FrameDone)} | {0}
        assert store.annotated_frames(video) == written


def test_another_segmenter_takes_over_at_once_and_what_cannot_be_loaded_changes_nothing(
    frames: list[Path], tmp_path: Path, discs: DiscSegmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = EngineJobs({"models": tmp_path})
    assert jobs.models_folder == tmp_path
    run(jobs.prepare(frames[0]))
    other = DiscSegmenter()
    monkeypatch.setattr("sam_annotator.engine.engines.make_segmenter", lambda *_options: other)
    assert run(jobs.renew("segmenter", "embedded"))[1] == ("segmenter", other.name)
    run(jobs.predict(frames[0], CLICK, None))
    assert (other.images, len(other.asked), discs.asked) == (1, 1, [])
    with pytest.raises(InputError):
        run(jobs.renew("propagator", "no such model"))
    with pytest.raises(EngineError, match=r"00001\.jpg cannot be read as a file of weights"):
        run(jobs.use_file(frames[1]))
    run(jobs.predict(frames[0], CLICK, None))
    assert len(other.asked) == 2
