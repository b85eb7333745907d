"""Our own actions, and where they and labelme's stand in menus and toolbars."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from PyQt5 import QtCore, QtWidgets

from sam_annotator.gui.canvas.editing import toggle_key_frame
from sam_annotator.gui.exchange import open_export, open_import
from sam_annotator.gui.labelme_seam import SAM_BOX_MODE, SAM_POINTS_MODE, LabelmeToolBar, new_action, new_icon
from sam_annotator.gui.objects.categories_dialog import edit_categories
from sam_annotator.gui.settings.about import add_about
from sam_annotator.gui.settings.first_steps import add_first_steps
from sam_annotator.gui.settings.keymaps import Keys
from sam_annotator.gui.tools.brush import brush_icon

if TYPE_CHECKING:
    from sam_annotator.gui.canvas.annotation_canvas import AnnotationCanvas
    from sam_annotator.gui.tools.sam import SamTool
    from sam_annotator.gui.window import AnnotationWindow

Actions = dict[str, QtWidgets.QAction]

_FAR = 10**9


def build_actions(window: "AnnotationWindow", keys: Mapping[str, Keys]) -> Actions:
    """Our actions by the names of `keymaps.OWN_KEYS`, with their keys."""
    actions: Actions = {}

    def add(name: str, text: str, slot: Callable[[], object], tip: str = "", icon: str | None = None) -> None:
        action = new_action(window, text, lambda _checked=False: slot(), list(keys[name]), icon, tip or text)
        action.setToolTip(_with_keys(tip or text, keys[name]))
        actions[name] = action

    add("next_frame", "Next frame", lambda: window.step_frame(1), icon="phosphor/arrow-fat-right.svg")
    add("previous_frame", "Previous frame", lambda: window.step_frame(-1), icon="phosphor/arrow-fat-left.svg")
    add("forward_10", "10 frames on", lambda: window.step_frame(10))
    add("back_10", "10 frames back", lambda: window.step_frame(-10))
    add("first_frame", "First frame", lambda: window.step_frame(-_FAR))
    add("last_frame", "Last frame", lambda: window.step_frame(_FAR))
    add("next_video", "Next video", lambda: window.navigator.step_video(1))
    add("previous_video", "Previous video", lambda: window.navigator.step_video(-1))
    add(
        "sam_points", "SAM points", lambda: window.hand.choose_tool(SAM_POINTS_MODE),
        "Click on an object; right click takes away; drag a box. What is selected is taken up again", "ai-points.svg",
    )  # fmt: skip
    add(
        "sam_box", "SAM box", lambda: window.hand.choose_tool(SAM_BOX_MODE),
        "Drag a box around an object", "ai-box.svg",
    )  # fmt: skip
    add(
        "brush", "Brush", window.brush.choose,
        "Paint the mask of the object that is chosen, or of a new one; right button or Shift takes away",
    )  # fmt: skip
    actions["brush"].setIcon(brush_icon())
    add("undo_click", "Take the last click back", window.canvas.undo_prompt)
    for number in (1, 2, 3):
        add(f"proposal_{number}", f"Proposal {number}", lambda number=number: window.sam_tool.choose(number - 1))
    add("next_proposal", "Next proposal", window.sam_tool.choose_next)
    add("accept", "Accept proposal", window.accept_proposal, "Accept the mask and name the object")
    add("reject", "Reject proposal", window.hand.reject, "Forget the clicks; again: what is in hand")
    add(
        "go_on", "Go on with this object", window.hand.go_on,
        "Accept the mask, and take its object along to the next frame, where the next click is about it",
    )  # fmt: skip
    add(
        "propagate", "Propagate", window.toggle_propagation,
        "Carry the masks of the checked objects through the video; again: pause", "phosphor/arrow-fat-right.svg",
    )  # fmt: skip
    add(
        "repair", "Repair", lambda: window.propagation_panel.repair(),  # noqa: PLW0108  it is made later
        "Carry what was corrected in this frame on anew, both ways, until the masks agree with the old ones",
    )  # fmt: skip
    actions["propagate"].setIcon(window.style().standardIcon(QtWidgets.QStyle.SP_MediaPlay))
    add(
        "take_back", "Take propagation back", window.take_propagation_back,
        "Undo the last propagation of this video as one step; what you did since stays", "phosphor/arrow-u-up-left.svg",
    )  # fmt: skip
    add(
        "key_frame", "Key frame", lambda: toggle_key_frame(window),
        "Approve the objects of this frame (the selected ones, if any): propagation will not change them",
    )  # fmt: skip
    add("next_object", "Next object", lambda: window.objects_panel.step(1))
    add("previous_object", "Previous object", lambda: window.objects_panel.step(-1))
    add("next_doubtful", "Next doubtful frame", window.go_to_doubtful)
    add("categories", "Categories…", lambda: edit_categories(window), "Add, rename, remove and order categories")
    add("export", "Export a dataset…", lambda: open_export(window), "YouTube-VIS, PNG masks or COCO from this folder")
    add("import", "Import a dataset…", lambda: open_import(window), "Annotations of these videos from a dataset")
    return actions


def show_prompt_state(actions: Actions, canvas: "AnnotationCanvas", tool: "SamTool") -> None:
    """Keys of the SAM tool mean something only while it has something to act on."""
    actions["undo_click"].setEnabled(canvas.has_prompt)
    actions["reject"].setEnabled(canvas.has_prompt or tool.in_hand is not None or canvas.is_brushing)
    actions["accept"].setEnabled(canvas.has_prompt)  # too early, it says so
    for name in ("proposal_1", "proposal_2", "proposal_3", "next_proposal"):
        actions[name].setEnabled(bool(tool.proposals))


def build_menus(window: "AnnotationWindow", actions: Actions) -> None:
    """Add our menus to labelme's."""
    bar, help_action = window.menuBar(), window.labelme_menus.help.menuAction()
    video = QtWidgets.QMenu("&Video", window)
    names = ("next_frame", "previous_frame", "forward_10", "back_10", "first_frame", "last_frame")
    _fill(
        video,
        actions,
        (*names, None, "next_doubtful", None, "next_video", "previous_video", None, "propagate", "repair", "take_back"),
    )
    objects = QtWidgets.QMenu("&Object", window)
    prompts = ("sam_points", "sam_box", "undo_click", "proposal_1", "proposal_2", "proposal_3", "next_proposal")
    prompts += ("accept", "reject", "go_on", None, "brush")
    _fill(objects, actions, (*prompts, None, "key_frame", "next_object", "previous_object", None, "categories"))
    bar.insertMenu(help_action, video)
    bar.insertMenu(help_action, objects)
    add_first_steps(window)
    window.labelme_menus.help.addAction(new_action(window, "Keys", window.show_keys))
    window.labelme_menus.help.addAction(new_action(window, "Weights…", lambda _checked=False: window.weights.show()))
    add_about(window)
    exchange = (actions["export"], actions["import"])
    window.labelme_menus.file.insertActions(window.labelme_actions.close, exchange)
    window.labelme_menus.file.insertSeparator(window.labelme_actions.close)
    for action in (window.labelme_actions.open_next_img, window.labelme_actions.open_prev_img):
        window.labelme_menus.file.removeAction(action)  # frames are gone through in Video
    view = window.labelme_menus.view
    first = view.actions()[0]
    for dock in window.own_docks:
        view.insertAction(first, dock.toggleViewAction())
    view.insertSeparator(first)


def build_toolbars(window: "AnnotationWindow", actions: Actions) -> None:
    """The toolbar on top and the tools at the left."""
    ours = window.labelme_actions
    top = LabelmeToolBar(
        title="Tools",
        actions=[
            ours.open_dir, ours.save, ours.undo, None,
            actions["previous_frame"], actions["next_frame"], None,
            ours.delete, ours.edit, ours.brightness_contrast, None,
            ours.fit_window, ours.zoom_widget_action, None, actions["propagate"],
        ],
        font_base=window.font(),
    )  # fmt: skip
    drawing = [action for mode, action in ours.draw if not mode.startswith("ai_")]
    left = LabelmeToolBar(
        title="CreateShapeTools",
        actions=[actions["sam_points"], actions["sam_box"], actions["brush"], None, ours.edit_mode, None, *drawing],
        orientation=QtCore.Qt.Vertical,
        font_base=window.font(),
    )
    window.addToolBar(QtCore.Qt.TopToolBarArea, top)
    window.addToolBar(QtCore.Qt.LeftToolBarArea, left)


def replace_labelme_ai(window: "AnnotationWindow", actions: Actions) -> None:
    """Our SAM tools stand where labelme's AI tools stood, in its menus and in its modes."""
    theirs = window.labelme_actions
    for old, name in (
        (theirs.create_ai_points_to_shape_mode, "sam_points"),
        (theirs.create_ai_box_to_shape_mode, "sam_box"),
    ):
        old.setText(actions[name].text())
        old.setToolTip(actions[name].toolTip())
        old.setIcon(new_icon("ai-points.svg" if name == "sam_points" else "ai-box.svg"))
    for name in ("sam_points", "sam_box", "brush"):
        actions[name].setCheckable(True)


def _fill(menu: QtWidgets.QMenu, actions: Actions, names: tuple[str | None, ...]) -> None:
    for name in names:
        if name is None:
            menu.addSeparator()
        else:
            menu.addAction(actions[name])


def _with_keys(tip: str, keys: Keys) -> str:
    return f"{tip} ({', '.join(keys)})" if keys else tip
