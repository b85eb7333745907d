"""labelme is the judge: it opens what we write and keeps our facts, and we read what it and others wrote."""

import base64
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sam_annotator.core.annotation import MANUAL, Shape, encode_annotation, read_annotation, write_annotation
from sam_annotator.core.images import image_size
from tests.core.annotation_examples import TRIANGLE, a_frame, document_of, read_document, ring


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Image.new("RGB", (64, 48), (90, 120, 60)).save(tmp_path / "00000.jpg")
    return tmp_path


def test_labelmes_own_reader_opens_what_we_write(folder: Path) -> None:
    from labelme._label_file import read_label_file

    write_annotation(folder / "00000.json", a_frame())
    theirs = read_label_file(str(folder / "00000.json"))
    assert theirs.image_path == "00000.jpg"
    assert theirs.flags == {"blurred": False}
    assert theirs.other_data == {
        "propagated": [2, 7],
        "absent": [4, 7],
        "camera": {"name": "é", "lens": [1, 2.5, None]},
    }
    swan, duck, reed = theirs.shapes
    assert [tuple(point) for point in swan["points"]] == list(TRIANGLE)
    assert swan["other_data"] == {"source": "sam", "score": 0.93}
    assert np.array_equal(duck["mask"], ring())
    assert (duck["group_id"], reed["shape_type"], reed["group_id"]) == (2, "rectangle", None)


LABELME_SAVES_AGAIN = """
import sys
from PyQt5 import QtWidgets
application = QtWidgets.QApplication(sys.argv[:1])
from labelme.app import MainWindow
window = MainWindow(config_overrides={"with_image_data": False}, file_or_dir=sys.argv[1])
assert len(window._docks.label_list) == int(sys.argv[2])
assert window.save_labels(sys.argv[1])
"""


def test_what_labelmes_window_saves_again_keeps_our_facts(folder: Path) -> None:
    path = folder / "00000.json"
    write_annotation(path, a_frame())
    command = [sys.executable, "-c", LABELME_SAVES_AGAIN, str(path), "3"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    assert path.read_bytes() != encode_annotation(a_frame())  # it is theirs
    assert replace(read_annotation(path), version=a_frame().version) == a_frame()


def test_files_of_old_labelme_versions_are_read_and_stay_readable_to_labelme(shared: Path, tmp_path: Path) -> None:
    from labelme._label_file import read_label_file

    examples = sorted((shared / "labelme_example" / "data_annotated").glob("*.json"))
    assert len(examples) == 5
    for example in examples:
        annotation = read_annotation(example)
        picture = example.with_name(annotation.image_path)
        (tmp_path / picture.name).write_bytes(picture.read_bytes())
        write_annotation(tmp_path / example.name, annotation)
        ours, theirs = read_label_file(str(tmp_path / example.name)), read_label_file(str(example))
        assert [(s["label"], s["points"], s["group_id"], s["flags"]) for s in ours.shapes] == [
            (s["label"], s["points"], s["group_id"], s["flags"]) for s in theirs.shapes
        ]
        assert (ours.flags, ours.other_data) == (theirs.flags, theirs.other_data)
        assert read_annotation(tmp_path / example.name) == annotation
        assert (annotation.width, annotation.height) == image_size(picture)
        assert all(shape.source == MANUAL and shape.is_protected for shape in annotation.shapes)


def test_a_file_without_sizes_is_written_so_that_labelme_still_opens_it(folder: Path) -> None:
    from labelme._label_file import read_label_file

    document = document_of(a_frame())
    del document["imageWidth"], document["imageHeight"]
    annotation = read_document(folder, document)
    assert (annotation.width, annotation.height) == (0, 0)
    write_annotation(folder / "made.json", annotation)
    assert len(read_label_file(str(folder / "made.json")).shapes) == 3


def test_embedded_images_are_kept_but_never_added(folder: Path) -> None:
    assert document_of(a_frame())["imageData"] is None
    data = base64.b64encode((folder / "00000.jpg").read_bytes()).decode()
    annotation = read_document(folder, {**document_of(a_frame()), "imageData": data})
    assert document_of(annotation)["imageData"] == data


def test_null_and_missing_facts_have_their_plain_meaning(tmp_path: Path) -> None:
    plain = {"label": "swan", "points": [[1, 2], [3, 4], [5, 7]]}
    nulls = dict.fromkeys(["group_id", "shape_type", "flags", "description", "mask", "source", "score"])
    document = {"imagePath": "0.jpg", "flags": None, "shapes": [plain, {**plain, **nulls}]}
    first, second = read_document(tmp_path, document).shapes
    assert first == second == Shape("swan", ((1.0, 2.0), (3.0, 4.0), (5.0, 7.0)))
    assert read_document(tmp_path, document).flags == {}


def test_a_path_of_windows_gets_forward_slashes(tmp_path: Path) -> None:
    annotation = read_document(tmp_path, {"imagePath": "..\\images\\0.jpg", "shapes": []})
    assert annotation.image_path == "../images/0.jpg"


def test_an_object_id_that_is_a_whole_float_is_a_whole_number(tmp_path: Path) -> None:
    document = document_of(a_frame())
    document["shapes"][0]["group_id"] = 4.0
    assert read_document(tmp_path, document).shapes[0].object_id == 4
