# make demo   the main job, end to end: films and boxes in, a served action recognizer out
# make test   the whole test suite
# make study  the rows of the paper's Table 2 on a data set of moving shapes, three seeds each
# make lint   formatting, linting and types, as CI does
# make lock   resolves the dependencies of setup.cfg anew
#
# make coverage   the tests, and in docs/coverage.md what they do not run, with the reasons
# make docs       makes the library's reference of its docstrings, in build/api
# make docs-test  types every command and code block of the documentation, in small
# make package    the wheel and the source distribution, in dist
#
# Each does its own set-up in .venv, which is left alone while requirements.lock stays the same.

PYTHON ?= python3
VENV := .venv
RUN := runs/demo
STUDY := runs/study
COVERAGE := build/coverage.json
BIN := $(VENV)/bin
READY := $(VENV)/ready
TEST := pytest -n 2 --dist loadfile --no-loadscope-reorder
CONFIG := configs/shapes.py:tiny_i3d_joint
DEMO_FLAGS := --config $(CONFIG) --config.data.dir $(RUN)/shards --workdir $(RUN)/train

export PYTHONUNBUFFERED := 1

.PHONY: demo study test coverage lint docs docs-test package lock clean chromium

$(READY): requirements.lock setup.cfg
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' || \
		{ echo "error: Python 3.10 to 3.13 is needed; name one by PYTHON=..."; exit 1; }
	@echo "setting up $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

# Shards of the films in the folder $(1); those that are whole are left as they are.
define write_shards
@for split in train validation; do \
	$(BIN)/python tools/prepare_dataset.py --source manifest --videos $(1)/films \
		--annotations $(1)/films/$$split.jsonl --labels $(1)/films/labels.txt \
		--boxes proposals:$(1)/films/$${split}_proposals.jsonl \
		--split $$split --output $(1)/shards --num_shards 4 --fps 8 --short_side 64 || exit 1; \
done
endef

demo: $(READY)
	@rm -rf $(RUN)
	@echo "== 1/6 render films of moving shapes"
	@$(BIN)/python tools/make_shapes.py --output $(RUN)/films --train_videos 2000 \
		--val_videos 300 --num_frames 16 --seed 0
	@echo "== 2/6 write shards"
	$(call write_shards,$(RUN))
	@echo "== 3/6 train"
	@$(BIN)/python tools/train.py $(DEMO_FLAGS)
	@echo "== 4/6 evaluate"
	@$(BIN)/python tools/evaluate.py $(DEMO_FLAGS) --output $(RUN) \
		--attributes $(RUN)/films/attributes_class.csv
	@echo "== 5/6 export"
	@$(BIN)/python export/export_saved_model.py $(DEMO_FLAGS) --output $(RUN)/saved_model
	@echo "== 6/6 predict"
	@film=$$(ls $(RUN)/films/videos/validation-* | head -n 1) && \
		$(BIN)/python tools/predict.py --saved_model $(RUN)/saved_model --video $$film \
			--boxes proposals:$(RUN)/films/validation_proposals.jsonl
	@echo "== done: $(RUN) holds films, shards, checkpoints, report.html and saved_model/1"

study: $(READY)
	@[ -f $(STUDY)/films/labels.txt ] || $(BIN)/python tools/make_shapes.py --output $(STUDY)/films \
		--train_videos 3000 --val_videos 500 --num_frames 16 --seed 0
	$(call write_shards,$(STUDY))
	@$(BIN)/python tools/study.py --config configs/shapes.py --data $(STUDY)/shards \
		--attributes $(STUDY)/films/attributes_class.csv --output $(STUDY)/rows

# Tests of pages open them in Chromium.
chromium:
	@for name in chromium chromium-browser google-chrome; do \
		command -v $$name >/dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing chromium"; apt-get update -qq && \
		apt-get install -qq -y --no-install-recommends chromium >/dev/null; \
	else echo "error: install Chromium (Debian: apt-get install chromium)"; exit 1; fi

test: $(READY) chromium
	$(BIN)/python -m $(TEST)

coverage: $(READY) chromium
	@mkdir -p build
	@$(BIN)/coverage erase
	$(BIN)/coverage run -m $(TEST)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage json --quiet -o $(COVERAGE)
	@$(BIN)/python -m tests.uncovered $(COVERAGE) docs/coverage.md

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(READY)
	$(BIN)/python docs/make_reference.py --output build/api

docs-test: $(READY)
	$(BIN)/python tests/docs/run_pages.py

package: $(READY)
	$(BIN)/python -m build

lock:
	@$(PYTHON) -m venv .lock-venv
	@.lock-venv/bin/python -m pip install --quiet uv
	@.lock-venv/bin/uv pip compile --quiet --universal --python-version 3.10 --no-header \
		--constraint constraints.txt setup.cfg --extra test --output-file requirements.lock
	@rm -rf .lock-venv

clean:
	rm -rf $(VENV) runs build dist *.egg-info .mypy_cache
