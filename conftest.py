"""What several test files, and the comparison of the labs, use."""

import os
import queue
import time

import matplotlib
import pytest
import torch
from hypothesis import settings
from nbval.kernel import RunningKernel

# Files that take long, the longest first, since the workers of pytest-xdist get whole
# files in this order. `make quick` leaves them out.
SLOW = (
    "tests/labs/test_shake.py",
    "tests/teaching/test_mark_class.py",
    "tests/teaching/test_run_notebook.py",
    "tests/teaching/test_workers.py",
    "tests/teaching/test_kernels.py",
    "tests/teaching/test_student_copies.py",
    "tests/labs/test_session.py",
    "tests/labs/test_add_a_lab.py",
    "tests/teaching/test_site.py",
    "tests/teaching/test_sheets.py",
    "tests/teaching/test_pdf.py",
    "tests/teaching/test_room.py",
    "tests/tools/test_bench.py",
    "tests/teaching/test_handouts.py",
    "tests/teaching/test_guide.py",
    "tests/labs/test_render.py",
    "tests/tools/test_doctor.py",
    "tests/tools/test_matrix.py",
    "tests/labchecks/test_checks.py",
    "tests/tools/test_hub.py",
    "tests/teaching/test_cards.py",
    "tests/teaching/test_remote_answer.py",
)

# Many inputs to each public function: --hypothesis-profile=nightly.
settings.register_profile("nightly", max_examples=10_000)

matplotlib.use("Agg")
# What `make test` hands down is not meant for the make that a test calls, and a test is
# no student of a class that `make room` shows.
for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "AUTOGRAD_LABS_ROOM"):
    os.environ.pop(name, None)
# On matrices as small as these, two threads only wait for each other.
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))


def get_message(kernel, stream, timeout, *, plain=RunningKernel.get_message):
    """Wait for a message as nbval does, but not for one of a kernel that is dead."""
    end = time.monotonic() + timeout
    while True:
        try:
            return plain(kernel, stream, min(1, max(0, end - time.monotonic())))
        except queue.Empty:
            if not kernel.is_alive():
                raise RuntimeError("The kernel died in this cell") from None
            if time.monotonic() > end:
                raise


RunningKernel.get_message = get_message


def pytest_collection_modifyitems(items):
    """Mark what takes long, and put it first, then the notebooks; mark browsers."""

    def place(item):
        path = item.nodeid.split("::")[0]
        if path in SLOW:
            item.add_marker(pytest.mark.slow)
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.apart)
        rest = 0 if path.endswith(".ipynb") else 1
        return SLOW.index(path) if path in SLOW else len(SLOW) + rest

    items.sort(key=place)


@pytest.fixture(params=["cpu", "cuda"])
def device(request):
    """Return every device on which tensors can have numbers here."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    return torch.device(request.param)


@pytest.fixture(scope="session")
def pages():
    """Return the printed sheets of the pack, {file name: HTML}."""
    from teaching import labs
    from teaching.handing_out import sheets

    return sheets.pages(labs.read(), folder=labs.NOTEBOOKS)


@pytest.fixture(scope="module")
def chromium():
    """Return a browser; without one, skip, or fail if REQUIRE_BROWSER is set."""
    from teaching.handing_out import pdf

    try:
        with pdf.browser() as browser:
            yield browser
    except pdf.NoBrowser as error:
        (pytest.fail if os.environ.get("REQUIRE_BROWSER") else pytest.skip)(str(error))
