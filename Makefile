# One way to do each thing. `make` alone lists them; the first one that needs it sets everything up in .venv.
#
#   PYTHON=python3.12   which Python makes the environment (3.10 or newer)
#   VENV=/some/where    where it is (.venv)
#   VIDEOS=/data/videos what `make run` opens (sample videos)
#   TESTS=tests/core    what `make test` runs (all)

PYTHON ?= python3
VENV ?= .venv
VIDEOS ?=
TESTS ?=

PY := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev
OFF_SCREEN := QT_QPA_PLATFORM=offscreen
MAKE_QUIETLY = $(MAKE) --no-print-directory
# Only Linux says by variables whether there is a display.
HAS_DISPLAY = [ "$$(uname -s)" != Linux ] || [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ]

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run window demo test lint bench pictures clean python libraries-window libraries-off-screen

help:
	@echo "make run      open the window on sample videos, or on yours: make run VIDEOS=/data/videos"
	@echo "make demo     let the program do the whole job by itself, off-screen; pictures in demo-output/"
	@echo "make test     run all tests (some: make test TESTS=tests/core)"
	@echo "make lint     check style, types and layers"
	@echo "make bench    measure what needs nothing from outside"
	@echo "make pictures make README's pictures anew, from the demonstration"
	@echo "make clean    remove the environment and caches; samples and annotations stay"
	@echo
	@echo "Each sets up what it needs first, in $(VENV); PYTHON=python3.12 chooses the Python."

run: $(INSTALLED)
	@if $(HAS_DISPLAY); then \
	    $(MAKE_QUIETLY) libraries-window && $(MAKE_QUIETLY) window; \
	else \
	    $(MAKE_QUIETLY) libraries-window || true; \
	    echo "There is no display here (neither DISPLAY nor WAYLAND_DISPLAY is set), so no window can open."; \
	    echo "Instead, the program shows off-screen what it does:"; \
	    $(MAKE_QUIETLY) demo && echo "The results lie in demo-output: pictures, annotations, dataset, summary.txt."; \
	fi

window:
ifeq ($(strip $(VIDEOS)),)
	@$(PY) -m sam_annotator samples samples
	@$(PY) -m sam_annotator samples/videos
else
	@$(PY) -m sam_annotator "$(VIDEOS)"
endif

demo: $(INSTALLED) libraries-off-screen
	@$(OFF_SCREEN) $(PY) -m sam_annotator demo demo-output

test: $(INSTALLED_DEV) libraries-off-screen
	@$(OFF_SCREEN) $(PY) -m pytest -n auto --maxprocesses 4 --dist loadfile $(TESTS)

lint: $(INSTALLED_DEV)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -c "from importlinter.cli import lint_imports_command; lint_imports_command()"

bench: $(INSTALLED) libraries-off-screen
	@$(OFF_SCREEN) $(PY) benchmarks/bench_window.py
	@$(OFF_SCREEN) $(PY) benchmarks/bench_sam.py

pictures: demo
	@$(PY) tools/pictures.py demo-output docs/pictures

clean:
	rm -rf $(VENV) build dist sam_annotator.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find sam_annotator tests benchmarks tools -type d -name __pycache__ -prune -exec rm -rf {} +

# The environment is made anew when what it holds is asked for differently. The stamp comes last: an interrupted
# installation goes on at the next call.
$(INSTALLED): setup.py requirements.txt | python
	@"$(PYTHON)" tools/set_up.py environment "$(VENV)"
	@touch $@

$(INSTALLED_DEV): setup.py requirements.txt | python
	@"$(PYTHON)" tools/set_up.py environment "$(VENV)" --dev
	@touch $(INSTALLED) $@

python:
	@"$(PYTHON)" -c "import sys; sys.exit(sys.version_info < (3, 10))" || { \
	    echo "$(PYTHON) is not there, or older than 3.10. Name another: make PYTHON=python3.12 ..." >&2; exit 1; }

libraries-window libraries-off-screen: libraries-%: | python
	@"$(PYTHON)" tools/set_up.py libraries "$(VENV)" --for $*
