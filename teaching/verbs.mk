# What teachers and maintainers run, from the top of the pack; the Makefile includes it.

PYTEST_ARGS ?=
NOTEBOOKS ?=
BENCH_ARGS ?=
MUTANTS_ARGS ?=
SHAKE_ARGS ?=
MATRIX_ARGS ?=
SUBMISSIONS ?=
GRADE_ARGS ?=
MARKING ?=
RETURN_ARGS ?=
CLASS_ARGS ?=
HUB_ARGS ?=
HANDOUTS_ARGS ?=
ROOM_ARGS ?=
SITE_ARGS ?=
RELEASE_ARGS ?=
WHEELS_ARGS ?=

# Stored outputs have no progress bars and no sliders, and are those of the patches, also
# where CIFAR-10 has been downloaded. No class is told of.
AS_STORED := TQDM_DISABLE=1 LAB_VIEW=static CIFAR10_DIR=none AUTOGRAD_LABS_ROOM=

.PHONY: test quick shake matrix render gallery lint bench mutants handouts site grade
.PHONY: room return class hub release wheels

# One worker a core, each with one thread, and whole files, the longest first.
PYTEST := OMP_NUM_THREADS=1 "$(BIN)/python" -m pytest
PYTEST += -n auto --dist loadfile --no-loadscope-reorder

test: .venv/test  ## run every test, and compare every stored output of the labs
	$(AS_STORED) $(PYTEST) \
	    --nbval --nbval-current-env --nbval-cell-timeout=300 $(PYTEST_ARGS)

quick: lint  ## run the tests that take a minute together
	$(AS_STORED) $(PYTEST) -m "not slow" $(PYTEST_ARGS)

shake: .venv/test  ## does a stored digit hang on rounding? Run the labs on moved inputs
	"$(BIN)/python" -m tools.shake $(SHAKE_ARGS)

matrix:  ## the labs and fast tests in many environments: docs/reproducibility.md (hours)
	@$(SET_UP)
	"$(PYTHON)" -m tools.matrix $(MATRIX_ARGS)

render: .venv/test  ## run the labs and store their outputs
	"$(BIN)/python" -m tools.render $(NOTEBOOKS)

gallery: .venv/test  ## copy four stored figures of the labs into the README
	"$(BIN)/python" -m tools.gallery

lint: .venv/test  ## check style, format, spelling and links, notebooks too
	"$(BIN)/python" -m ruff check
	"$(BIN)/python" -m ruff format --check
	"$(BIN)/python" -m codespell_lib
	"$(BIN)/python" -m tools.documents

bench: .venv/test  ## time the trainers beside their rivals, write BENCHMARKS.md (minutes)
	TQDM_DISABLE=1 "$(BIN)/python" -m tools.bench $(BENCH_ARGS)

mutants: .venv/mutants  ## break the helpers on purpose: do the tests notice? (minutes)
	"$(BIN)/python" tools/mutants.py $(MUTANTS_ARGS)

handouts: .venv/teach  ## build what a teacher hands out, in handouts/
	$(AS_STORED) "$(BIN)/python" -m teaching build $(HANDOUTS_ARGS)

site: .venv/teach  ## build the labs as a site that needs no network, in site/ (minutes)
	$(AS_STORED) "$(BIN)/python" -m teaching site $(SITE_ARGS)

grade: .venv/teach  ## mark a class: make grade SUBMISSIONS=folder; runs students' code
	@test -n "$(SUBMISSIONS)" || { echo "Say which folder: make grade SUBMISSIONS=…"; exit 2; }
	$(AS_STORED) "$(BIN)/python" -m teaching grade "$(SUBMISSIONS)" $(GRADE_ARGS)

room: .venv/teach  ## show, for a second screen, where the class is; on this machine alone
	"$(BIN)/python" -m teaching room $(ROOM_ARGS)

return: .venv/teach  ## answers marked? make return MARKING=folder: points for Moodle, Canvas
	@test -n "$(MARKING)" || { echo "Say which: make return MARKING=handouts/marking/…"; exit 2; }
	"$(BIN)/python" -m teaching return "$(MARKING)" $(RETURN_ARGS)

class: .venv/test  ## mark a made-up class of 30 over all labs: right points? (half an hour)
	$(AS_STORED) "$(BIN)/python" -m tests.teaching.made_up_class $(CLASS_ARGS)

hub: .venv/hub  ## three students at once on a JupyterHub of this machine: do they fit?
	"$(BIN)/python" -m tools.hub $(HUB_ARGS)

release: handouts site  ## gather students' zip, sheets, guide, site, source in dist/
	"$(BIN)/python" -m tools.release $(RELEASE_ARGS)

wheels: .venv/lab  ## gather what a class needs to set up without a network, in wheels/
	"$(BIN)/python" -m tools.wheels $(WHEELS_ARGS)

NEEDED := pyproject.toml teaching/pyproject.toml $(CONSTRAINTS)

.venv/teach: $(NEEDED)
	@$(SET_UP) teach -c $(CONSTRAINTS) -e . -e teaching

.venv/test: $(NEEDED)
	@$(SET_UP) test,teach -c $(CONSTRAINTS) -e . -e "teaching[test]"

.venv/mutants: $(NEEDED)
	@$(SET_UP) mutants,test,teach -c $(CONSTRAINTS) -e . -e "teaching[mutants]"

.venv/hub: $(NEEDED)
	@$(SET_UP) hub,teach -c $(CONSTRAINTS) -e . -e "teaching[hub]"
