# `make help` lists the verbs. Nothing is left outside this folder, pip's cache aside.

CONSTRAINTS ?= constraints.txt
LAB_DIR ?= notebooks
LAB_ARGS ?=

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

# Looks at the version of Python; with arguments, sets up .venv and installs.
SET_UP = "$(PYTHON)" tools/set_up.py

.PHONY: help lab present doctor cifar10 clean

help:  ## list the verbs
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' \
	    $(MAKEFILE_LIST)

lab: .venv/lab  ## open JupyterLab on the labs; the first time, set up (some minutes)
	"$(BIN)/python" tools/lab.py --folder "$(LAB_DIR)" $(LAB_ARGS)

present: .venv/lab  ## the same, large enough for the last row of a lecture hall
	"$(BIN)/python" tools/lab.py --present --folder "$(LAB_DIR)" $(LAB_ARGS)

doctor: PYTHON := $(or $(wildcard $(BIN)/python $(BIN)/python.exe),$(PYTHON))
doctor:  ## check that everything the labs need is there and works
	@$(SET_UP)
	@"$(PYTHON)" tools/doctor.py

cifar10: .venv/cifar10  ## download the pictures of lab 05 into data/ (160 MB)
	"$(BIN)/python" tools/cifar10.py

clean:  ## remove what the other verbs made, .venv included; the labs stay
	rm -rf .venv .matrix .room .jupyter .hypothesis .pytest_cache .ruff_cache
	rm -rf build *.egg-info */build */*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/lab: pyproject.toml $(CONSTRAINTS)
	@$(SET_UP) lab -c $(CONSTRAINTS) -e .

.venv/cifar10: pyproject.toml $(CONSTRAINTS)
	@$(SET_UP) cifar10 -c $(CONSTRAINTS) -e ".[cifar10]"

# Verbs of teachers and maintainers. Students don't get that folder.
-include teaching/verbs.mk
