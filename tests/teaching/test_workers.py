"""A Dask cluster of this machine marks, and loses a worker, and its scheduler."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from teaching.marking import mark_class, run_notebook, values, workers
from teaching.marking.remote_answer import Given
from tests import ROOT
from tests.teaching import test_run_notebook as small

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kernels are forked")


def test_a_cluster_that_is_not_there_is_named(monkeypatch):
    pytest.importorskip("distributed")
    with (
        pytest.raises(ValueError, match="cluster must be .* got 'nonsense:'"),
        workers.executor(cluster="nonsense:"),
    ):
        pass


def test_without_dask_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(ValueError, match=r"cluster needs Dask: .*teaching\[cluster\]"),
        workers.executor(cluster="tcp://127.0.0.1:1"),
    ):
        pass


@pytest.fixture
def start():
    """Return a function that starts a part of a cluster, which ends with the test."""
    pytest.importorskip("distributed")
    path = {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path[1:]])}
    parts = []

    def start(what, *arguments):
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *arguments]
        command += ["--no-dashboard"]
        part = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | path,
            start_new_session=True,
            stderr=subprocess.DEVNULL,
        )
        parts.append(part)
        return part

    yield start
    for part in parts:
        with contextlib.suppress(OSError):
            os.killpg(part.pid, signal.SIGKILL)
        part.wait()


@pytest.fixture
def address(start):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    start("scheduler", "--host", "127.0.0.1", "--port", port)
    return f"tcp://127.0.0.1:{port}"


@contextlib.contextmanager
def waiting_for(address, count):
    """Give an executor once so many workers are there, and their processes."""
    from distributed import Client

    with Client(address, timeout=60, set_as_default=False) as client:
        client.wait_for_workers(count, timeout=120)
        processes = list(client.run(os.getpid).values())
    with workers.executor(cluster=address) as executor:
        yield executor, processes


def slow(seconds):
    time.sleep(seconds)
    return mark_class.Mark(None, {"x": True}, [], seconds)


def test_a_lost_worker_costs_nobody_points(start, address, tmp_path):
    for number in range(2):
        folder = str(tmp_path / str(number))
        start("worker", address, "--nthreads", "1", "--local-directory", folder)
    given = {
        "svd-check": Given([], set()),
        "rate-check": Given([values.pack(3 * small.torch.eye(2))], set()),
    }
    tasks = {(str(number), "waits"): (slow, 1.0) for number in range(6)}
    for name, answer in {"right": small.RIGHT, "wrong": "svd_loss = abs"}.items():
        arguments = small.small(answer), small.SMALL, [11, 12], given
        tasks[name, "lab"] = (run, *arguments)
    said = []
    with waiting_for(address, 2) as (executor, processes):
        timer = threading.Timer(2.5, os.kill, [processes[0], signal.SIGKILL])
        timer.start()
        results = mark_class._run_all(tasks, executor, said.append)
        timer.join()
    assert [key for key, each in results.items() if mark_class._failed(each)] == []
    assert results["right", "lab"].right == {"svd-check": True, "rate-check": True}
    assert results["wrong", "lab"].right == {"svd-check": False, "rate-check": True}
    assert len(said) == len(tasks)  # nothing was left for this machine


def run(notebook, lab, seeds, given):
    limits = small.LIMITS
    return run_notebook.run(notebook, lab, seeds=seeds, given=given, limits=limits)


def test_what_ends_each_worker_of_a_cluster_is_tried_here(start, address, tmp_path):
    start("worker", address, "--nthreads", "1", "--local-directory", str(tmp_path))
    tasks = {("a", "x"): (ends,)}
    with waiting_for(address, 1) as (executor, _):
        results = mark_class._run_all(tasks, executor)
    assert results["a", "x"].right == {"x": True}


def ends():
    """End this worker if it is one of a cluster."""
    module = sys.modules.get("distributed.worker")
    if module and module.Worker._instances:
        os.kill(os.getpid(), signal.SIGKILL)
    return mark_class.Mark(None, {"x": True}, [], 0.0)


def test_workers_with_threads_are_refused(start, address, tmp_path):
    start("worker", address, "--nthreads", "2", "--local-directory", str(tmp_path))
    with (
        pytest.raises(ValueError, match="start it with --nthreads 1"),
        waiting_for(address, 1),
    ):
        pass
