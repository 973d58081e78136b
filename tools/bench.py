"""Time the trainers beside what one would use instead: ``make bench``.

A race has our entry and its rivals. They run in turn, round after round, in one
process, so that whatever else the machine does falls on all of them. Each round gives
one ratio; the table has the median and the range.

A floor says what no program can undercut: the multiplications of our entry at the speed
of one large matrix product on this machine.

``--device cuda`` runs the races on a GPU. What was measured on another device stays.
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
from matplotlib import ticker
from sklearn.decomposition import PCA, IncrementalPCA, TruncatedSVD
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from labhelpers import data, descent, linalg, minibatch, plots, training
from tools.matrix import processor

ROOT = Path(__file__).resolve().parents[1]
PIXELS = 3072


class Size(NamedTuple):
    """How much is raced; ``k`` hidden units, ``steps`` of the factorisation and A·B."""

    images: int
    loop_images: int
    k: int
    mlps: int
    given_mlps: int
    factorisations: int
    steps: int
    repeats: int
    product: int  # rows of the matrix whose product gives the speed


CPU = Size(50_000, 20, 50, 1000, 1_000_000, 200, 1000, 5, 1024)
QUICK = Size(1_500, 2, 5, 10, 10, 10, 10, 1, 256)
SIZES = {"cpu": CPU, "cuda": CPU._replace(product=8192), "quick": QUICK}
LEFT_OUT = {"cpu": ["given mlps"], "cuda": ["memory", "pack"], "quick": ["pack"]}


class Entry(NamedTuple):
    """``cost()`` runs it once and returns the cost of one unit (seconds, bytes)."""

    name: str
    cost: Callable
    reach: str = ""  # on a CPU, such as "≥ 25" (theirs over ours) or "≤ 3" (ours)
    end: float | None = None  # its loss over the floor of lab 05


class Race(NamedTuple):
    """``unit`` such as "s an image"; ``floor``, the least cost of our entry."""

    title: str
    unit: str
    ours: Entry
    rivals: list
    floor: float | None
    limits: dict = {}  # the most that our entry may cost, by device


class Place(NamedTuple):
    """Where is raced, and the multiplications a second of a large matrix product."""

    size: Size
    device: str
    speed: dict

    def clock(self, run, units=1):
        """Return a function that times the run and returns the seconds for one unit."""
        return lambda: seconds(run, self.device) / units

    def timed(self, run, units=1):
        """Run it once, as what happens only once is left out, and return its clock."""
        run()
        return self.clock(run, units)

    def floor(self, multiplications, dtype):
        return multiplications / self.speed[dtype]

    def pixels(self):
        """Return the images as bytes, in main memory and on the device."""
        pixels = data.photo_patches(self.size.images, seed=0).pixels
        return pixels, torch.from_numpy(pixels).to(self.device)


def product_speed(n, dtype, device):
    """Return how many multiplications a second a product of n × n matrices reaches."""
    a = torch.rand(n, n, dtype=dtype, device=device)
    seconds(lambda: a @ a, device)
    return n**3 / min(seconds(lambda: a @ a, device) for _ in range(10))


def seconds(run, device):
    """Run it; return how long it took until the device was done."""
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    wait()
    start = time.perf_counter()
    run()
    wait()
    return time.perf_counter() - start


def measure(entries, rounds):
    """Run the entries in turn; return their costs, shape (rounds, entries)."""
    costs = np.empty((rounds, len(entries)))
    for number in range(rounds):
        order = range(len(entries))
        for i in order if number % 2 == 0 else reversed(order):
            costs[number, i] = entries[i].cost()
    return costs


# --- Races ---------------------------------------------------------------------------


def autoencoder_work(images, k):
    """Count the multiplications of a scaled epoch: z A and zᵀY."""
    return 2 * images * PIXELS * k


def one_image_loop(images, k):
    """Train as lab 05 begins: image by image, A @ B @ z, the losses in a list."""
    g = torch.Generator().manual_seed(0)
    A = (torch.randn(PIXELS, k, generator=g) / k).to(images.device).requires_grad_()
    B = (torch.randn(k, PIXELS, generator=g) / k).to(images.device).requires_grad_()
    losses = []
    for z in data.scale_pixels(images).unsqueeze(-1):
        loss = ((z - A @ B @ z) ** 2).sum() / 2
        loss.backward()
        with torch.no_grad():
            for p in (A, B):
                p -= 1e-6 * p.grad
                p.grad = None
        losses.append(loss)


def images_a_second(place):
    _, images = place.pixels()
    n, k, few = len(images), place.size.k, images[: place.size.loop_images]

    def ours():
        minibatch.train_autoencoder_minibatch(images, k, seed=0)

    def theirs():
        one_image_loop(few, k)

    return Race(
        f"Lab 05, one epoch of {n:,} images",
        "s an image",
        Entry("scaled descent", place.timed(ours, n)),
        [
            Entry(
                "one image at a time, A @ B @ z",
                place.timed(theirs, len(few)),
                "≥ 3500",
            )
        ],
        place.floor(autoencoder_work(1, k), torch.float32),
        {"cuda": 1e-6},
    )


TRAINERS = {
    "scaled descent": {},
    "Muon": {"optimizer": minibatch.Muon, "lr": 0.02, "batch_size": 256},
    "Adam": {"optimizer": torch.optim.Adam, "lr": 0.001, "batch_size": 256},
}


def lowest_loss(pixels, k):
    moment = linalg.second_moment(pixels, scale=data.scale_pixels)
    return linalg.principal_components(moment, k).floors[-1]


def trainer(name, place, images, floor):
    """Return ``fit(epochs)``, an entry that trains for so many of them."""

    def fit(epochs):
        options = TRAINERS[name] | {"num_epochs": epochs, "seed": 0}

        def run(floor=None):
            k, train = place.size.k, minibatch.train_autoencoder_minibatch
            return train(images, k, floor=floor, **options)

        each = f"{epochs} epoch{'s' * (epochs > 1)}"
        return Entry(f"{name}, {each}", place.clock(run), end=float(run(floor).ratio))

    return fit


def first(make):
    """Return the least number, and its entry, that ends within 1 % of the floor."""
    entries = ((n, make(n)) for n in range(1, 100))
    return next((n, entry) for n, entry in entries if entry.end <= 1.01)


def to_the_floor(place):
    pixels, images = place.pixels()
    n, k = len(pixels), place.size.k
    floor = lowest_loss(pixels, k)
    z = data.scale_pixels(pixels)  # scikit-learn's are given this; the others scale
    mean = z.mean(axis=0)

    def end(axes, mean):
        rest = z - mean
        lost = (rest**2).sum(dtype=float) - ((rest @ axes) ** 2).sum(dtype=float)
        return float(lost / 2 / n / floor)

    def scikit(name, model, *, reach="", mean=mean):
        axes = model.fit(z).components_.T
        return Entry(name, place.clock(lambda: model.fit(z)), reach, end(axes, mean))

    def incremental():  # far slower: once is enough
        model = IncrementalPCA(k, batch_size=100)
        cost = seconds(lambda: model.fit(z), place.device)
        axes = model.components_.T
        return Entry("IncrementalPCA, run once", lambda: cost, end=end(axes, mean))

    def lowrank(niter):
        def run():
            return torch.pca_lowrank(data.scale_pixels(images), k, niter=niter)[2]

        return Entry(
            f"torch.pca_lowrank, niter={niter}",
            place.clock(run),
            "≥ 2",
            end(run().cpu().numpy(), mean),
        )

    pca = PCA(k, svd_solver="randomized", random_state=0)
    epochs, ours = first(trainer("scaled descent", place, images, floor))
    return Race(
        f"Lab 05, to within 1 % of the floor, {n:,} images",
        "s",
        ours,
        [
            scikit("PCA, randomised", pca, reach="≥ 4"),
            scikit("TruncatedSVD", TruncatedSVD(k, random_state=0), mean=0),
            incremental(),
            first(lowrank)[1],
            first(trainer("Muon", place, images, floor))[1],
        ],
        place.floor(epochs * autoencoder_work(n, k), torch.float32),
        {"cuda": 0.15},
    )


def curves(place, rounds):
    """Return {trainer: [[seconds, loss over the floor] after 1, 2 and 4 epochs]}."""
    pixels, images = place.pixels()
    floor, found = lowest_loss(pixels, place.size.k), {}
    for name in TRAINERS:
        entries = [trainer(name, place, images, floor)(n) for n in (1, 2, 4)]
        costs = np.median(measure(entries, min(rounds, 3)), axis=0)
        found[name] = [[float(c), entry.end] for c, entry in zip(costs, entries)]
    return found


def memory(place):
    pixels, _ = place.pixels()

    def peak(which):
        def cost():
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "images.bin"
                pixels.tofile(path)
                options = ["--peak", which, str(path), str(place.size.k)]
                command = [sys.executable, "-m", "tools.bench", *options]
                return float(subprocess.check_output(command, cwd=ROOT, text=True))

        return cost

    return Race(
        f"Lab 05, peak memory, {len(pixels):,} images mapped from disk",
        "bytes",
        Entry("scaled descent", peak("ours")),
        [Entry("PCA, randomised", peak("theirs"), "≥ 5")],
        pixels.nbytes,  # pages of the file count once they have been read
    )


def print_peak(which, path, k):
    """Print how far memory grows beyond the imports; runs in a process of its own."""
    images = np.memmap(path, np.uint8, "r").reshape(-1, PIXELS)
    before = peak_memory()
    if which == "ours":
        minibatch.train_autoencoder_minibatch(images, k, seed=0)
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


def iris_tensors(runs, device="cpu"):
    """Return many training sets: (runs, 100, 4) and their classes, (runs, 100)."""
    iris = data.load_iris()
    X = torch.tensor((iris.features - iris.features.mean(0)) / iris.features.std(0))
    X, y = X.float().to(device), torch.tensor(iris.labels).to(device)
    g = torch.Generator().manual_seed(0)
    rows = torch.rand(runs, 150, generator=g).to(device).argsort(dim=-1)[:, :100]
    return X[rows], y[rows]


def mlp_work(runs):
    """Count the multiplications of 100 epochs; no gradient is taken to the data."""
    forward, backward = 4 * 12 + 12 * 3, 4 * 12 + 2 * 12 * 3
    return runs * 100 * 100 * (forward + backward)


def draw_mlps(*runs, device):
    """Draw the weights of networks with 12 hidden units, and biases of 0."""
    g = torch.Generator().manual_seed(0)
    W1, W2 = (
        torch.randn(*runs, *s, generator=g).to(device) for s in [(4, 12), (12, 3)]
    )
    b1, b2 = (torch.zeros(*runs, n, device=device) for n in (12, 3))
    return W1, b1, W2, b2


def one_mlp(X, y):
    """Train one network as lab 03 does by hand."""
    W1, b1, W2, b2 = (p.requires_grad_() for p in draw_mlps(device=X.device))
    for _ in range(100):
        logits = torch.relu(X @ W1 + b1) @ W2 + b2
        torch.nn.functional.cross_entropy(logits, y).backward()
        with torch.no_grad():
            for p in (W1, b1, W2, b2):
                p -= 0.01 * p.grad
                p.grad = None


def many_mlps(place):
    n = place.size.mlps
    X, y = iris_tensors(n, place.device)
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
    one_X, one_y = X[0].cpu().numpy(), y[0].cpu().numpy()

    def theirs():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            scikit.fit(one_X, one_y)

    by_hand = place.timed(lambda: one_mlp(X[0], y[0]))
    return Race(
        f"Lab 03, {n:,} MLPs in float32, 100 epochs",
        "s a run",
        Entry("one batch", place.timed(lambda: training.train_mlp(X, y, seed=0), n)),
        [
            Entry("autograd loop, one run", by_hand, "≥ 40"),
            Entry("MLPClassifier, one run", place.timed(theirs), "≥ 40"),
        ],
        place.floor(mlp_work(1), torch.float32),
    )


def given_mlps(place):
    n = place.size.given_mlps
    X, y = iris_tensors(n, place.device)
    start = draw_mlps(n, device=place.device)

    def ours():
        training.train_mlp(X, y, start=start)

    return Race(
        f"Lab 03, {n:,} MLPs in float32 from a given start, 100 epochs",
        "s a run",
        Entry("one batch", place.timed(ours, n)),
        [],
        place.floor(mlp_work(1), torch.float32),
        {"cuda": 10e-6},
    )


def iris_matrix(device):
    A = torch.tensor(data.load_iris().features)
    return (A - A.mean(dim=0)).to(device)


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


def draw_factors(device):
    g = torch.Generator().manual_seed(0)
    return [descent.uniform(n, 2, generator=g).to(device) for n in (150, 4)]


def many_factorisations(place):
    A, start = iris_matrix(place.device), draw_factors(place.device)
    runs, steps = place.size.factorisations, place.size.steps

    def ours():
        training.factorise(A, 2, runs=runs, num_epochs=steps, seed=0)

    by_hand = place.timed(lambda: factorise_by_hand(A, *start, steps))
    return Race(
        f"Lab 01, {runs} factorisations of Iris, {steps:,} epochs",
        "s a run",
        Entry("one batch", place.timed(ours, runs)),
        [Entry("autograd loop, one run", by_hand, "≥ 20")],
        place.floor(factorisation_work(steps), torch.float64),
    )


def rate_sweep(place):
    z = descent.normal(100, 100, generator=torch.Generator().manual_seed(0))
    z, steps = z.to(place.device), place.size.steps
    rates = torch.logspace(-5, -2.7, 12)

    def train(lr):
        return lambda: training.train_autoencoder(
            z, 50, num_epochs=steps, lr=lr, seed=0
        )

    return Race(
        f"Lab 04, sweep of 12 rates, {steps:,} steps",
        "s",
        Entry("12 rates", place.timed(train(rates))),
        [Entry("one rate", place.timed(train(1e-3)), "≤ 3")],
        place.floor(12 * 5 * 100 * 100 * 50 * steps, torch.float64),
    )


def one_descent(place):
    A, start = iris_matrix(place.device), draw_factors(place.device)
    repeats, steps = place.size.repeats, place.size.steps

    def loss(U, V):
        return ((A - U @ V.T) ** 2).sum()

    def ours():
        for _ in range(repeats):
            descent.descend(loss, start, lr=0.01, steps=steps)

    def by_hand():
        for _ in range(repeats):
            factorise_by_hand(A, *start, steps)

    return Race(
        f"Lab 01, one factorisation, {steps:,} epochs",
        "s",
        Entry("descend", place.timed(ours, repeats)),
        [Entry("the loop of lab 01", place.timed(by_hand, repeats), "≤ 1.1")],
        place.floor(factorisation_work(steps), torch.float64),
    )


def pack(place):
    """Run all labs and compare their outputs, one lab a core."""
    options = ["-q", "--nbval", "--nbval-current-env", "--nbval-cell-timeout=300"]
    options += ["-n", "auto", "--dist", "loadfile", "--no-loadscope-reorder"]
    command = [sys.executable, "-m", "pytest", *options, "notebooks"]
    once = {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1", "CIFAR10_DIR": "none"}
    once |= {"LAB_VIEW": "static"}

    def run():
        subprocess.run(command, cwd=ROOT, env=os.environ | once, check=True)

    cost = seconds(run, place.device)  # a minute: once is enough
    return Race(
        "The whole pack under nbval, run once",
        "s",
        Entry("all labs, one on each core", lambda: cost),
        [],
        None,
        {"cpu": 75},
    )


# --- The table -----------------------------------------------------------------------

RACES = {
    "images": images_a_second,
    "floor": to_the_floor,
    "memory": memory,
    "mlps": many_mlps,
    "given mlps": given_mlps,
    "factorisations": many_factorisations,
    "sweep": rate_sweep,
    "descend": one_descent,
    "pack": pack,
}
if os.name == "nt":  # Windows tells a process's memory in another way
    del RACES["memory"]


def row(race, costs, rival=None, rival_costs=None, *, device):
    """Return a comparison, or our cost alone, as a dict ready for JSON.

    Ratios have a reach on a CPU, where every entry runs; costs have limits anywhere.
    """
    cost, limit = float(np.median(costs)), race.limits.get(device)
    found = {
        "title": race.title,
        "unit": race.unit,
        "ours": race.ours.name,
        "our_end": race.ours.end,
        "our_costs": costs.tolist(),
        "floor": race.floor,
        "times_the_floor": cost / race.floor if race.floor else None,
    }
    if rival is None:
        reach = f"≤ {with_unit(limit, race.unit)}" if limit else ""
        return found | {"reach": reach, "reached": not limit or cost <= limit}
    reach = rival.reach if device == "cpu" else ""
    smaller = rival.reach.startswith("≤")
    ratios = costs / rival_costs if smaller else rival_costs / costs
    ratio, bound = float(np.median(ratios)), float(reach[2:] or "nan")
    at_the_floor = None
    if race.floor:
        least = race.floor / cost
        at_the_floor = ratio * least if smaller else ratio / least
    return found | {
        "theirs": rival.name,
        "their_end": rival.end,
        "their_costs": rival_costs.tolist(),
        "ratio": ratio,
        "range": [float(ratios.min()), float(ratios.max())],
        "at_the_floor": at_the_floor,
        "reach": reach,
        "reached": not reach or (ratio <= bound if smaller else ratio >= bound),
    }


def race_rows(race, rounds, device):
    costs = measure([race.ours, *race.rivals], rounds).T
    rows = [
        row(race, costs[0], rival, rival_costs, device=device)
        for rival, rival_costs in zip(race.rivals, costs[1:])
    ]
    if device in race.limits or not rows:
        rows.insert(0, row(race, costs[0], device=device))
    return rows


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


def entry_cell(name, end, costs, unit):
    name = name if end is None else f"{name} ({end:.4f})"
    return f"{name}: {with_unit(np.median(costs), unit)}"


def table_line(row):
    unit, floor = row["unit"], row["floor"]
    theirs, ratio, at_the_floor = "–", "–", "–"
    if "theirs" in row:
        theirs = entry_cell(row["theirs"], row["their_end"], row["their_costs"], unit)
        low, high = row["range"]
        ratio = f"**{short(row['ratio'])}** ({short(low)} – {short(high)})"
        at_the_floor = short(row["at_the_floor"]) if floor else "–"
    cells = [
        row["title"],
        entry_cell(row["ours"], row["our_end"], row["our_costs"], unit),
        theirs,
        ratio,
        f"{row['reach']} {'✓' if row['reached'] else '✗'}" if row["reach"] else "–",
        with_unit(floor, unit) if floor else "–",
        at_the_floor,
    ]
    return f"| {' | '.join(cells)} |"


def machine(place):
    """Say what this was measured on."""
    card = {"card": torch.cuda.get_device_name()} if place.device == "cuda" else {}
    product = "10⁹ multiplications a second"
    return card | {
        "date": date.today().isoformat(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        f"float32, {product}": round(place.speed[torch.float32] / 1e9, 1),
        f"float64, {product}": round(place.speed[torch.float64] / 1e9, 1),
    }


# --- The picture and the report ------------------------------------------------------


def race_points(table):
    """Return {name: [(seconds, loss over the floor), …]} of the race to the floor."""
    points = {name: list(map(tuple, each)) for name, each in table["curves"].items()}
    for row in table["rows"]:
        if row.get("their_end") and not row["theirs"].startswith(tuple(points)):
            name = row["theirs"].split(",")[0]
            points[name] = [(float(np.median(row["their_costs"])), row["their_end"])]
    return points


NEAR = 1e-4  # a loss nearer to the floor, or below it, is drawn so far above it


def race_plot(points, path):
    """Draw how far above the floor each ends, over the seconds it takes."""
    ax = plots.axes(height=4.2)
    for name, each in points.items():
        x, ends = zip(*each)
        y = [max(end - 1, NEAR) for end in ends]
        ours = name in TRAINERS
        colour = plots.COLOURS[list(TRAINERS).index(name)] if ours else "0.35"
        ax.plot(x, y, color=colour, linestyle="-", marker="o" if ours else "D")
        style = {"color": colour, "fontsize": 9, "ha": "center"}
        offset = {"xytext": (0, 8 if ours else -15), "textcoords": "offset points"}
        ax.annotate(name, (x[0], y[0]), **offset, **style)
    ax.axhline(0.01, **plots.FLOOR)
    ax.set(xlabel="seconds", ylabel="loss above the floor", xscale="log", yscale="log")
    ax.margins(x=0.2, y=0.1)
    ax.xaxis.set_major_locator(ticker.LogLocator(subs=[1, 2, 5]))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter("")
    ticks = {NEAR: "≤ 0.01 %", 1e-3: "0.1 %", 1e-2: "1 %", 1e-1: "10 %", 1: "100 %"}
    ax.set_yticks(list(ticks), list(ticks.values()))
    path.parent.mkdir(exist_ok=True)
    ax.figure.savefig(path)
    plt.close(ax.figure)


def race_alt(points):
    """Say in words what the picture shows."""
    told = []
    for name, each in points.items():
        steps = [
            f"{short(100 * max(e - 1, 0))} % after {with_unit(s, 's')}" for s, e in each
        ]
        told.append(f"{name}: {', then '.join(steps)}")
    return (
        "Loss above the floor over seconds, both on logarithmic axes, with a line at "
        f"1 %. {'; '.join(told)}."
    )


REPORT = """# Benchmarks

Written by `make bench`. The entries of each row were measured side by side in one
process, in turn, round after round. Costs are medians; a ratio is the median of the
rounds, with its range: under ≥ theirs over ours, under ≤ ours over theirs.

The floor is the number of multiplications that our entry needs, at the speed of one
large matrix product on this machine; for memory, the size of the images. *At the floor*
is what the ratio would be if ours cost no more than that. Images are patches of
photographs, in the shape of CIFAR-10. The rivals of scikit-learn get them scaled
beforehand; all others scale them in the time that counts. A figure behind an entry, as
in (1.0097), says where it ends: its loss over the floor of lab 05. PCA takes the mean
away first, so it can end below 1. Where the time goes, and what was tried, is told in
[docs/benchmarks.md](docs/benchmarks.md).
"""

SECTION = """
## {title}

{rounds} rounds.

| what | ours | theirs | ratio | reach | floor | at the floor |
| --- | --- | --- | --- | --- | --- | --- |
{table}

The race to the floor of lab 05, each trainer after 1, 2 and 4 epochs:

![{alt}](docs/race-{device}.png)

{machine}
"""


def section(device, table):
    about = table["machine"]
    return SECTION.format(
        title=about.get("card", f"{about['processor']}, {about['cores']} cores"),
        rounds=table["rounds"],
        table="\n".join(map(table_line, table["rows"])),
        alt=race_alt(race_points(table)),
        device=device,
        machine="\n".join(f"- {what}: {value}" for what, value in about.items()),
    )


def write(out, device, table):
    """Write BENCHMARKS.md, BENCHMARKS.json and the picture; keep other devices."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "BENCHMARKS.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    tables = known.get("devices", {}) | {device: table}
    text = json.dumps({"devices": tables}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    race_plot(race_points(table), out / "docs" / f"race-{device}.png")
    sections = "".join(section(name, tables[name]) for name in sorted(tables))
    (out / "BENCHMARKS.md").write_text(REPORT + sections, encoding="utf-8")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
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
    device, rounds = options.device, options.rounds
    name = "quick" if options.quick else device
    size, dtypes = SIZES[name], (torch.float32, torch.float64)
    speed = {dtype: product_speed(size.product, dtype, device) for dtype in dtypes}
    here, rows = Place(size, device, speed), []
    for race in options.only or (r for r in RACES if r not in LEFT_OUT[name]):
        found = race_rows(RACES[race](here), rounds, device)
        print("\n".join(map(table_line, found)), flush=True)
        rows += found
    if not options.only:
        found = {"machine": machine(here), "rounds": rounds, "rows": rows}
        write(options.out, device, found | {"curves": curves(here, rounds)})
        print(f"Written: {options.out / 'BENCHMARKS.md'}")
    return None


if __name__ == "__main__":
    main()
