"""Right, but unusual: what honest students leave in notebooks costs nobody a point."""

import functools
import sys

import pytest
from nbformat.v4 import new_code_cell

from teaching.marking import run_notebook, walls
from teaching.marking import workers as marking_workers
from teaching.marking.remote_answer import Given
from tests.teaching.test_run_notebook import LIMITS, RIGHT, SMALL, THREE, apart, small

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kernels are forked")

GIVEN = {"svd-check": Given([], set()), "rate-check": Given([THREE], set())}
# Each is a cell, which must do here what it does in JupyterLab.
CELLS = {
    "figure": "import matplotlib.pyplot as plt\nplt.plot([1, 2])\n"
    "plt.savefig('x.png')\nplt.show()",
    "file": "torch.save(torch.ones(2), 'x.pt')\nassert torch.load('x.pt').sum() == 2",
    "temporary-file": "import tempfile\nwith tempfile.TemporaryDirectory() as name:\n"
    "    np.save(name + '/x.npy', np.ones(2))",
    "data": "assert len(pd.read_csv('../data/iris.csv')) == 150",
    "home": "from pathlib import Path\n(Path.home() / 'x').write_text('x')",
    "user": "import getpass\nassert getpass.getuser()",
    "own-module": "%%writefile own.py\nx = 3",
    "use-of-it": "import own\nassert own.x == 3\n%run own.py",
    "help": "help(len)\n?len",
    "shell": "!ls\nfiles = !ls\nassert 'x.pt' in files",
    "magics": "%matplotlib inline\n%load_ext autoreload\n%autoreload 2\n%timeit -n 1 3",
    "time": "%time y = 3\nassert y == 3",
    "capture": "%%capture said\nprint(3)",
    "use-of-what-was-captured": "assert said.stdout == '3\\n'",
    "await": "import asyncio\nawait asyncio.sleep(0.01)",
    "alarm": "import signal\nsignal.signal(signal.SIGALRM, print)\n"
    "signal.alarm(9)\nsignal.alarm(0)",
    "bar": "from tqdm.notebook import tqdm\nfor _ in tqdm(range(2)):\n    pass",
    "threads": "from concurrent.futures import ThreadPoolExecutor\n"
    "with ThreadPoolExecutor(2) as pool:\n    assert list(pool.map(abs, [3])) == [3]",
    "program": "import subprocess\nsubprocess.run(['echo'], check=True)",
    "settings": "torch.set_default_dtype(torch.float64)\ntorch.manual_seed(3)\n"
    "torch.set_num_threads(8)",
    "quiet-stop": "class Stop(Exception):\n    def _render_traceback_(self):\n"
    "        pass\nraise Stop",
    "warnings-are-errors": "import warnings\nwarnings.filterwarnings('error')",
}
SHARING = {
    "pool-of-threads": "from multiprocessing.pool import ThreadPool\n"
    "with ThreadPool(2) as pool:\n    assert pool.map(abs, [3]) == [3]",
    "pool": "def square(x):\n    return x * x\nfrom multiprocessing import Pool\n"
    "with Pool(2) as pool:\n    assert pool.map(square, [3]) == [9]",
    "jobs": "from joblib import Parallel, delayed\n"
    "jobs = Parallel(-1, prefer='threads')\nassert jobs([delayed(abs)(3)]) == [3]",
}
# What is not allowed, or not there, and the note that tells of it.
WORDS = {
    "socket": ("import socket\nsocket.socket()", "what marking does not allow: the"),
    "network": (
        "from urllib.request import urlopen\nurlopen('http://127.0.0.1', timeout=3)",
        "what marking does not allow: the",
    ),
    "elsewhere": ("open('/etc/x', 'w')", "what marking does not allow: the"),
    "input": ("input()", "input, and nobody is there to give it"),
    "module": ("import not_there", "a module that is not here"),
    "csv": ("pd.read_csv('not_there.csv')", "a file that is not here"),
    "run": ("%run not_there.py", "a file that is not here"),
}
SIZE = "import shutil\nprint(shutil.disk_usage('/dev/shm').total)"


@pytest.fixture(scope="module")
def marked():
    """Return a function that runs a notebook as the marking does."""
    with marking_workers.local(1) as workers:
        kwargs = {"lab": SMALL, "seeds": [11], "given": GIVEN, "limits": LIMITS}
        yield functools.partial(apart, workers, run_notebook.run, **kwargs)


@pytest.fixture(scope="module")
def ran(marked):
    """Return {name: the cell above, as it was run}, and the Run of them all."""
    notebook = small(RIGHT)
    sources = CELLS | SHARING | {name: text for name, (text, _) in WORDS.items()}
    sources = {"tables": "import pandas as pd", "size": SIZE} | sources
    notebook.cells[1:1] = [new_code_cell(t, id=name) for name, t in sources.items()]
    run = marked(notebook)
    return {cell.id: cell for cell in run.notebook.cells}, run


def errors(cell):
    return [o.evalue for o in cell.outputs if o.output_type == "error"]


def test_they_cost_no_point(ran):
    assert ran[1].right == {"svd-check": True, "rate-check": True}


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_does_what_it_does_elsewhere(ran, name):
    assert errors(ran[0][name]) == []


@pytest.mark.parametrize("name", SHARING)
def test_what_shares_memory_works_where_a_kernel_has_its_own(ran, name):
    if ran[0]["size"].outputs[0].text.strip() != f"{64 * 2**20}":
        pytest.skip("needs mounts of one's own")
    assert errors(ran[0][name]) == []


@pytest.mark.parametrize("name", WORDS)
def test_a_note_says_what_marking_has_not(ran, name):
    cells, run = ran
    if name in ("socket", "network", "elsewhere") and not walls.landlock():
        pytest.skip("needs Landlock")
    source, words = WORDS[name]
    assert errors(cells[name])
    assert any(note.startswith(f"{name} asked for {words}") for note in run.notes)


def test_a_note_says_it_of_an_answer_too(marked):
    answer = "def svd_loss(A, rank):\n    return float(open('not_there').read())"
    run = marked(small(answer))
    assert run.notes == ["svd-check asked for a file that is not here"]
