"""The window: labelme's main window and canvas, extended; the engine thread. Its parts have rooms of their own."""
