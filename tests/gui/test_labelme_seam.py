"""What labelme must have for our window to stand on it. A labelme update that takes it away breaks here.

The lists are read off the seam's own source, so that what it leans on cannot be forgotten here.
"""

import ast
import inspect
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import labelme
import labelme.app
import labelme.config
import numpy as np
import pytest
from labelme._shape import Shape, ShapeType
from labelme.app import MainWindow
from labelme.widgets import Canvas
from packaging.version import Version
from PyQt5 import QtCore, QtGui, QtWidgets

from sam_annotator.gui import labelme_seam
from sam_annotator.gui.canvas.annotation_canvas import AnnotationCanvas
from sam_annotator.gui.canvas.shapes import LivingShape
from sam_annotator.gui.labelme_seam import LabelmeCanvas, LabelmeWindow
from sam_annotator.gui.videos.session import DRAWABLE
from sam_annotator.gui.window import AnnotationWindow

GUI = Path(labelme_seam.__file__).parent
SEAM = ast.parse(Path(labelme_seam.__file__).read_text(encoding="utf-8"))


def _classes(tree: ast.Module) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def _chain(node: ast.expr) -> list[str]:
    """`self._docks.label_list.clear` as ['self', '_docks', 'label_list', 'clear']; [] where it begins otherwise."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return [node.id, *reversed(names)] if isinstance(node, ast.Name) else []


def _chains(tree: ast.AST) -> set[tuple[str, ...]]:
    return {tuple(_chain(node)) for node in ast.walk(tree) if isinstance(node, ast.Attribute)} - {()}


def _private_chains(class_name: str) -> list[tuple[str, ...]]:
    """What the seam's class reaches through private names of `self`."""
    chains = _chains(_classes(SEAM)[class_name])
    found = {chain[1:] for chain in chains if chain[0] == "self" and len(chain) > 1 and chain[1].startswith("_")}
    return sorted(found)


def _super_names(class_name: str) -> list[str]:
    found = set()
    for node in ast.walk(_classes(SEAM)[class_name]):
        is_super = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Call) and _is_super(node.value)
        if is_super:
            found.add(node.attr)
    return sorted(found)


def _is_super(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "super"


@pytest.fixture(scope="module")
def labelmes_window(qapp: Any) -> Iterator[MainWindow]:
    """labelme's own window, nothing of ours."""
    window = MainWindow()
    window.reset_state()
    yield window
    window.deleteLater()
    qapp.sendPostedEvents(None, QtCore.QEvent.DeferredDelete)


OWN_STATE = {"_frame_files", "_bytes_of_image", "_save_has_failed"}
"""What the seam keeps for itself beside labelme's state."""


def test_labelme_is_of_the_line_that_the_seam_was_written_for() -> None:
    assert Version("6.3.1") <= Version(labelme.__version__) < Version("6.4")


@pytest.mark.parametrize("chain", _private_chains("LabelmeWindow"), ids=".".join)
def test_labelmes_window_has_the_private_name(labelmes_window: MainWindow, chain: tuple[str, ...]) -> None:
    if chain[0] in OWN_STATE:
        return
    found: Any = labelmes_window
    for name in chain:
        assert hasattr(found, name), f"{name} of {type(found).__name__}"
        found = getattr(found, name)


@pytest.mark.parametrize("chain", _private_chains("LabelmeCanvas"), ids=".".join)
def test_labelmes_canvas_has_the_private_name(qtbot: Any, chain: tuple[str, ...]) -> None:
    canvas = Canvas()
    qtbot.addWidget(canvas)
    found: Any = canvas
    for name in chain:
        assert hasattr(found, name)
        found = getattr(found, name)


@pytest.mark.parametrize("name", _super_names("LabelmeWindow"))
def test_labelmes_window_has_the_method_that_is_called_on_it(name: str) -> None:
    assert callable(getattr(MainWindow, name))


@pytest.mark.parametrize("name", _super_names("LabelmeCanvas"))
def test_labelmes_canvas_has_the_method_that_is_called_on_it(name: str) -> None:
    assert callable(getattr(Canvas, name))


def _replaced(ours: type, theirs: type) -> Iterator[str]:
    """Methods of labelme's that ours stand in the place of, in the seam and in what is built on it."""
    for cls in ours.__mro__:
        if cls is theirs:
            return
        for name, member in vars(cls).items():
            if inspect.isfunction(member) and not name.startswith("__") and inspect.isfunction(vars(theirs).get(name)):
                yield name


def _form(function: Any) -> list[tuple[str, Any]]:
    """What callers may rely on: the parameters after `self`, their kind, and whether they may be left out."""
    parameters = list(inspect.signature(function).parameters.values())[1:]
    return [(parameter.kind, parameter.default is not parameter.empty) for parameter in parameters]


@pytest.mark.parametrize("name", sorted(set(_replaced(AnnotationWindow, MainWindow))))
def test_a_method_that_replaces_one_of_labelmes_window_is_called_as_it(name: str) -> None:
    ours, theirs = getattr(AnnotationWindow, name), getattr(MainWindow, name)
    assert _form(ours) == _form(theirs)
    if not name.endswith("Event"):  # Qt passes those by place
        assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)


@pytest.mark.parametrize("name", sorted(set(_replaced(AnnotationCanvas, Canvas))))
def test_a_method_that_replaces_one_of_labelmes_canvas_is_called_as_it(name: str) -> None:
    ours, theirs = getattr(AnnotationCanvas, name), getattr(Canvas, name)
    assert _form(ours) == _form(theirs)


def test_private_methods_of_the_seam_replace_something() -> None:
    """A method with an underscore that labelme no longer calls would be dead, and its replacement missing."""
    for ours, theirs in ((LabelmeWindow, MainWindow), (LabelmeCanvas, Canvas)):
        methods = {name for name, member in vars(ours).items() if inspect.isfunction(member) and name.startswith("_")}
        assert {name for name in methods if not hasattr(theirs, name)} == set()


@pytest.mark.parametrize("name", ["load_pixmap", "copy", "load_config", "new_action", "new_icon"])
def test_labelmes_functions_take_what_we_pass(name: str) -> None:
    function = {
        "load_pixmap": Canvas.load_pixmap,
        "copy": Shape.copy,
        "load_config": labelme.config.load_config,
        "new_action": labelme_seam.new_action,
        "new_icon": labelme_seam.new_icon,
    }[name]
    parameters = list(inspect.signature(function).parameters)
    expected = {
        "load_pixmap": ["self", "pixmap", "clear_shapes"],
        "copy": ["self"],
        "load_config": ["config_file", "config_overrides"],
        "new_action": ["parent", "text", "slot", "shortcut", "icon", "tip"],
        "new_icon": ["icon_file_name"],
    }[name]
    assert parameters[: len(expected)] == expected


def test_the_place_where_the_canvas_is_put_in_is_still_there() -> None:
    assert "Canvas(" in inspect.getsource(MainWindow._setup_canvas)
    assert labelme.app.Canvas is Canvas


def test_labelmes_own_pixel_hash_has_no_other_reader_than_its_ai() -> None:
    """`load_pixmap` leaves it out, which makes frames faster."""
    readers = re.findall(r"_pixmap_hash", inspect.getsource(inspect.getmodule(Canvas)))
    assert len(readers) <= 4


def test_labelmes_undo_shows_the_very_step_that_was_kept(qtbot: Any) -> None:
    """What our steps know besides their shapes (who is not here) would be lost otherwise."""
    canvas = Canvas()
    qtbot.addWidget(canvas)
    canvas.load_shapes([])
    canvas.backup_shapes()
    step, _ = canvas.shape_backups
    canvas.restore_last_shape()
    assert canvas.shapes is step
    assert "_load_shapes(self._canvas_widgets.canvas.shapes)" in inspect.getsource(MainWindow.undo_shape_edit)
    assert "canvas.load_shapes(shapes=shapes," in inspect.getsource(MainWindow._load_shapes)


def test_a_living_shape_has_all_that_labelme_expects_of_a_copy() -> None:
    """Its `copy` shares what labelme replaces but never changes: the attributes must be those we know."""
    assert set(vars(Shape())) == {
        "label", "group_id", "points", "point_labels", "_shape_type", "fill", "selected", "visible", "flags",
        "description", "other_data", "mask", "_closed", "highlight", "rotation_highlight",
    }  # fmt: skip
    shape = LivingShape(label="swan", shape_type="polygon", flags={"reviewed": True})
    for x, y in ((0, 0), (10, 0), (10, 10)):
        shape.add_point(QtCore.QPointF(x, y))
    twin = shape.copy()
    shape.translate(QtCore.QPointF(5, 5))
    shape.insert_point(1, QtCore.QPointF(1, 1))
    shape.move_vertex(0, QtCore.QPointF(9, 9))
    shape.flags["reviewed"] = False
    assert [(point.x(), point.y()) for point in twin.points] == [(0, 0), (10, 0), (10, 10)]
    assert twin.flags == {"reviewed": True}
    assert len(twin.point_labels) == 3


@pytest.mark.parametrize("shape_type", typing.get_args(ShapeType))
def test_the_shapes_that_labelme_can_draw_are_those_that_frames_are_opened_with(qapp: Any, shape_type: str) -> None:
    def can_be_drawn(count: int) -> bool:
        shape = Shape(label="kite", shape_type=shape_type, mask=np.ones((5, 5), bool) if shape_type == "mask" else None)
        for number in range(count):
            shape.add_point(QtCore.QPointF(10 + 5 * number, 10 + number * number))
        shape.close()
        painter = QtGui.QPainter(picture := QtGui.QPixmap(60, 60))
        try:
            labelme_seam.paint_labelme_shape(shape=shape, painter=painter)
        except AssertionError:
            return False
        finally:
            painter.end()
            del picture
        return True

    counts = [count for count in range(1, 7) if shape_type != "mask" or count == 2]
    assert [count in DRAWABLE[shape_type] for count in counts] == [can_be_drawn(count) for count in counts]


def test_no_other_shape_types_are_known() -> None:
    assert set(DRAWABLE) == set(typing.get_args(ShapeType))


# --- nobody else ---------------------------------------------------------------------------------------------------

OTHERS = sorted(path for path in GUI.rglob("*.py") if path.name != "labelme_seam.py")


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.relative_to(GUI).as_posix())
def test_nobody_but_the_seam_knows_labelme(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert not any(alias.name.split(".")[0] == "labelme" for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] != "labelme"


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.relative_to(GUI).as_posix())
def test_nobody_reaches_into_the_private_names_of_another(path: Path) -> None:
    chains = _chains(ast.parse(path.read_text(encoding="utf-8")))
    reached = {chain for chain in chains for name in chain[1:] if name.startswith("_") and not name.startswith("__")}
    assert {chain for chain in reached if not (chain[0] in ("self", "cls") and _only_first_is_private(chain))} == set()


def _only_first_is_private(chain: tuple[str, ...]) -> bool:
    return not any(name.startswith("_") and not name.startswith("__") for name in chain[2:])


def test_what_is_built_on_the_seam_uses_no_private_name_of_labelmes(
    labelmes_window: MainWindow, make_annotation_window: Any
) -> None:
    driver = make_annotation_window()
    labelmes_canvas = labelmes_window._canvas_widgets.canvas
    for module, theirs in (("window", labelmes_window), ("canvas/annotation_canvas", labelmes_canvas)):
        chains = _chains(ast.parse((GUI / f"{module}.py").read_text(encoding="utf-8")))
        used = {chain[1] for chain in chains if chain[0] == "self" and len(chain) > 1 and chain[1].startswith("_")}
        assert {name for name in used if hasattr(theirs, name)} == set(), module
    assert isinstance(driver.window.canvas, AnnotationCanvas)


# --- what the seam promises ----------------------------------------------------------------------------------------


def test_labelmes_ai_widgets_are_out_of_sight_and_its_ai_cannot_be_started(
    make_annotation_window: Any, make_videos: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise AssertionError("labelme's AI was reached")

    monkeypatch.setattr(Canvas, "_get_osam_session", refuse)
    driver = make_annotation_window(make_videos("ball"))
    window = driver.window
    assert not any(
        "Ai" in type(widget).__name__ and widget.isVisible() for widget in window.findChildren(QtWidgets.QWidget)
    )
    for mode in (labelme_seam.SAM_POINTS_MODE, labelme_seam.SAM_BOX_MODE):
        window.draw_mode(mode)
        driver.click(30, 30)
        driver.drag(20, 20, 60, 60)
        driver.look(0.01)


def test_the_image_as_labelme_embeds_it_is_read_only_when_it_is_asked_for(
    make_annotation_window: Any, make_videos: Any
) -> None:
    root = make_videos("ball")
    window = make_annotation_window(root).window
    assert window._bytes_of_image is None
    assert window.image_data
    assert QtGui.QImage.fromData(window.image_data).width() == 160


def test_labelmes_settings_are_not_touched(make_annotation_window: Any, isolated_home: Path) -> None:
    window = make_annotation_window().window
    assert window.settings.organizationName() != "labelme"
    window.close()
    assert not list(isolated_home.rglob("*labelme*"))


def test_the_file_list_follows_the_video_and_can_be_searched(make_annotation_window: Any, make_videos: Any) -> None:
    driver = make_annotation_window(make_videos("ball", frames=4))
    docks = driver.window.labelme_docks
    assert docks.file_list.count() == 4
    docks.file_list.setCurrentRow(2)
    assert driver.window.session.index == 2
    docks.file_search.setText("00003")
    assert [docks.file_list.item(row).isHidden() for row in range(4)] == [True, True, True, False]
