"""The exercises of lab 05."""

import itertools

import numpy as np
import torch

from labchecks.cases import BOTH, Case, Cost, asked, cases, nearest, number_to_find
from labchecks.follow import CLEAR, Descent, HandedIn, Training
from labchecks.predictions import predictions
from labchecks.readers import (
    STEP,
    Loss,
    Losses,
    Matrix,
    Numbers,
    Tensors,
    gradients,
    say_gradients,
    value,
)
from labchecks.student import Hint
from labchecks.verdicts import progress as progress
from labchecks.verdicts import strict as strict

COUNT, CRASH = "lab 05, Where the 43 minutes went", "lab 05, A list of losses"
LOSS, LOOP = "lab 05, Exercise 5.2", "lab 05, Exercise 5.3"
CRAWL = "lab 05, Why plain descent crawls"
THREE = "Return three things: A, B and the list of losses."
NO_HALF = Hint("The factor ½ is missing.", LOSS)
SUM = Hint("The loss is the mean over the pictures, not their sum.", LOSS)
PIXELS = Hint("The mean is over pictures alone: add up the pixels of each.", LOSS)

LENGTH = Hint(
    "batch_size is the number of rows in a batch; other batches are cut.", LOOP
)
EXCHANGED = Hint(
    "A and B are exchanged: B encodes. As rows, A B z is images @ B.T @ A.T.",
    "lab 05, Mini-batches",
)


# --- 5.1 ------------------------------------------------------------------------------


@cases(
    "5.1",
    Numbers(
        "two numbers",
        "each count",
        "Return two counts: of (A @ B) @ z, and then of A @ (B @ z).",
    ),
    sizes=[()] * 3,
)
def multiplications(rng):
    """Compare multiplications with the counts for three sizes."""
    n, k = int(rng.integers(20, 40)), int(rng.integers(3, 8))
    left, right, first = n * k * n + n * n, 2 * n * k, n * k * n
    slips = [
        ("They come in the other order: (A @ B) @ z first.", [right, left]),
        (
            "Count multiplications alone: the additions are in it, too.",
            [2 * left, 2 * right],
            [first + n * n * (k - 1) + n * (2 * n - 1), 4 * n * k - n - k],
        ),
        (
            "The second product is missing: (A @ B) still multiplies z.",
            [first, right],
            [first, n * k],
        ),
        ("A @ (B @ z) takes two products: one is missing.", [left, n * k]),
        (
            "Add the two products, they come one after the other.",
            [first * n * n, (n * k) ** 2],
        ),
        (
            "A @ B is n × n: k is the length that is summed, not a side.",
            [k * n * k + k * k, right],
        ),
        ("A @ B is n × n, and each entry takes k multiplications.", [2 * n * n, right]),
        (
            "B @ z is k × 1: A has to multiply k numbers.",
            [left, k * n + n * n],
            [left, k * n + n],
        ),
        ("z is n × 1, a single picture.", [first + n**3, k * n * n + n * k * n]),
        (
            "Those are the numbers of the lab: compute them from n and k.",
            [481_296_384, 307_200],
        ),
    ]

    def say(pair):
        return f"({pair[0]:g}, {pair[1]:g}) for n = {n}, k = {k}"

    otherwise = "Write p · q · r for each of the two products, and add."
    return Case([left, right], slips, otherwise, (n, k), say=say, where=COUNT, tol=1e-9)


# --- 5.2 and 5.3 ----------------------------------------------------------------------


def _problem(rng, n, k, m):
    """Draw A, B and images, with plain numbers all over."""
    A, B = 0.5 * rng.normal(size=(n, k)), 0.5 * rng.normal(size=(k, n))
    return A, B, rng.normal(size=(m, n))


def _rest(A, B, images):
    return images - images @ B.T @ A.T


def _loss(A, B, images):
    return float((_rest(A, B, images) ** 2).sum() / (2 * len(images)))


def _gradient(A, B, images):
    E, m = _rest(A, B, images), len(images)
    return [-E.T @ (images @ B.T) / m, -A.T @ E.T @ images / m]


@cases(
    "5.2",
    Loss("One number for the whole batch: take the mean over the pictures, too."),
    sizes=[(6, 2, 4), (5, 3, 7), (40, 2, 5)],
    dtypes=[*BOTH, torch.float64],
)
def minibatch_loss(rng, n, k, m):
    """Compare minibatch_loss and its gradient with formulas, and count its work."""
    A, B, Z = given = _problem(rng, n, k, m)
    right, E = _loss(*given), _rest(*given)
    lengths = np.linalg.norm(E, axis=1)

    def halved(*values):
        return [half * value for half in (1, 2) for value in values]

    slips = [
        (PIXELS, *halved(right / n)),
        (SUM, *halved(right * m)),
        (
            Hint("Divide by the number of pictures, not by that of pixels.", LOSS),
            *halved(right * m / n),
        ),
        (
            Hint("The norm is to be squared.", LOSS),
            *halved(lengths.mean() / 2, np.linalg.norm(E) / (2 * m)),
            *halved(np.linalg.norm(E) / 2),
        ),
        (
            "The differences are to be squared.",
            *halved(np.abs(E).sum() / (2 * m), E.sum() / (2 * m)),
        ),
        ("Compare the copies with images.", *halved(((Z - E) ** 2).sum() / (2 * m))),
        (EXCHANGED, *halved(((Z - Z @ A @ B) ** 2).sum() / (2 * m))),
        (NO_HALF, 2 * right),
        ("½ is there twice.", right / 2),
        ("Only the first picture counts.", (E[0] ** 2).sum() / 2),
    ]
    otherwise = "It is the mean over the pictures z of ½ ‖z − A B z‖²."
    cut = Hint("A gradient is wrong: is a factor detached?", LOSS)
    cheap = 2 * m * n * k
    dear = "A product with n × n entries is made, such as A @ B. Take B first: "
    work = Cost(
        given,
        of="multiplications",
        most=2 * cheap,
        seen=f"{{}} multiplications for {m} pictures of {n} pixels, k = {k}",
        expected=f"{cheap} multiplications",
        hint=Hint(dear + "(images @ B.T) @ A.T.", COUNT),
    )
    slope = Case(_gradient(*given), otherwise=cut, part=gradients, say=say_gradients)
    judged = [Case(right, slips, otherwise, given, value, where=LOSS, tol=1e-5), slope]
    return [work] if n == 40 else judged


@cases(
    "5.3",
    Tensors(("A", "B"), THREE, with_losses=True),
    sizes=[(6, 2, 10, 4), (5, 3, 7, 3)],
    dtypes=BOTH,
)
def train_epoch(rng, n, k, m, size):
    """Follow train_epoch for one batch, then for three, and compare its losses."""
    A, B, images = _problem(rng, n, k, m)
    lr, batches = 0.02, np.split(images, range(size, m, size))
    path = _path(A, B, batches, lr)

    def one_batch(lr, steps):  # the same batch again and again
        repeated = np.tile(images, (steps, 1))
        return A, B, repeated, {"batch_size": m, "lr": lr}

    training = Training(
        given=(A, B),
        right=[A, B],
        by_book=lambda start: _one_batch_by_book(A, B, images, lr),
        start=HandedIn([A, B]),
        lr=lr,
        steps=1,
        called=one_batch,
    )
    given = (A, B, images, {"batch_size": size, "lr": lr})
    return [
        training,
        _ends(A, B, batches, lr)._replace(given=given),
        _losses(path, batches),
    ]


def _one_batch_by_book(A, B, images, lr):
    m, n = images.shape
    Z = torch.tensor(images)

    def loss(A, B):
        return ((Z - Z @ B.T @ A.T) ** 2).sum() / (2 * m)

    def by(batches):  # a loss of which one step leads where these batches lead
        end = _path(A, B, batches, lr)[-1]
        slopes = [torch.tensor((p - e) / lr) for p, e in zip((A, B), end)]
        return lambda *params: sum((p * s).sum() for p, s in zip(params, slopes))

    in_turn = "Each row of a batch is to be in one batch alone: i, i + batch_size, …"
    slips = [
        (NO_HALF, 2),
        (SUM, m, 2 * m),
        (PIXELS, 1 / n, 2 / n),
        (LENGTH, by(np.split(images, m))),
        ("That is more than one pass over the pictures.", by([images] * 2)),
        (in_turn, by([images[i:] for i in range(m)])),
    ]
    return Descent(("A", "B"), [A, B], loss, slips)


def _path(A, B, batches, lr, *, keep=0, whole=None):
    """Return A, B before each update and after the last.

    ``keep`` is the share of old gradients that stays, ``whole`` a size by which each
    batch is divided, instead of its own.
    """
    path, sums = [[A, B]], [0.0, 0.0]
    for batch in batches:
        gradient = _gradient(*path[-1], batch)
        weight = len(batch) / whole if whole else 1
        sums = [keep * s + weight * g for s, g in zip(sums, gradient)]
        path.append([p - lr * s for p, s in zip(path[-1], sums)])
    return path


def _ends(A, B, batches, lr):
    """State where an epoch ends, by how far A and B have moved."""
    images, count = np.concatenate(batches), len(batches)

    def moved(batches, **slip):
        end = _path(A, B, batches, lr, **slip)[-1]
        return [end[0] - A, end[1] - B]

    slips = [
        (
            Hint("The gradients are not cleared: backward() adds to them.", CLEAR),
            moved(batches, keep=1),
        ),
        (
            "That is one update for all pictures: update after each batch.",
            moved([images]),
        ),
        (
            "Only one update, by the first batch: is return in the loop?",
            moved(batches[:1]),
        ),
        (
            "Only one update, by the last batch: is it after the loop?",
            moved(batches[-1:]),
        ),
        ("The last, smaller batch is dropped: it counts, too.", moved(batches[:-1])),
        (
            "Each update takes all pictures: use the batch in the loss.",
            moved([images] * count),
        ),
        (
            "Each update takes the first batch again: use the next one.",
            moved(batches[:1] * count),
        ),
        (
            "The last batch is smaller: divide by its own length.",
            moved(batches, whole=len(batches[0])),
        ),
        (
            "The batches come in another order: take the rows in turn.",
            moved(batches[::-1]),
        ),
    ]

    def say(moved):
        sizes = [f"{n} by {np.linalg.norm(x):.4g}" for n, x in zip("AB", moved)]
        lengths = ", ".join(str(len(batch)) for batch in batches)
        return f"batches of {lengths} pictures moved {' and '.join(sizes)}"

    def moves(result, given):
        return [end - start for end, start in zip(result[0], (A, B))]

    otherwise = "One batch is right, several are not: in the order they come, with one "
    otherwise += "update each?"
    said = {"say": say, "where": STEP, "tol": 1e-3}
    return Case(moved(batches), slips, otherwise, part=moves, **said)


def _losses(path, batches):
    """State the losses of an epoch."""
    right = [_loss(*at, batch) for at, batch in zip(path, batches)]
    images = np.concatenate(batches)
    slips = [
        (
            "That is the loss after the update: compute it before.",
            [_loss(*at, batch) for at, batch in zip(path[1:], batches)],
        ),
        (
            "Each loss is that of its own batch, not of all pictures.",
            [_loss(*at, images) for at in path[:-1]],
            [_loss(*at, images) for at in path[1:]],
        ),
        (
            "The losses are those of the start: use the A, B that were updated.",
            [_loss(*path[0], batch) for batch in batches],
        ),
        ("Only one loss: append one for each batch.", right[-1:], right[:1]),
        ("The mean comes later: append one loss for each batch.", [np.mean(right)]),
        ("The losses are added up: append each alone.", list(np.cumsum(right))),
        (SUM, [loss * len(batch) for loss, batch in zip(right, batches)]),
        (NO_HALF, [2 * loss for loss in right]),
        (
            "There is one loss too many: here none comes after the last update.",
            lambda seen: [*right, seen[-1]],
        ),
    ]
    read = Losses(
        f"{len(right)} losses for {len(right)} batches",
        "losses is a list with one number for each batch.",
        Hint("Append loss.item(): a loss tensor keeps its whole graph.", CRASH),
    )
    otherwise = "One loss for each batch, before its update."
    return Case(right, slips, otherwise, part=read, say=read.say, tol=1e-5)


# --- 5.5 and 5.6 ----------------------------------------------------------------------


@asked("5.5", ("predicted_lr", "steps_tenfold"))
def spectrum_limits(values):
    """Compare [predicted_lr, steps_tenfold] with what the eigenvalues demand."""
    values = np.asarray(values, dtype=np.float64)
    first, last = float(values[0]), float(values[-1])
    right = 0.5 / first
    slips = [
        ("That is the largest stable rate itself: half of it is asked for.", 2 * right),
        ("The limit is 1 / λ₁ here, not 2 / λ₁; and take half.", 4 * right),
        ("That is halved twice.", right / 2),
        ("That is λ₅₀: λ₁, the largest, sets the limit.", 0.5 / last, 1 / last),
        ("That is λ₂: Python counts from 0.", 0.5 / values[1], 1 / values[1]),
        (
            "That is upside down: a rate is 1 divided by an eigenvalue.",
            first / 2,
            first,
        ),
        (
            "No square root, no square: λ₁ is an eigenvalue of S.",
            0.5 / first**0.5,
            0.5 / first**2,
        ),
        ("λ₁ alone sets the limit, not the sum.", 0.5 / values.sum()),
        ("λ₁ alone sets the limit, not the mean.", 0.5 / values.mean()),
    ]
    otherwise = "predicted_lr: above which rate is λ₁ unstable? Take half of that."
    rate = number_to_find(right, slips, otherwise, where=CRAWL)
    return [rate, _steps_tenfold(right * last)]


def _steps_tenfold(x):
    """State ln 10 / ln (1 + x)."""
    right, log = np.log(10) / np.log1p(x), np.log
    slips = [
        (
            "ln 10 is missing, or two kinds of logarithm are mixed.",
            1 / np.log1p(x),
            log(10) / np.log10(1 + x),
            log(10) / np.log2(1 + x),
            np.log2(10) / np.log1p(x),
        ),
        (
            "Growth is compounded: each step multiplies by 1 + lr λ, it doesn't add.",
            9 / x,
            10 / x,
            10 / (1 + x),
        ),
        ("That is λ₁: the part along component 50 grows by λ₅₀.", log(10) / log(1.5)),
        ("The rate is predicted_lr, half the largest stable one.", right / 2),
        (
            "The rate is predicted_lr, half the largest stable one: halved twice?",
            2 * right,
        ),
        (
            "The factor is 1 + lr λ₅₀: the 1 + is missing.",
            log(10) / log(x),
            -log(10) / log(x),
        ),
        ("A number of steps is positive: it grows by 1 + lr λ₅₀.", -right),
        ("That is upside down.", 1 / right),
        ("Those are epochs: count the steps.", right / 196),
        ("That is the growth in one step, not the number of steps.", 1 + x),
        ("That is doubling: tenfold is asked for.", log(2) / np.log1p(x)),
    ]
    otherwise = "steps_tenfold: how often must 1 + lr λ₅₀ be multiplied to make 10?"
    tol = max(0.01, 1 / right)
    return number_to_find(right, slips, otherwise, where=CRAWL, tol=tol)


@cases(
    "5.6",
    Matrix("the result", "Return one matrix, of the shape of the gradient: U @ Vt."),
    sizes=[(6, 3), (4, 4), (3, 5)],
    dtypes=[*BOTH, torch.float64],
)
def orthogonal(rng, m, n):
    """Compare orthogonal with U Vᵀ by NumPy, for tall, square and wide matrices."""
    U, s, Vt = np.linalg.svd(rng.normal(size=(m, n)), full_matrices=False)
    s = np.linspace(3, 0.5, len(s))
    G, right = U * s @ Vt, U @ Vt
    slips = [
        ("The gradient comes back: Σ is to be left out.", G),
        ("The sign is turned: it is U Vᵀ.", -right),
        (
            "All are divided by one number: Σ still differs.",
            G / np.linalg.norm(G),
            G / s[0],
        ),
        ("Divide by Σ once: twice makes it Σ⁻¹.", U / s @ Vt),
        ("Σ is to be left out, not squared.", U * s**2 @ Vt),
        ("Σ is to be left out: a root of it is in.", U * s**0.5 @ Vt),
        ("That is the sign of each entry, not of the SVD.", np.sign(G)),
        ("Columns of length 1 are not orthogonal yet.", G / np.linalg.norm(G, axis=0)),
        (
            "Rows of length 1 are not orthogonal yet.",
            G / np.linalg.norm(G, axis=1, keepdims=True),
        ),
    ]
    if U.shape == G.shape:  # with the signs that an SVD chooses
        signs = list(itertools.product([1, -1], repeat=len(s)))
        turned = "Vt is transposed already: U @ Vt, without .T."
        Q = np.linalg.qr(G)[0]
        slips += [
            ("U alone: Vᵀ is missing.", nearest([U * each for each in signs])),
            (turned, nearest([U * each @ (Vt.T * each) for each in signs])),
            ("That is Q of a QR decomposition.", Q, -Q),
        ]

    def say(X):
        rest = np.linalg.norm(X - right)
        values = [float(f"{v:.3f}") for v in np.linalg.svd(X, compute_uv=False)]
        return f"‖X − U Vᵀ‖ = {rest:.4f}, singular values {values}"

    otherwise = "With U, _, Vt = svd(gradient, full_matrices=False): U @ Vt."
    return Case(right, slips, otherwise, (G,), say=say, where=CRAWL, tol=1e-3)


prediction = predictions(
    "05",
    ratio="c-n1|O-{ow5QVSulr2#RL2ae3C?{aS231{5oJnmZwk!WAM2JiE2t65gXv>C$J=V;;H=oA)ebE#pidCI&Z5<bf+oQx+DsEAH*a%HCf>dUJ?ICP5L75{?&UR4*zfCoE3`!?VHut222CJOML~{vmK{%0ex!O7s0|yT;Z5%rYN#@8|gvq)A?VOsurg211BG@D{<6K=)|6|HhVLRSJ1xWH()i6=F>^zk5fvL-F&-JD$L9LAe>l#66_UL(Hw-DX|u3TQa?4NNKN%GZE$m+hWgtEg6UK7laoG8WM)aPx~<qS3{!M+5Okm#M&8SQU#=5ikJkOSyQ85NBg5+fW1we0eDws~wSyv^^{C7<OBJf2qTO;vm!egI0Dmnr",
    test_loss="c-l?S!D_=W3<ls=`SH1gu`(FF?HzU*r3W=uYEj1umP09{?_MP-Y!_kSU-E~K$3S6+a1JN0%kkIi0pSZnR;@^yqd`l)WAL^m#w2~4E1NgeAPqM%^g2#+<A|Z^*x}oAjjds#)+f(WWiXj=UH5#v`9x$pEE}aFs~N=b{<#B{xW3aWNs)4SN%s40le+FlXN+|Bn3OAY0KGykA!Hd{r3IAppO&&*dE4#-b1~-f@79p0M(1f+SU&BBafPfnOFHMc{luA(<dV2{;c<EbHpy)g",
    copies="c-n1{L2kn!5Jj)@<u&mEvg;YzO%-)9vBw4(g9SqztLoi5IEfNfT`>%A_<#QC)O69uk{W~NoZM(7aL)DCvyk)6*RwSEe$YoWpRr)34PsrG5C`0zKp6yIt|e_pIDyc_S*gT~Q06nI3M}r*9xh~I>g#k2Y>*=cUiGJ5N3xB@_ZZ!Ub>Qr&n+_EE!)l$dGRxNfas8hw+R2-%T;{vcGKXBtH&cZ%!~~|!?#f53PV8<(39&pINR04K#IqhM_b}JRne}mG#Zvncn_Bs>j4UaJk+W2CQK=wmBrz6GF5Dy2PUv;_L5y}NWyVSu&SvjF1F=yRWAJr5&fMbNQd)3Rgww>9w5NIDq#=Y2E7SC%+%`X7zbR;~>H",
    steps="c-n1HOKQVF486+3YhxyDQc9q==%$1$#<m;}u}5Y`ZZM_L270RAp@+yxDt}T4bTf>kC%w;Zmk9Zoq)6)Cmx0RZFE#hkdM)-hRf@M6zeV!GJz6_JYUhvO3XRQS)>~~*pz%d#gTOZI4^tT>=$E3Pbb$(S>~RQmLO#Ie+$(mx7D_k|vPG>M)TK~r#qmjMD0#(A31L1iJCR<=Pso_v`1nubD8u({P5~P;Nk!#?Dk`|`*pruuDgF_ul9}dVrbrQaS*yg6N{X7!sK_4GA-D5HDP2nuHY&d#vfEHq*|VMqRtPSt0~sUu`M#V#@r0FGn{?t>OfR#q%lSjcCR;yh$`+L^gv01+l^J91?zJ~+%<z0oNi{`yvY{FDY^tcMi;V$wT-2J``~DXI@Un{",
)
