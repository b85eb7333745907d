"""The window: labelme's main window and canvas, extended; the engine thread."""
