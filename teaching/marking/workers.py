"""Workers that mark: processes of this machine, or those of a Dask cluster."""

import contextlib
import hashlib
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

from teaching.marking import kernels


@contextlib.contextmanager
def executor(count=None, cluster=None):
    """Give an executor of ``concurrent.futures``, until the block ends.

    Parameters
    ----------
    count : int, optional
        How many tasks run at once on this machine, by default one for each core.
    cluster : str, optional
        The address of a Dask scheduler, such as ``tcp://10.0.0.5:8786``: its workers do
        the tasks, and not this machine.

    Raises
    ------
    ValueError
        If there is no such cluster, or its workers are not fit to mark.
    """
    if cluster is None:
        others = {*multiprocessing.active_children()}
        with local(count) as workers:
            try:
                yield workers
            except BaseException:  # Ctrl-C, say: nothing is waited for, nor begun
                workers.shutdown(wait=False, cancel_futures=True)
                for process in {*multiprocessing.active_children()} - others:
                    process.terminate()
                raise
        return
    try:
        from distributed import Client
    except ImportError:
        needed = 'pip install -e . -e "teaching[cluster]"'
        raise ValueError(f"cluster needs Dask: {needed}") from None
    try:
        client = Client(cluster, timeout=20, set_as_default=False)
    except (OSError, ValueError) as error:
        message = f"cluster must be a Dask scheduler that answers, got {cluster!r}"
        raise ValueError(f"{message}: {error}") from None
    with client:
        if complaint := _unfit(client):
            raise ValueError(f"cluster {cluster}: {complaint}")
        yield client.get_executor()


def local(count=None):
    """Return workers of this machine.

    Each has a warm process of its own, so it pays to keep them.
    """
    return ProcessPoolExecutor(
        count or _cores(),
        mp_context=kernels.context(),
        initializer=kernels.end_with_parent,
    )


def _unfit(client):
    """Return what keeps the workers of a cluster from marking, or ""."""
    workers = client.scheduler_info(n_workers=-1)["workers"]
    if not workers:
        return "it must have workers, and has none"
    if any(worker["nthreads"] != 1 for worker in workers.values()):
        return "a worker must do one task at a time: start it with --nthreads 1"
    try:
        packs = client.run(_pack)
    except Exception as error:  # whatever goes wrong on another machine
        return f"its workers must have the pack: {error}"
    if {*packs.values()} != {_pack()}:
        return "its workers must have the same version of the pack as this machine"
    return ""


def _pack():
    """Return a digest of the code of the pack, the same wherever it lies."""
    return hashlib.sha256("".join(sorted(kernels.digests().values())).encode()).digest()


def _cores():
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
