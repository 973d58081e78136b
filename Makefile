# `make help` lists the verbs. Nothing is left outside this folder, pip's cache aside.
### BEGIN TEACHER
# What stands between such marks is left out of the Makefile that students get.
### END TEACHER

CONSTRAINTS ?= constraints.txt
LAB_DIR ?= notebooks
LAB_ARGS ?=
### BEGIN TEACHER
PYTEST_ARGS ?=
NOTEBOOKS ?=
BENCH_ARGS ?=
MUTANTS_ARGS ?=
SUBMISSIONS ?=
GRADE_ARGS ?=
CLASS_ARGS ?=
HUB_ARGS ?=
HANDOUTS_ARGS ?=
### END TEACHER

ifeq ($(OS),Windows_NT)
PYTHON ?= python
BIN ?= .venv/Scripts
else
PYTHON ?= python3
BIN ?= .venv/bin
endif

export JUPYTER_CONFIG_DIR := $(CURDIR)/.jupyter/config
export JUPYTER_DATA_DIR := $(CURDIR)/.jupyter/data
export JUPYTER_RUNTIME_DIR := $(CURDIR)/.jupyter/runtime
export IPYTHONDIR := $(CURDIR)/.jupyter/ipython
export MPLCONFIGDIR := $(CURDIR)/.jupyter/matplotlib

# Threads of torch that wait for each other soon sleep: spinning on, they would make a
# machine that has other work to do up to ten times slower; asleep at once, they would
# make small matrices slow on an idle one.
export GOMP_SPINCOUNT := 1000

# Memory that a step of training gives back is kept for the next one (256 MB of it), not
# taken from the system anew each time.
export MALLOC_TRIM_THRESHOLD_ := 268435456
export MALLOC_MMAP_THRESHOLD_ := 33554432

# JupyterLab asks nobody for news, for updates or, through npm, for language servers.
SETTINGS := .jupyter/config/labconfig/default_setting_overrides.json
NOTIFICATIONS := "fetchNews": "false", "checkForUpdates": false
SERVERS := --LanguageServerManager.autodetect=False

### BEGIN TEACHER
# Stored outputs have no progress bars, and are those of the patches, also where
# CIFAR-10 has been downloaded.
AS_STORED := TQDM_DISABLE=1 CIFAR10_DIR=none
### END TEACHER

define check_python
import sys
version = sys.version_info[:2]
if version < (3, 11):
    sys.exit("Python 3.11 or newer is needed, this one is %d.%d. Name another one, " \
             "as in: make lab PYTHON=python3.12" % version)
endef
export check_python

.PHONY: help lab doctor cifar10 clean

help:  ## list the verbs
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' Makefile

lab: .venv/lab  ## open JupyterLab on the labs; the first time, set up (some minutes)
	"$(BIN)/python" -m jupyterlab $(SERVERS) $(LAB_ARGS) "$(LAB_DIR)"

doctor:  ## check that everything the labs need is there and works
	@"$(or $(wildcard $(BIN)/python $(BIN)/python.exe),$(PYTHON))" -m labhelpers.doctor

cifar10: .venv/cifar10  ## download the pictures of lab 05 into data/ (160 MB)
	"$(BIN)/python" tools/cifar10.py

clean:  ## remove what the other verbs made, .venv included; the labs stay
	rm -rf .venv .jupyter .hypothesis .pytest_cache .ruff_cache build *.egg-info
	rm -rf labhelpers/__pycache__ tests/__pycache__ tools/__pycache__

### BEGIN TEACHER
.PHONY: test render lint bench mutants handouts grade class hub

test: .venv/test  ## run every test, and compare every stored output of the labs
	$(AS_STORED) "$(BIN)/python" -m pytest \
	    --nbval --nbval-current-env --nbval-cell-timeout=60 $(PYTEST_ARGS)

render: .venv/test  ## run the labs and store their outputs
	$(AS_STORED) "$(BIN)/python" tools/render.py $(NOTEBOOKS)

lint: .venv/test  ## check style and format, notebooks too
	"$(BIN)/python" -m ruff check
	"$(BIN)/python" -m ruff format --check

bench: .venv/lab  ## time the trainers beside their rivals, write BENCHMARKS.md (minutes)
	TQDM_DISABLE=1 "$(BIN)/python" tools/bench.py $(BENCH_ARGS)

mutants: .venv/mutants  ## break the helpers on purpose: do the tests notice? (minutes)
	"$(BIN)/python" tools/mutants.py $(MUTANTS_ARGS)

handouts: .venv/teach  ## build what a teacher hands out, in handouts/
	$(AS_STORED) "$(BIN)/python" -m labhelpers.handouts build $(HANDOUTS_ARGS)

grade: .venv/teach  ## mark a class: make grade SUBMISSIONS=folder; runs students' code
	@test -n "$(SUBMISSIONS)" || { echo "Say which folder: make grade SUBMISSIONS=…"; exit 2; }
	$(AS_STORED) "$(BIN)/python" -m labhelpers.handouts grade "$(SUBMISSIONS)" $(GRADE_ARGS)

class: .venv/test  ## mark a made-up class of 30 over all labs: right points? (half an hour)
	$(AS_STORED) "$(BIN)/python" -m tests.made_up_class $(CLASS_ARGS)

hub: .venv/hub  ## three students at once on a JupyterHub of this machine: do they fit?
	"$(BIN)/python" -m tools.hub $(HUB_ARGS)
### END TEACHER

$(SETTINGS):
	@mkdir -p $(@D)
	@echo '{"@jupyterlab/apputils-extension:notification": {$(NOTIFICATIONS)}}' > $@

.venv/lab: pyproject.toml $(CONSTRAINTS) | $(SETTINGS)
	$(call install,.)
	@touch $@

.venv/cifar10: pyproject.toml $(CONSTRAINTS) | $(SETTINGS)
	$(call install,.[cifar10])
	@touch .venv/lab $@

### BEGIN TEACHER
.venv/test: pyproject.toml $(CONSTRAINTS) | $(SETTINGS)
	$(call install,.[test])
	@touch .venv/lab $@

.venv/mutants: pyproject.toml $(CONSTRAINTS) | $(SETTINGS)
	$(call install,.[test$(COMMA)mutants])
	@touch .venv/lab .venv/test $@

.venv/teach: pyproject.toml $(CONSTRAINTS) | $(SETTINGS)
	$(call install,.[teach])
	@touch .venv/lab $@

.venv/hub: pyproject.toml $(CONSTRAINTS) | $(SETTINGS)
	$(call install,.[teach$(COMMA)hub])
	@touch .venv/lab .venv/teach $@
### END TEACHER

COMMA := ,
define install
	@$(PYTHON) -c "$$check_python"
	@echo "Setting up .venv: some minutes, the first time."
	@"$(BIN)/python" -c "import pip" 2>/dev/null || $(PYTHON) -m venv --clear .venv
	"$(BIN)/python" -m pip install --disable-pip-version-check -c $(CONSTRAINTS) -e "$(1)"
endef
