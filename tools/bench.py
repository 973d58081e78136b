"""Time the trainers beside what one would use instead: ``make bench``.

A race has our entry and its rivals. They run in turn, round after round, in one
process, so that whatever else the machine does falls on all of them. Each round gives
one ratio; the table has the median and the range.

A floor says what no program can undercut: the multiplications of our entry at the speed
of one large matrix product on this machine.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import sklearn
import torch
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from labhelpers import data, descent, linalg, minibatch, plots, training

ROOT = Path(__file__).resolve().parents[1]
PIXELS, K = 3072, 50


class Size(NamedTuple):
    """How much is raced; ``k`` hidden units, ``steps`` of the factorisation and A·B."""

    images: int
    loop_images: int
    k: int
    mlps: int
    factorisations: int
    steps: int
    repeats: int


FULL = Size(50_000, 20, 50, 1000, 200, 1000, 5)
QUICK = Size(2_600, 2, 5, 10, 10, 10, 1)


class Entry(NamedTuple):
    """``cost()`` runs it once and returns the cost of one unit (seconds, bytes)."""

    name: str
    cost: Callable
    reach: str = ""  # of a rival, such as "≥ 25" (theirs over ours) or "≤ 1.1" (ours)


class Race(NamedTuple):
    """``unit`` such as "s an image"; ``floor``, the least cost of our entry."""

    title: str
    unit: str
    ours: Entry
    rivals: list
    floor: float


def timed(run, units=1):
    """Return a function that times the run and returns the seconds for one unit."""
    run()  # what happens only once is left out

    def cost():
        start = time.perf_counter()
        run()
        return (time.perf_counter() - start) / units

    return cost


def measure(entries, rounds):
    """Run the entries in turn; return their costs, shape (rounds, entries)."""
    costs = np.empty((rounds, len(entries)))
    for number in range(rounds):
        order = range(len(entries))
        for i in order if number % 2 == 0 else reversed(order):
            costs[number, i] = entries[i].cost()
    return costs


def product_speed(dtype, n=1024):
    """Return how many multiplications a second a large matrix product reaches."""
    a = torch.rand(n, n, dtype=dtype)
    product = timed(lambda: a @ a)
    return n**3 / min(product() for _ in range(10))


# --- Races ---------------------------------------------------------------------------


def autoencoder_work(images, k):
    """Count the multiplications of an epoch: two products forward, three backward."""
    return 5 * images * PIXELS * k


def one_image_loop(images, k):
    """Train as lab 05 begins: image by image, A @ B @ z, the losses in a list."""
    g = torch.Generator().manual_seed(0)
    A = (torch.randn(PIXELS, k, generator=g) / k).requires_grad_()
    B = (torch.randn(k, PIXELS, generator=g) / k).requires_grad_()
    losses = []
    for z in torch.from_numpy(data.scale_pixels(images)).unsqueeze(-1):
        loss = ((z - A @ B @ z) ** 2).sum() / 2
        loss.backward()
        with torch.no_grad():
            for p in (A, B):
                p -= 1e-6 * p.grad
                p.grad = None
        losses.append(loss)


def images_a_second(size, speed):
    images = data.photo_patches(size.images, seed=0).pixels
    few = images[: size.loop_images]

    def ours():
        minibatch.train_autoencoder_minibatch(images, size.k, num_epochs=1, seed=0)

    return Race(
        f"Lab 05, one epoch of {len(images):,} images",
        "s an image",
        Entry("mini-batches, A @ (B @ z)", timed(ours, len(images))),
        [
            Entry(
                "one image at a time, A @ B @ z",
                timed(lambda: one_image_loop(few, size.k), len(few)),
                "≥ 1500",
            )
        ],
        autoencoder_work(1, size.k) / speed[torch.float32],
    )


def to_the_floor(size, speed):
    images = data.photo_patches(size.images, seed=0).pixels
    moment = linalg.second_moment(images, scale=data.scale_pixels)
    floor = linalg.principal_components(moment, size.k).floors[-1]
    z = data.scale_pixels(images)  # theirs are given this; ours scale as they go
    z_torch = torch.from_numpy(z)

    def ours(num_epochs, floor=None):
        return minibatch.train_autoencoder_minibatch(
            images, size.k, num_epochs=num_epochs, batch_size=200, floor=floor, seed=0
        )

    def ratio(axes, mean):
        rest = z - mean
        lost = (rest**2).sum(dtype=float) - ((rest @ axes) ** 2).sum(dtype=float)
        return lost / 2 / len(z) / floor

    def lowrank(niter):
        return torch.pca_lowrank(z_torch, size.k, niter=niter)[2].numpy()

    epochs = next(n for n in range(1, 100) if ours(n, floor).ratio <= 1.01)
    pca, svd = (
        PCA(size.k, svd_solver="randomized", random_state=0),
        TruncatedSVD(size.k),
    )
    mean = z.mean(axis=0)
    niter = next(n for n in range(2, 100) if ratio(lowrank(n), mean) <= 1.01)
    ends = {
        "ours": ours(epochs, floor).ratio,
        "pca": ratio(pca.fit(z).components_.T, mean),
        "svd": ratio(svd.fit(z).components_.T, 0),
        "lowrank": ratio(lowrank(niter), mean),
    }
    return Race(
        f"Lab 05, to within 1 % of the floor, {len(images):,} images",
        "s",
        Entry(
            f"{epochs} epochs ({ends['ours']:.4f})",
            timed(lambda: ours(epochs)),
        ),
        [
            Entry(
                f"PCA, randomised ({ends['pca']:.4f})", timed(lambda: pca.fit(z)), "≥ 1"
            ),
            Entry(f"TruncatedSVD ({ends['svd']:.4f})", timed(lambda: svd.fit(z))),
            Entry(
                f"torch.pca_lowrank, niter={niter} ({ends['lowrank']:.4f})",
                timed(lambda: lowrank(niter)),
            ),
        ],
        epochs * autoencoder_work(len(images), size.k) / speed[torch.float32],
    )


def memory(size, speed):
    images = data.photo_patches(size.images, seed=0).pixels

    def peak(which):
        def cost():
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "images.bin"
                images.tofile(path)
                options = ["--peak", which, str(path), str(size.k)]
                command = [sys.executable, "-m", "tools.bench", *options]
                return float(subprocess.check_output(command, cwd=ROOT, text=True))

        return cost

    return Race(
        f"Lab 05, peak memory, {len(images):,} images mapped from disk",
        "bytes",
        Entry("two epochs", peak("ours")),
        [Entry("PCA, randomised", peak("theirs"), "≥ 2")],
        images.nbytes,  # pages of the file count once they have been read
    )


def print_peak(which, path, k):
    """Print how far memory grows beyond the imports; runs in a process of its own."""
    images = np.memmap(path, np.uint8, "r").reshape(-1, PIXELS)
    before = peak_memory()
    if which == "ours":
        minibatch.train_autoencoder_minibatch(images, k, num_epochs=2, seed=0)
    else:
        z = images.astype(np.float32)
        z /= 127.5
        z -= 1
        PCA(k, svd_solver="randomized", random_state=0).fit(z)
    print(peak_memory() - before)


def peak_memory():
    """Return the most memory that this process has held, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux: getrusage would count the parent's memory as ours
        return 1024 * int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1])
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def iris_tensors(runs):
    """Return many training sets: (runs, 100, 4) and their classes, (runs, 100)."""
    iris = data.load_iris()
    X = torch.tensor((iris.features - iris.features.mean(0)) / iris.features.std(0))
    g = torch.Generator().manual_seed(0)
    rows = torch.rand(runs, 150, generator=g).argsort(dim=-1)[:, :100]
    return X[rows], torch.tensor(iris.labels)[rows]


def mlp_work(runs):
    """Count the multiplications of 100 epochs; no gradient is taken to the data."""
    forward, backward = 4 * 12 + 12 * 3, 4 * 12 + 2 * 12 * 3
    return runs * 100 * 100 * (forward + backward)


def one_mlp(X, y):
    """Train one network as lab 03 does by hand."""
    g = torch.Generator().manual_seed(0)
    W1 = torch.randn(4, 12, generator=g, dtype=X.dtype)
    W2 = torch.randn(12, 3, generator=g, dtype=X.dtype)
    b1, b2 = torch.zeros(12, dtype=X.dtype), torch.zeros(3, dtype=X.dtype)
    params = [p.requires_grad_() for p in (W1, b1, W2, b2)]
    for _ in range(100):
        logits = torch.relu(X @ W1 + b1) @ W2 + b2
        torch.nn.functional.cross_entropy(logits, y).backward()
        with torch.no_grad():
            for p in params:
                p -= 0.01 * p.grad
                p.grad = None


def many_mlps(size, speed):
    X, y = iris_tensors(size.mlps)
    scikit = MLPClassifier(
        12,
        solver="sgd",
        alpha=0,
        batch_size=100,
        learning_rate_init=0.01,
        max_iter=100,
        momentum=0,
        n_iter_no_change=100,
        tol=0,
        random_state=0,
    )

    def theirs():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            scikit.fit(X[0].numpy(), y[0].numpy())

    return Race(
        f"Lab 03, {size.mlps:,} MLPs, 100 epochs",
        "s a run",
        Entry("one batch", timed(lambda: training.train_mlp(X, y, seed=0), size.mlps)),
        [
            Entry("autograd loop, one run", timed(lambda: one_mlp(X[0], y[0])), "≥ 25"),
            Entry("MLPClassifier, one run", timed(theirs), "≥ 25"),
        ],
        mlp_work(1) / speed[torch.float64],
    )


def iris_matrix():
    A = torch.tensor(data.load_iris().features)
    return A - A.mean(dim=0)


def factorise_by_hand(A, U, V, steps):
    """Descend as lab 01 does by hand."""
    U, V = (p.clone().requires_grad_() for p in (U, V))
    losses = []
    for _ in range(steps):
        loss = ((A - U @ V.T) ** 2).sum()
        losses.append(loss.item())
        loss.backward()
        with torch.no_grad():
            U -= 0.01 * U.grad
            V -= 0.01 * V.grad
        U.grad = V.grad = None


def factorisation_work(steps):
    return 3 * 150 * 2 * 4 * steps  # one product forward, two backward


def draw_factors(g):
    uniform = descent.uniform
    return uniform(150, 2, generator=g), uniform(4, 2, generator=g)


def many_factorisations(size, speed):
    A, start = iris_matrix(), descent.draw_start(draw_factors, seed=0)

    def ours():
        runs = size.factorisations
        training.factorise(A, 2, runs=runs, num_epochs=size.steps, seed=0)

    return Race(
        f"Lab 01, {size.factorisations} factorisations of Iris, {size.steps:,} epochs",
        "s a run",
        Entry("one batch", timed(ours, size.factorisations)),
        [
            Entry(
                "autograd loop, one run",
                timed(lambda: factorise_by_hand(A, *start, size.steps)),
                "≥ 20",
            )
        ],
        factorisation_work(size.steps) / speed[torch.float64],
    )


def rate_sweep(size, speed):
    z = descent.normal(100, 100, generator=torch.Generator().manual_seed(0))
    rates = torch.logspace(-5, -2.7, 12)

    def train(lr):
        return lambda: training.train_autoencoder(
            z, 50, num_epochs=size.steps, lr=lr, seed=0
        )

    return Race(
        f"Lab 04, sweep of 12 rates, {size.steps:,} steps",
        "s",
        Entry("12 rates", timed(train(rates))),
        [Entry("one rate", timed(train(1e-3)), "≤ 3")],
        12 * 5 * 100 * 100 * 50 * size.steps / speed[torch.float64],
    )


def one_descent(size, speed):
    A, start = iris_matrix(), descent.draw_start(draw_factors, seed=0)

    def loss(U, V):
        return ((A - U @ V.T) ** 2).sum()

    def ours():
        for _ in range(size.repeats):
            descent.descend(loss, start, lr=0.01, steps=size.steps)

    def by_hand():
        for _ in range(size.repeats):
            factorise_by_hand(A, *start, size.steps)

    return Race(
        f"Lab 01, one factorisation, {size.steps:,} epochs",
        "s",
        Entry("descend", timed(ours, size.repeats)),
        [Entry("the loop of lab 01", timed(by_hand, size.repeats), "≤ 1.1")],
        factorisation_work(size.steps) / speed[torch.float64],
    )


# --- Scaling -------------------------------------------------------------------------


def scaling_mlps(size):
    X, y = iris_tensors(size.mlps)

    def train(runs):
        repeats = min(10, size.mlps // runs)
        train = [lambda: training.train_mlp(X[:runs], y[:runs], seed=0)] * repeats
        return timed(lambda: [run() for run in train], runs * repeats)

    return {n: train(n) for n in (1, 10, 100, 1000) if n <= size.mlps}


def scaling_images(size):
    images = data.photo_patches(size.images, seed=0).pixels

    def train(n):
        def epoch():
            minibatch.train_autoencoder_minibatch(
                images[:n], size.k, num_epochs=1, seed=0
            )

        return timed(epoch, n)

    return {n: train(n) for n in (size.images // d for d in (10, 5, 2, 1))}


SCALING = {"MLP runs": scaling_mlps, "images": scaling_images}


def measure_scaling(size, rounds):
    """Return {what: {size: costs of one unit, one a round}}."""
    found = {}
    for what, build in SCALING.items():
        costs = build(size)
        entries = [Entry(str(n), cost) for n, cost in costs.items()]
        found[what] = dict(zip(costs, measure(entries, rounds).T))
    return found


def scaling_row(what, costs):
    """Return the row of the step, from a size to the next, at which cost grows most."""
    sizes = list(costs)
    steps = [costs[n] / costs[m] for m, n in zip(sizes, sizes[1:])]
    at = int(np.argmax([np.median(step) for step in steps]))
    less, more = sizes[at], sizes[at + 1]
    return row(
        title=f"Scaling, {what}: the worst step",
        unit="s each",
        ours=(f"{more:,}", costs[more]),
        theirs=(f"{less:,}", costs[less]),
        reach="≤ 1.1",
        floor=None,
    )


def scaling_plot(scaling, path):
    """Draw the cost of one unit over their number, 1 at the smallest."""
    ax = plots.axes()
    for (what, costs), marker in zip(scaling.items(), plots.MARKERS):
        first, *_ = [np.median(each) for each in costs.values()]
        relative = [np.median(each) / first for each in costs.values()]
        ax.plot(list(costs), relative, marker=marker, label=what)
    ax.set(
        xlabel="how many", ylabel="cost of one, relative", xscale="log", yscale="log"
    )
    ax.legend(frameon=False)
    path.parent.mkdir(exist_ok=True)
    ax.figure.savefig(path)
    plt.close(ax.figure)


# --- The table -----------------------------------------------------------------------


def row(*, title, unit, ours, theirs, reach, floor):
    """Return one comparison as a dict, ready for JSON."""
    (our_name, our_costs), (their_name, their_costs) = ours, theirs
    ratios = our_costs / their_costs if "≤" in reach else their_costs / our_costs
    median, our_cost = float(np.median(ratios)), float(np.median(our_costs))
    bound = float(reach[2:]) if reach else None
    reached = median <= bound if "≤" in reach else bound is None or median >= bound
    return {
        "title": title,
        "unit": unit,
        "ours": our_name,
        "our_costs": our_costs.tolist(),
        "theirs": their_name,
        "their_costs": their_costs.tolist(),
        "ratio": median,
        "range": [float(ratios.min()), float(ratios.max())],
        "reach": reach,
        "reached": bool(reached),
        "floor": floor,
        "times_the_floor": our_cost / floor if floor else None,
    }


def race_rows(race, rounds):
    costs = measure([race.ours, *race.rivals], rounds).T
    return [
        row(
            title=race.title,
            unit=race.unit,
            ours=(race.ours.name, costs[0]),
            theirs=(rival.name, their_costs),
            reach=rival.reach,
            floor=race.floor,
        )
        for rival, their_costs in zip(race.rivals, costs[1:])
    ]


def short(value):
    """Write a number with three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def with_unit(cost, unit):
    """Write a cost so that it can be read, as in 21.3 µs an image."""
    kind, _, each = unit.partition(" ")
    prefixes = {"G": 1e9, "M": 1e6, "k": 1e3, "": 1, "m": 1e-3, "µ": 1e-6, "n": 1e-9}
    prefix = next((p for p, size in prefixes.items() if cost >= size), "n")
    symbol = {"bytes": "B"}.get(kind, kind)
    return f"{short(cost / prefixes[prefix])} {prefix}{symbol} {each}".strip()


def table_line(row):
    low, high = row["range"]
    reach = f"{row['reach']} {'✓' if row['reached'] else '✗'}" if row["reach"] else "–"
    ours, theirs = (np.median(row[each]) for each in ("our_costs", "their_costs"))
    floor, near = "–", "–"
    if row["floor"]:
        floor = with_unit(row["floor"], row["unit"])
        near = f"{short(row['times_the_floor'])} ×"
    cells = [
        row["title"],
        f"{row['ours']}: {with_unit(ours, row['unit'])}",
        f"{row['theirs']}: {with_unit(theirs, row['unit'])}",
        f"**{short(row['ratio'])}** ({short(low)} – {short(high)})",
        reach,
        floor,
        near,
    ]
    return f"| {' | '.join(cells)} |"


def machine(speed):
    """Say what this was measured on."""
    info = Path("/proc/cpuinfo")
    found = (
        re.search(r"model name\s*: (.+)", info.read_text()) if info.exists() else None
    )
    return {
        "date": date.today().isoformat(),
        "processor": found[1] if found else platform.processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "float32, 10⁹ multiplications a second": round(speed[torch.float32] / 1e9, 1),
        "float64, 10⁹ multiplications a second": round(speed[torch.float64] / 1e9, 1),
    }


REPORT = """# Benchmarks

Written by `make bench`. Each row was measured side by side in one process, the
entries in turn, {rounds} rounds. Costs are medians; a ratio is the median of the
rounds, with its range: under ≥ theirs over ours, under ≤ ours over theirs.

The floor is the number of multiplications that our entry needs, at the speed of one
large matrix product on this machine; for memory, the size of the images. Images are
patches of photographs, in the shape of CIFAR-10. The rivals from other libraries get
them scaled beforehand; ours scale them as they go. A figure behind an entry, as in
(1.0097), says where it ends: its loss over the floor of lab 05. PCA takes the mean away
first, so it can end below 1. Where the time goes, and what was tried, is told in
[docs/benchmarks.md](docs/benchmarks.md).

| what | ours | theirs | ratio | reach | floor | ours over floor |
| --- | --- | --- | --- | --- | --- | --- |
{table}

![The cost of one MLP run and of one image over how many there are, relative to the
smallest number, on logarithmic axes.](docs/scaling.png)

{scaling}

## Machine

{machine}
"""


def report(rows, scaling, about, rounds):
    lines = []
    for what, costs in scaling.items():
        each = [f"{n:,}: {with_unit(np.median(c), 's')}" for n, c in costs.items()]
        lines.append(f"- {what}, the cost of one: {', '.join(each)}.")
    return REPORT.format(
        rounds=rounds,
        table="\n".join(map(table_line, rows)),
        scaling="\n".join(lines),
        machine="\n".join(f"- {what}: {value}" for what, value in about.items()),
    )


RACES = {
    "images": images_a_second,
    "floor": to_the_floor,
    "memory": memory,
    "mlps": many_mlps,
    "factorisations": many_factorisations,
    "sweep": rate_sweep,
    "descend": one_descent,
}
if os.name == "nt":  # Windows tells a process's memory in another way
    del RACES["memory"]


def write(out, rows, scaling, about, rounds):
    """Write BENCHMARKS.md, BENCHMARKS.json and the plot."""
    out.mkdir(parents=True, exist_ok=True)
    scaling_plot(scaling, out / "docs" / "scaling.png")
    text = report(rows, scaling, about, rounds)
    (out / "BENCHMARKS.md").write_text(text, encoding="utf-8")
    numbers = {
        "machine": about,
        "rounds": rounds,
        "rows": rows,
        "scaling": {
            what: {str(n): each.tolist() for n, each in costs.items()}
            for what, costs in scaling.items()
        },
    }
    text = json.dumps(numbers, indent=1, ensure_ascii=False)
    (out / "BENCHMARKS.json").write_text(text + "\n", encoding="utf-8")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="default: 7")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, for a test")
    parser.add_argument("--out", type=Path, default=ROOT, help="folder to write into")
    names = ", ".join(RACES)
    parser.add_argument(
        "--only", nargs="+", help=f"print some of {names}; write nothing"
    )
    parser.add_argument("--peak", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.peak:
        which, path, k = options.peak
        return print_peak(which, path, int(k))
    size = QUICK if options.quick else FULL
    speed = {dtype: product_speed(dtype) for dtype in (torch.float32, torch.float64)}
    rows = []
    for name in options.only or RACES:
        found = race_rows(RACES[name](size, speed), options.rounds)
        print("\n".join(map(table_line, found)), flush=True)
        rows += found
    if options.only:
        return None
    scaling = measure_scaling(size, options.rounds)
    rows += [scaling_row(what, costs) for what, costs in scaling.items()]
    write(options.out, rows, scaling, machine(speed), options.rounds)
    print(f"Written: {options.out / 'BENCHMARKS.md'}")
    return None


if __name__ == "__main__":
    main()
