# make run    talk to it            make demo   ask it a recorded question, keep the answer
# make test   everything CI runs    make check  lint and types alone
# make train  mini, from nothing    make bench  the figures in the README

SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
MINI := training/runs/mini
HOURS ?= 3

.PHONY: run demo test check train bench lock clean

run: .venv/run libportaudio2.deb
	$(BIN)/python run_local.py

demo: .venv/run
	@mkdir -p out
	$(BIN)/python run_local.py --model mini --input docs/question.wav --fast --output out/answer.wav --events out/events.jsonl
	@echo "the answer is in out/answer.wav"

test: .venv/dev libportaudio2.deb flite.deb espeak-ng.deb pulseaudio.deb pulseaudio-utils.deb libasound2-plugins.deb
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

check: .venv/dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

train: .venv/dev flite.deb espeak-ng.deb
	$(BIN)/python -m training --run $(MINI) --hours $(HOURS)

bench: .venv/dev flite.deb espeak-ng.deb
	$(BIN)/python -m bench.encoder --model mini
	$(BIN)/python -m bench.latency --model mini --questions 50
	$(BIN)/python -m bench.gpu

# The virtual environment: `run` has what talking needs, `dev` also what testing and training need.
# Versions are those of requirements.lock, which resolve together.
define requirements
$(BIN)/python -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; print(*p["dependencies"], *($(1)), sep="\n")'
endef

.venv/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "voicechat needs Python 3.11 or newer: install it, then make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "this Python cannot make a virtual environment: apt-get install python3-venv" >&2; exit 1; }
	@touch $@

.venv/run: pyproject.toml requirements.lock | .venv/made
	$(call requirements,) > .venv/wanted.txt
	$(BIN)/pip install --quiet --disable-pip-version-check $(PIP_OPTIONS) -c requirements.lock -r .venv/wanted.txt
	@touch $@

.venv/dev: pyproject.toml requirements.lock | .venv/made
	$(call requirements,p["optional-dependencies"]["dev"]) > .venv/wanted.txt
	$(BIN)/pip install --quiet --disable-pip-version-check $(PIP_OPTIONS) -c requirements.lock -r .venv/wanted.txt
	@touch $@ .venv/run

# A Debian package, installed where it is missing and may be; where it may not, a line that says what to do.
%.deb:
	@dpkg -s $* >/dev/null 2>&1 || \
	if [ "$$(id -u)" = 0 ]; then (apt-get install -y -qq --no-install-recommends $* || (apt-get update -qq && apt-get install -y -qq --no-install-recommends $*)) >/dev/null; \
	elif sudo -n true 2>/dev/null; then sudo apt-get update -qq && sudo apt-get install -y -qq --no-install-recommends $* >/dev/null; \
	else echo "the package $* is missing and this user may not install it: sudo apt-get install $*" >&2; fi

lock: .venv/dev
	$(BIN)/pip freeze | sed 's/+cpu$$//' > requirements.lock

clean:
	rm -rf .venv out .mypy_cache .ruff_cache .pytest_cache .hypothesis
