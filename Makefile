# make run    the page, in a browser    make talk   in the terminal
# make demo   ask it a recorded question, keep the answer
# make test   everything CI runs        make check  lint and types alone
# make train  mini, from nothing        make bench  the figures in the README
# make clients  other people's programs against the server
# make xtts     the voice XTTS, on a tiny network (it needs a CUDA GPU to speak in earnest)
# make behaviour  how turns are taken, against what is wanted
# make soak     5,000 conversations: is the server afterwards what it was?
# make versus   the same questions to us and to a plain pipecat pipeline
# make understood   how many words a listener gets wrong of each voice, and of the demo's answer
# make fuzz   a million messages of rude clients, and whether anybody notices

SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
MINI := training/runs/mini
HOURS ?= 3

PORT ?= 7860

.PHONY: run talk demo voice test check clients xtts train bench behaviour soak fuzz versus understood lock clean

run: .venv/run voice
	$(BIN)/python -m web --port $(PORT) $(OPTIONS)

talk: .venv/run voice libportaudio2.deb
	$(BIN)/python run_local.py $(OPTIONS)

demo: .venv/run voice
	@mkdir -p out
	$(BIN)/python run_local.py --model mini --input docs/question.wav --fast --output out/answer.wav --events out/events.jsonl
	@echo "the answer is in out/answer.wav"

# The natural voice, 63 MB, once; without it espeak speaks, and the tests that need it are skipped, and say so.
voice: .venv/run
	@test -n "$$VOICECHAT_NO_FETCH" || $(BIN)/python -m voicechat.parts fetch piper:joe >/dev/null || true

TESTED_WITH := flite espeak-ng chromium libportaudio2 pulseaudio pulseaudio-utils libasound2-plugins

test: .venv/dev voice .venv/clients/agents/made $(TESTED_WITH:=.deb)
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not alone"
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m alone

check: .venv/dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

train: .venv/dev flite.deb espeak-ng.deb
	$(BIN)/python -m training --run $(MINI) --hours $(HOURS)

bench: .venv/dev flite.deb espeak-ng.deb chromium.deb
	$(BIN)/python -m bench.encoder --model mini
	$(BIN)/python -m bench.latency --model mini --questions 50
	$(BIN)/python -m bench.load --sessions 10 --turns 5
	$(BIN)/python -m bench.browser --questions 30
	$(BIN)/python -m bench.gpu

behaviour: .venv/dev flite.deb espeak-ng.deb
	$(BIN)/python -m bench.behaviour --each 20 --realtime --check

soak: .venv/dev flite.deb espeak-ng.deb
	$(BIN)/python -m bench.soak --model echo --conversations 5000 --at-once 16
	$(BIN)/python -m bench.soak --model mini --conversations 1000 --at-once 16

versus: .venv/dev .venv/clients/pipecat/made flite.deb espeak-ng.deb
	$(BIN)/python -m bench.versus_pipecat

# The listener, 150 MB, once.
understood: .venv/dev demo .venv/clients/whisper/made
	$(BIN)/python -m voicechat.parts fetch whisper:base
	$(BIN)/python -m bench.understood --demo out/answer.wav out/events.jsonl
	$(BIN)/python -m bench.understood --voice piper:joe --voice espeak

fuzz: .venv/dev
	$(BIN)/python -m bench.fuzz --messages 1000000

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

# Other people's clients, each in an environment of its own, because they do not resolve together.
clients: .venv/dev flite.deb .venv/clients/agents/made .venv/clients/livekit/made .venv/clients/pipecat/made .venv/clients/js/made
	CLIENTS=all $(BIN)/python -m pytest tests/web/test_clients.py

.venv/clients/%/made: tests/clients/%.txt | .venv/dev
	@rm -rf $(@D) && mkdir -p $(@D)
	$(BIN)/python -m venv --without-pip $(@D)
	$(BIN)/pip --python $(@D)/bin/python install --quiet --disable-pip-version-check --no-compile $(PIP_OPTIONS) --no-deps -r $<
	@touch $@

# XTTS's packages, which want others than ours, beside ours, for its tests. Their native part of torchaudio is for CUDA.
.venv/xtts/made: tests/tts/xtts.txt | .venv/dev
	@rm -rf $(@D)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile $(PIP_OPTIONS) --no-deps --target $(@D) -r $<
	@rm -f $(@D)/torchaudio/lib/_torchaudio*.so
	@touch $@

xtts: .venv/xtts/made flite.deb espeak-ng.deb
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/tts/test_xtts.py

.venv/clients/js/made: tests/clients/package.json tests/clients/package-lock.json | .venv/made
	@rm -rf $(@D) && mkdir -p $(@D) && cp $^ $(@D)
	npm ci --prefix $(@D) --no-audit --no-fund --loglevel error
	@touch $@

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
