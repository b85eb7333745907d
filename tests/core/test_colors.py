"""The colours of objects as plain numbers; how they look together is tested with the window's."""

from sam_annotator.core.colors import object_rgb


def test_colours_are_bytes_and_always_the_same() -> None:
    assert object_rgb(1) == (56, 180, 249)
    assert all(0 <= value <= 255 for object_id in range(-5, 300) for value in object_rgb(object_id))


def test_what_has_no_id_is_grey() -> None:
    assert len(set(object_rgb(None))) == 1
