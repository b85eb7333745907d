"""Keys: both presets do what the table in DESIGN.md says, no key means two things, and a person can change them."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from PyQt5 import QtTest, QtWidgets
from PyQt5.QtCore import Qt

from sam_annotator.core.annotation import REVIEWED
from sam_annotator.core.errors import InputError
from sam_annotator.gui.driver import Driver
from sam_annotator.gui.labelme_seam import SAM_BOX_MODE, SAM_POINTS_MODE
from sam_annotator.gui.settings.keymaps import OWN_KEYS, PRESETS, create_settings_file, load_settings, settings_file
from sam_annotator.gui.settings.keys_dialog import KeysDialog
from tests.gui.scene import DiscSegmenter, ball_centre

Window = Callable[..., Driver]
Videos = Callable[..., Path]

SHARED = {"Ctrl+Z"}  # labelme's two undos, never enabled together


def write_settings(content: object) -> Path:
    path = settings_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return path


def keys_of(window: QtWidgets.QWidget, only_enabled: bool = False) -> dict[str, list[QtWidgets.QAction]]:
    found = defaultdict(list)
    for action in window.findChildren(QtWidgets.QAction):
        for sequence in action.shortcuts():
            if action.isEnabled() or not only_enabled:
                found[sequence.toString()].append(action)
    return found


def clashes(window: QtWidgets.QWidget, only_enabled: bool = False) -> dict[str, list[str]]:
    keys = keys_of(window, only_enabled)
    return {key: [action.text() for action in actions] for key, actions in keys.items() if len(actions) > 1}


def accept(driver: Driver, category: str = "ball") -> None:
    driver.click(*ball_centre(0))
    driver.proposals()
    driver.press(Qt.Key_Return)
    driver.name(category)


# --- the presets -------------------------------------------------------------------------------------------------


@pytest.fixture(params=PRESETS)
def preset(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def driver(preset: str, make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter) -> Driver:
    return make_annotation_window(make_videos("ball", frames=25), keymap=preset)


def test_no_key_of_a_preset_means_two_things(driver: Driver) -> None:
    assert set(clashes(driver.window)) <= SHARED


def test_no_key_means_two_things_in_any_state_of_work(driver: Driver) -> None:
    window = driver.window
    driver.click(*ball_centre(0))
    driver.proposals()
    assert not clashes(window, only_enabled=True)
    driver.press(Qt.Key_Return)
    driver.name("ball")
    assert not clashes(window, only_enabled=True)
    driver.press(Qt.Key_E)
    window.canvas.select_shapes(window.listed_shapes())
    assert not clashes(window, only_enabled=True)
    driver.press(Qt.Key_N, Qt.ControlModifier)
    for place in ((5, 5), (40, 5), (40, 40)):
        driver.click(*place)
    assert window.canvas.is_drawing
    assert not clashes(window, only_enabled=True)
    driver.press(Qt.Key_Escape)
    assert not clashes(window, only_enabled=True)


def test_frames_are_stepped_by_their_keys(driver: Driver, preset: str) -> None:
    on, back = {"labelme": (Qt.Key_D, Qt.Key_A), "classic": (Qt.Key_N, Qt.Key_B)}[preset]
    seen = []
    for key, modifiers in (
        (on, Qt.NoModifier), (Qt.Key_Right, Qt.NoModifier), (back, Qt.NoModifier), (Qt.Key_Left, Qt.NoModifier),
        (Qt.Key_Right, Qt.ShiftModifier), (Qt.Key_End, Qt.NoModifier), (on, Qt.NoModifier),
        (Qt.Key_Left, Qt.ShiftModifier), (Qt.Key_Home, Qt.NoModifier), (back, Qt.NoModifier),
    ):  # fmt: skip
        driver.press(key, modifiers)
        seen.append(driver.window.session.index)
    assert seen == [1, 2, 1, 0, 10, 24, 24, 14, 0, 0]


def test_tools_are_chosen_by_their_keys(driver: Driver, preset: str) -> None:
    canvas = driver.window.canvas
    driver.press(Qt.Key_W)
    assert canvas.create_mode == SAM_BOX_MODE
    driver.press(Qt.Key_Q)
    assert canvas.create_mode == SAM_POINTS_MODE
    driver.press(Qt.Key_E)
    assert not canvas.is_creating
    driver.press(Qt.Key_Q)
    driver.press(Qt.Key_J, Qt.ControlModifier)
    assert canvas.is_creating == (preset == "classic")


def test_proposals_are_chosen_by_their_keys(driver: Driver) -> None:
    tool = driver.window.sam_tool
    driver.click(*ball_centre(0))
    driver.proposals()
    seen = []
    for key in (Qt.Key_3, Qt.Key_2, Qt.Key_1, Qt.Key_Tab, Qt.Key_Tab, Qt.Key_Tab):
        driver.press(key)
        seen.append(tool.chosen)
    assert seen == [2, 1, 0, 1, 2, 0]


@pytest.mark.parametrize("key", [(Qt.Key_Z, Qt.NoModifier), (Qt.Key_Z, Qt.ControlModifier)])
def test_clicks_are_taken_back_by_z_and_ctrl_z(driver: Driver, key: tuple[Qt.Key, Qt.KeyboardModifier]) -> None:
    canvas = driver.window.canvas
    driver.click(40, 44)
    driver.proposals()
    driver.click(50, 44, include=False)
    driver.press(*key)
    assert canvas.prompt.points == ((pytest.approx(40, abs=0.5), pytest.approx(44, abs=0.5)),)
    driver.press(*key)
    assert not canvas.has_prompt
    driver.press(*key)  # nothing left: nothing happens


def test_a_proposal_is_accepted_by_its_keys(driver: Driver, preset: str) -> None:
    naming = driver.window.naming
    for key in (Qt.Key_Return, Qt.Key_Enter, {"labelme": Qt.Key_F, "classic": Qt.Key_A}[preset]):
        driver.click(*ball_centre(0))
        driver.proposals()
        driver.press(key)
        driver.wait(lambda: naming.dialog is not None, "the dialog for names")
        naming.dialog.reject()
        driver.press(Qt.Key_Escape)


def test_a_proposal_is_rejected_by_its_keys(driver: Driver) -> None:
    for key in (Qt.Key_Escape, Qt.Key_R):
        driver.click(*ball_centre(0))
        driver.proposals()
        driver.press(key)
        assert not driver.window.canvas.has_prompt
        assert not driver.window.sam_tool.proposals


def test_objects_are_selected_approved_and_deleted_by_their_keys(driver: Driver, preset: str) -> None:
    window = driver.window
    accept(driver, "ball")
    driver.click(*ball_centre(0))
    driver.proposals()
    driver.press(Qt.Key_Return)
    window.naming.dialog.object.setCurrentIndex(0)  # a new object
    driver.name("brick")
    assert window.view.object_ids() == {1, 2}
    seen = []
    driver.press(Qt.Key_E)
    for key in (Qt.Key_BracketRight, Qt.Key_BracketRight, Qt.Key_BracketLeft):
        driver.press(key)
        seen.append(window.objects_panel.current_id())
    assert seen == [1, 2, 1]
    driver.press(Qt.Key_K)
    assert [shape.object_id for shape in window.session.base.shapes if shape.flags.get(REVIEWED)] == [1]
    driver.press({"labelme": Qt.Key_Delete, "classic": Qt.Key_D}[preset])
    assert window.session.base.object_ids() == (2,)
    driver.press(Qt.Key_Z, Qt.ControlModifier)
    driver.press(Qt.Key_BracketRight)
    driver.press(Qt.Key_Delete)
    assert len(window.session.base.object_ids()) == 1


def test_space_starts_a_propagation_pauses_it_and_goes_on(driver: Driver) -> None:
    run = driver.window.propagation
    accept(driver)
    driver.press(Qt.Key_Space)
    assert run.is_running
    driver.press(Qt.Key_Space)
    assert run.is_paused or not run.is_running
    if run.is_running:
        driver.press(Qt.Key_Space)
    assert not run.is_paused
    run.cancel()
    driver.propagation(60)


def test_x_says_that_no_frame_is_doubtful(driver: Driver) -> None:
    accept(driver)
    driver.press(Qt.Key_X)
    assert "doubtful" in driver.window.statusBar().currentMessage()
    assert driver.window.session.index == 0


def test_saving_by_key_writes_what_autosave_was_told_not_to(driver: Driver, preset: str) -> None:
    window = driver.window
    window.labelme_actions.save_auto.setChecked(False)
    for key, modifiers in (
        (Qt.Key_S, Qt.ControlModifier),
        *([(Qt.Key_S, Qt.NoModifier)] if preset == "classic" else []),
    ):
        accept(driver)
        assert window.is_dirty
        driver.press(key, modifiers)
        assert not window.is_dirty
        assert window.annotation_path().exists()
        window.annotation_path().unlink()


def test_arrow_keys_move_what_is_selected_and_step_otherwise(driver: Driver) -> None:
    window = driver.window
    accept(driver)
    driver.press(Qt.Key_E)
    driver.press(Qt.Key_BracketRight)
    before = window.session.base.shapes[0].points
    driver.press(Qt.Key_Right)
    assert window.session.index == 0
    assert window.session.base.shapes[0].points[0][0] > before[0][0]
    window.canvas.deselect_shape()
    driver.press(Qt.Key_Right)
    assert window.session.index == 1


def test_the_list_of_keys_names_every_key_of_the_preset(driver: Driver) -> None:
    driver.window.show_keys()
    dialog = driver.window.findChild(KeysDialog)
    text = " ".join(label.text() for label in dialog.labels)
    assert (dialog.width() <= 1280, dialog.height() <= 740) == (True, True)  # a screen of 1280x800, less its bars
    button = dialog.findChild(QtWidgets.QDialogButtonBox).buttons()[0]
    assert dialog.rect().contains(button.geometry().translated(button.parentWidget().pos()))
    QtTest.QTest.mouseClick(button, Qt.LeftButton)
    for gesture in ("Ctrl+left click", "Alt+wheel", "right click", "drag", "[  ]"):
        assert gesture in text
    for name, keys in keys_of(driver.window).items():
        if keys[0].text():
            assert keys[0].shortcuts()[0].toString(keys[0].shortcuts()[0].NativeText) in text, name


# --- the settings file -------------------------------------------------------------------------------------------


def test_without_a_settings_file_the_preset_stands(preset: str) -> None:
    settings = load_settings(preset)
    assert settings.keys == {name: presets[PRESETS.index(preset)] for name, presets in OWN_KEYS.items()}


def test_a_settings_file_changes_keys_of_ours_and_of_labelme(
    make_annotation_window: Window, make_videos: Videos
) -> None:
    write_settings({"shortcuts": {"next_frame": "J", "sam_box": ["Y", "Ctrl+B"], "create_polygon": "P", "save": None}})
    driver = make_annotation_window(make_videos("ball"), keymap="labelme")
    keys = {key: [action.text() for action in actions] for key, actions in keys_of(driver.window).items()}
    assert keys["J"] == ["Next frame"]
    assert keys["Ctrl+B"] == keys["Y"] == ["SAM box"]
    assert keys["P"] == ["Polygon"]
    assert not {"D", "W", "Ctrl+N", "Ctrl+S"} & set(keys)
    driver.press(Qt.Key_J)
    assert driver.window.session.index == 1


@pytest.mark.parametrize(
    ("shortcuts", "key", "gets_it"),
    [
        ({"next_frame": "E"}, "E", "Next frame"),
        ({"create_polygon": "d"}, "D", "Polygon"),
        ({"duplicate_shape": "ctrl+j"}, "Ctrl+J", "Duplicate Shapes"),
        ({"propagate": "Del"}, "Del", "Propagate"),
    ],
)
def test_a_key_that_a_person_gives_away_is_taken_from_who_had_it(
    make_annotation_window: Window, shortcuts: Mapping[str, str], key: str, gets_it: str
) -> None:
    write_settings({"shortcuts": dict(shortcuts)})
    driver = make_annotation_window(keymap="labelme")
    assert set(clashes(driver.window)) <= SHARED
    assert [action.text() for action in keys_of(driver.window)[key]] == [gets_it]


def test_other_settings_are_labelmes(make_annotation_window: Window) -> None:
    write_settings({"canvas": {"num_backups": 3}, "epsilon": 4.0})
    driver = make_annotation_window()
    assert driver.window.config["canvas"]["num_backups"] == 3
    assert driver.window.config["canvas"]["double_click"] == "close"
    assert driver.window.config["epsilon"] == 4.0


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("shortcuts: [unclosed", "cannot be read"),
        ("- a\n- list\n", "schema"),
        ("shortcuts: [next_frame]", "schema"),
        ("just words", "schema"),
        ("shortcuts: {fly: F}", "fly"),
        ("colour: blue", "colour"),
        ("canvas: 3", "canvas"),
        ("validate_label: perhaps", "validate_label"),
        ("shortcuts: {next_frame: J, previous_frame: j}", "both next_frame and previous_frame"),
    ],
)
def test_a_settings_file_that_cannot_be_used_is_one_sentence_with_its_name(content: str, why: str) -> None:
    path = write_settings(content)
    with pytest.raises(InputError) as caught:
        load_settings("labelme")
    assert str(path) in str(caught.value)
    assert why in str(caught.value)


def test_a_settings_file_of_bytes_that_are_no_text_is_one_sentence() -> None:
    path = write_settings("")
    path.write_bytes(b"\xff\xfe\x00shortcuts")
    with pytest.raises(InputError, match="cannot be read"):
        load_settings("labelme")


@pytest.mark.parametrize("content", ["", "# nothing but a comment\n", "shortcuts:\n"])
def test_an_empty_settings_file_changes_nothing(content: str, isolated_home: Path) -> None:
    before = load_settings("classic")
    write_settings(content)
    assert load_settings("classic") == before


def test_the_settings_file_that_is_made_names_every_key_and_changes_none(preset: str) -> None:
    before = load_settings(preset)
    path = create_settings_file(preset)
    assert load_settings(preset) == before
    lines = [
        line.removeprefix("#") for line in path.read_text().splitlines() if line.startswith(("#   ", "# shortcuts"))
    ]
    offered: dict[str, Any] = yaml.safe_load("\n".join(line.removeprefix(" ") for line in lines))
    assert {name: tuple(keys) for name, keys in offered["shortcuts"].items()} == before.keys
    path.write_text("epsilon: 5\n")
    assert create_settings_file(preset).read_text() == "epsilon: 5\n"


def test_the_preset_is_remembered(make_annotation_window: Window) -> None:
    make_annotation_window(keymap="classic").window.close()
    assert "N" in keys_of(make_annotation_window().window)
