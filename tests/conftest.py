"""What all tests share: an isolated home, real photographs, the folder of shared material where there is one."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

# The same examples in every run, so that a red run means a change. To hunt: pytest --hypothesis-profile random
settings.register_profile("random", deadline=None)
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def own_temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Locks stay when they are let go of: those of the tests lie in a folder that is removed at the end.

    Its name is short, since sockets between processes are made in it, and their paths may not be long.
    """
    tmp_path_factory.getbasetemp()  # pytest's own folders stay where people look for them
    folder = tempfile.mkdtemp(prefix="sa-tests-")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", folder)  # for processes that tests start
        patch.setattr(tempfile, "tempdir", folder)
        yield
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def isolated_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the settings, caches or checkpoints of whoever runs it."""
    home = tmp_path_factory.mktemp("home")
    for variable, folder in {
        "HOME": home,
        "XDG_CONFIG_HOME": home / ".config",
        "XDG_CACHE_HOME": home / ".cache",
        "XDG_DATA_HOME": home / ".local/share",
    }.items():
        monkeypatch.setenv(variable, str(folder))
    monkeypatch.delenv("SAM_ANNOTATOR_MODELS", raising=False)
    return home


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared measuring material beside the checkout."""
    folder = REPOSITORY.parent / "shared"
    if not folder.is_dir():
        pytest.skip("no shared material beside this checkout")
    return folder
