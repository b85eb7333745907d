"""The objects that a run is asked to carry on, and what there is of them; or why there is nothing to carry."""

from collections.abc import Generator

from sam_annotator.core.errors import AnnotationError, InputError
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.tracks import Track, VideoTracks
from sam_annotator.core.videos import Video
from sam_annotator.engine.planning import PropagationRequest


def tracks_to_carry(
    video: Video, store: AnnotationStore, request: PropagationRequest
) -> Generator[str, None, dict[int, Track]]:
    """The tracks of the objects asked for. Raises InputError if the request cannot be carried out."""
    if not 0 <= request.first <= request.start <= request.last < len(video):
        raise InputError(
            f"{video.name} has the frames 0 to {len(video) - 1}: a run from frame {request.start} cannot fill "
            f"frames {request.first} to {request.last}. Choose a range of the video that holds the frame to start at."
        )
    known = yield from read_tracks(video, store)
    tracks = {track.object_id: track for track in known.tracks() if track.object_id in request.object_ids}
    frames = set().union(*request.passes)
    if request.start in known.problems:
        raise AnnotationError(known.problems[request.start])
    if not any(request.start in track.known_frames or track.key_frames & frames for track in tracks.values()):
        raise InputError(_nothing_to_carry(video, request, frames))
    return tracks


def read_tracks(video: Video, store: AnnotationStore) -> Generator[str, None, VideoTracks]:
    """Read all annotations of a video, yielding what is being done."""
    known = VideoTracks()
    for done in known.scan(video, store):
        yield f"reading annotations: {done}"
    return known


def _nothing_to_carry(video: Video, request: PropagationRequest, frames: set[int]) -> str:
    ids = ", ".join(str(object_id) for object_id in request.object_ids)
    who = f"object {ids} has no mask" if len(request.object_ids) == 1 else f"none of the objects {ids} has a mask"
    start, first, last = (video.frame_paths[i].name for i in (request.start, min(frames), max(frames)))
    return (
        f"Nothing to propagate in {video.name}: {who} in {start}, and no key frame from {first} to {last}. "
        "Draw or accept a mask in the frame to start from."
    )
