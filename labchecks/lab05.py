"""The exercises of lab 05."""

import numpy as np
import torch

from labchecks.cases import BOTH, Case, Cost, asked, cases, number_to_find
from labchecks.follow import PARTLY, UNCLEARED, Descent, Training, of_loss
from labchecks.hunts import bug_hunt
from labchecks.predictions import predictions
from labchecks.readers import STEP, Loss, Losses, Matrix, Numbers, Tensors
from labchecks.student import Hint
from labchecks.verdicts import progress as progress
from labchecks.verdicts import strict as strict

COUNT, CRASH = "lab 05, Where the 43 minutes went", "lab 05, A list of losses"
LOSS, LOOP = "lab 05, Exercise 5.2", "lab 05, Exercise 5.3"
BATCHES, CRAWL = "lab 05, Mini-batches", "lab 05, How fast is plain descent?"
STRETCH = "lab 05, Divide the stretch out"
COUNTS = "Return two counts: of (A @ B) @ z, and then of A @ (B @ z)."
NO_HALF = Hint("The factor ½ is missing.", LOSS)
TWICE = Hint(
    "It is twice as long: is the factor ½ missing, or does 2 stand by lr?", LOSS
)
OVER = Hint("It is divided by the number of pictures twice: a mean is one once.", LOSS)
SUM = Hint("The loss is the mean over the pictures, not their sum.", LOSS)
PIXELS = Hint("The mean is over pictures alone: add up the pixels of each.", LOSS)
ONE = "One number for the whole batch: take the mean over the pictures, too."
THREE = "Return three things: A, B and the list of losses."
EACH = "losses is a list with one number for each batch."
ITEM = Hint("Append loss.item(): a loss tensor keeps its whole graph.", CRASH)
TRAINED = Tensors(("A", "B"), THREE, with_losses=True)
SHAPE = "Return one matrix, the new A: a tensor of the shape of A."


@cases("5.1", Numbers("two numbers", "each count", COUNTS), sizes=[()] * 3)
def multiplications(rng):
    """Compare multiplications with the counts for three sizes."""
    n, k = int(rng.integers(20, 40)), int(rng.integers(3, 8))
    product, one = n * k * n, n * k
    left, right = product + n * n, 2 * one
    flops = [product + n * n * (k - 1) + n * (2 * n - 1), 4 * one - n - k]
    additions = "Count multiplications alone: the additions are in it, too."
    second = "The second product is missing: (A @ B) still multiplies z."
    in_turn = "Add the two products, they come one after the other."
    side = "A @ B is n × n: k is the length that is summed, not a side."
    entries = "A @ B is n × n, and each entry takes k multiplications."
    code = "B @ z is k × 1: A has to multiply k numbers."
    of_lab = "Those are the numbers of the lab: compute them from n and k."
    slips = [
        ("They come in the other order: (A @ B) @ z first.", [right, left]),
        (additions, [2 * left, 2 * right], flops),
        (second, [product, right], [product, one]),
        ("A @ (B @ z) takes two products: one is missing.", [left, one]),
        (in_turn, [product * n * n, one**2]),
        (side, [k * n * k + k * k, right]),
        (entries, [2 * n * n, right]),
        (code, [left, one + n * n], [left, one + n]),
        ("z is n × 1, a single picture.", [product + n**3, 2 * product]),
        (of_lab, [481_296_384, 307_200]),
    ]

    def say(pair):
        return f"({pair[0]:g}, {pair[1]:g}) for n = {n}, k = {k}"

    otherwise = "Write p · q · r for each of the two products, and add."
    return Case([left, right], slips, otherwise, (n, k), say=say, where=COUNT, tol=1e-9)


def _loss(images, size=None):
    """Return the loss of a batch, divided by its own size or another."""
    Z = torch.tensor(images)

    def loss(A, B):
        return ((Z - Z @ B.T @ A.T) ** 2).sum() / (2 * (size or len(Z)))

    return loss


def _problem(rng, n, k, m, *, half=NO_HALF):
    """Draw A, B and images, with plain numbers all over; return their descent, too."""
    A, B = 0.5 * rng.normal(size=(n, k)), 0.5 * rng.normal(size=(k, n))
    images = rng.normal(size=(m, n))
    slips = [(half, 2), (SUM, m, 2 * m), (PIXELS, 1 / n, 2 / n), (OVER, 1 / m)]
    return A, B, images, Descent(("A", "B"), [A, B], _loss(images), slips)


@cases("5.2", Loss(ONE), sizes=[(6, 2, 4), (5, 3, 7), (40, 2, 5)], dtypes=BOTH)
def minibatch_loss(rng, n, k, m):
    """Compare minibatch_loss and its gradient with a formula's, and count its work."""
    *given, descent = A, B, Z, _ = _problem(rng, n, k, m)
    if n == 40:
        cheap, size = 2 * m * n * k, f"for {m} pictures of {n} pixels, k = {k}"
        dear = "A product with n × n entries is made, such as A @ B. Take B first: "
        dear = Hint(dear + "(images @ B.T) @ A.T.", COUNT)
        seen, expected = f"{{}} multiplications {size}", f"{cheap} multiplications"
        square = "A product with m × m entries is made, for its diagonal alone: square "
        square = Hint(square + "the entries of the difference, and add.", COUNT)
        of = "multiplications"
        return [
            Cost(tuple(given), of, 2 * cheap + m * m * n, seen, expected, dear),
            Cost(tuple(given), of, 2 * cheap, seen, expected, square),
        ]
    E, right = Z - Z @ B.T @ A.T, descent.value([A, B])
    size, lengths = np.linalg.norm(E), np.linalg.norm(E, axis=1)

    def halved(*sums):
        return [half * each / (2 * m) for half in (1, 2) for each in sums]

    pictures = Hint("Divide by the number of pictures, not by that of pixels.", LOSS)
    swapped = "A and B are exchanged: B encodes. As rows, A B z is images @ B.T @ A.T."
    exchanged = halved(((Z - Z @ A @ B) ** 2).sum())
    norms = halved(lengths.sum(), size, size * m)
    slips = [
        (pictures, right * m / n, 2 * right * m / n),
        (Hint("The norm is to be squared.", LOSS), *norms),
        ("The differences are to be squared.", *halved(np.abs(E).sum(), E.sum())),
        ("Compare the copies with images.", *halved(((Z - E) ** 2).sum())),
        (Hint(swapped, BATCHES), *exchanged),
        ("½ is there twice.", right / 2),
        ("Only the first picture counts.", (E[0] ** 2).sum() / 2),
    ]
    otherwise = "It is the mean over the pictures z of ½ ‖z − A B z‖²."
    return of_loss(descent, tuple(given), slips, otherwise, LOSS)


hunt, bug_found = bug_hunt(
    "5.3",
    "c-oy-O^@3)5dA9ypX@?akrrqHFZK|l=`oiE=)o}-v^0{4l}U%BS8#uQ-;mUYolUyP8dyu>aQNPvHzV&?H8&KT(&mZJw(8dJ3)&T=PpV~K&{2h|d-D2UE~s~#?Po*y`@E9RC-uyv$Ok@CV;!-oy0l?Sj>E+nl4PVzO`&7zt@rH9v^gb;>yPxlta@vBy(t}kxoF4!sdcJ;T5qua&9#&wWkr(xAw3W%5d~?Jd6fR#>#&~5j6}u+*nZMRrvQ17Wrz<px3Ng4&Sy6DTJB06__W^K#gs=?JrBy&>&3#LLr1~7sw<6+B-TqDQ4jk05jxXPkVFD*S9jCu?rt?jgT-#V_z2C?`dEsx=70(%P3P-GX;sjE^^X9YMSASntdoF<3!Mt2y%b!Vw&xUB05bI6#g*Q%s;@LSYuXYSQ^MN~h!;P=6^_a2whJZ2FwZaSR9}#{C#JKmfEsn})C-fb#7)Ch*izLg(=vfwL6z!zQZ2k&OeXURyT>ysNhPKDaWwLM9pL~CXqpTL_PB%ve;+jP%<PxBRX?b!Pe(i?C*&g%5b3qKN8*;8=zz-Xe@D8v`;~qnDP6h|Buf5$%IQ-PPYfOw2;#Am+_{D&{i$Dc%{3jb5}+NK%jt+{YbvIbb&y{NT)be@NHkbW=(EscF;Ya8vd+*gJ~=6KO`P7nTX4$mUYdJ>8-P*C^CjRcL2G!J#)`9p7bFV$KH$LqDorvtEy3CZi*)q2&1Ue?4T1(+1|{|~!crXc|A>EEAbx9Ct&WrS8o7PIfdb4!-CS{d7SqR@=3=U#EgU9MstLJ1jdnha9Vf)m5f%$>awarFre|<b@NhcM$A<Ntb?_>RlW4rvOR4ks+j$@yHWQ%_GV3qrS_QDcd%)krj2jldN?kg18eSLI<p~`T%GRi+Z64xHq?WqC#ORq?s>H9E!|QWT09LQbJ_~xIx@^^KLOQYP8DDjDx*%plGG~BO+NGqwoIRyc!<9uT5)*3*nuk8A8ppwWL!O#Kh<`-?%|zyF$pzM^Fl-T0D?5!2wGDcF=qv_Ze68oPb~pXPj4lq&1n`eLfb$FQdpO4zp+K#tzRk%aPr-D9*w`QsC17D~cp}piOPiMR%oQ5N-4Bh|Y3VnSlAjEVH~3)!{$Waw=8r()#F2iQ-!rza<FLR%ExxyD^enl?Yc=*mY*22*z=y+s91aH#",
)


@cases("5.3", TRAINED, sizes=[(6, 2, 10, 4), (5, 3, 7, 3)], dtypes=BOTH)
def train_epoch(rng, n, k, m, size):
    """Follow train_epoch for one batch, then for three, and compare its losses."""
    A, B, images, descent = _problem(rng, n, k, m, half=TWICE)
    lr, batches = 0.02, np.split(images, range(size, m, size))
    whole, losses = _loss(images), [_loss(batch) for batch in batches]
    path = descent.path(lr, losses)

    # One batch, again and again.
    def one_batch(lr, steps):
        return A, B, np.tile(images, (steps, 1)), {"batch_size": m, "lr": lr}

    length = "batch_size is the number of rows in a batch; other batches are cut."
    once = "Each row of a batch is to be in one batch alone: i, i + batch_size, …"
    others = [
        (Hint(length, LOOP), [_loss(row) for row in np.split(images, m)]),
        (Hint("That is more than one pass over the pictures.", LOOP), [whole] * 2),
        (Hint(once, LOOP), [_loss(images[i:]) for i in range(m)]),
    ]

    # Where an epoch ends.
    def end(losses, **options):
        return descent.path(lr, losses, **options)[-1]

    def moves(ends, right):
        return [end - start for end, start in zip(ends, (A, B))]

    at_once = "That is one update for all pictures: update after each batch."
    first = "Only one update, by the first batch: is return in the loop?"
    last = "Only the last batch counts: is the update after the loop, or does each "
    last += "batch start from the inputs again?"
    in_each = "Each update takes all pictures: use the batch in the loss."
    again = "Each update takes the same batch again: use the next one."
    order = "The batches come in another order: take the rows in turn."
    own, tail = [_loss(batch, size) for batch in batches], _loss(images[-size:])
    ends = [
        (UNCLEARED, end(losses, keep=1)),
        (PARTLY, end(losses, keep=(0, 1)), end(losses, keep=(1, 0))),
        (at_once, end([whole])),
        (first, end(losses[:1])),
        (last, end(losses[-1:])),
        ("The last, smaller batch is dropped: it counts, too.", end(losses[:-1])),
        (in_each, end([whole] * len(losses))),
        (again, *(end([each] * len(losses)) for each in (losses[0], tail))),
        ("The last batch is smaller: divide by its own length.", end(own)),
        (order, end(losses[::-1])),
    ]

    def say(moved):
        sizes = [f"{n} by {np.linalg.norm(x):.4g}" for n, x in zip("AB", moved)]
        lengths = ", ".join(str(len(batch)) for batch in batches)
        return f"batches of {lengths} pictures moved {' and '.join(sizes)}"

    in_order = "One batch is right, several are not: in the order they come, with one "
    in_order += "update each?"

    # Its losses.
    def values(path):
        return [descent.value(at, loss) for at, loss in zip(path, losses)]

    right, of_all = values(path), [descent.value(at) for at in path]
    late = "That is the loss after the update: compute it before."
    of_own = "Each loss is that of its own batch, not of all pictures."
    old = "The losses are those of the start: use the A, B that were updated."
    mean = "The mean comes later: append one loss for each batch."
    extra = "There is one loss too many: here none comes after the last update."
    slips = [
        (late, values(path[1:])),
        (of_own, of_all[:-1], of_all[1:]),
        (old, values(path[:1] * len(losses))),
        ("Only one loss: append one for each batch.", right[-1:], right[:1]),
        (mean, [np.mean(right)]),
        ("The losses are added up: append each alone.", [*np.cumsum(right)]),
        (SUM, [loss * len(batch) for loss, batch in zip(right, batches)]),
        (OVER, [loss / len(batch) for loss, batch in zip(right, batches)]),
        (NO_HALF, [2 * loss for loss in right]),
        (extra, lambda seen: [*right, seen[-1]]),
    ]
    read = Losses(f"{len(right)} losses for {len(right)} batches", EACH, ITEM)
    given = (A, B, images, {"batch_size": size, "lr": lr})
    moved_by = {"part": 0, "align": moves, "say": say, "where": LOOP}
    each = "One loss for each batch, before its update."
    return [
        Training(one_batch, descent._replace(slips=descent.slips + others), lr, 1),
        Case(path[-1], ends, in_order, given, tol=1e-3, **moved_by),
        Case(right, slips, each, part=read, say=read.say, tol=1e-5),
    ]


@asked("5.5", ("predicted_lr", "steps_tenfold"))
def spectrum_limits(values):
    """Compare [predicted_lr, steps_tenfold] with what the eigenvalues demand."""
    values = np.asarray(values, dtype=np.float64)
    first, second, last = values[0], values[1], values[-1]
    right = 0.5 / first
    upside_down = "That is upside down: a rate is 1 divided by an eigenvalue."
    no_root = "No square root, no square: λ₁ is an eigenvalue of S."
    slips = [
        ("That is the largest stable rate itself: half of it is asked for.", 2 * right),
        ("The limit is 1 / λ₁ here, not 2 / λ₁; and take half.", 4 * right),
        ("That is halved twice.", right / 2),
        ("That is λ₅₀: λ₁, the largest, sets the limit.", 0.5 / last, 1 / last),
        ("That is λ₂: Python counts from 0.", 0.5 / second, 1 / second),
        (upside_down, first / 2, first),
        (no_root, 0.5 / first**0.5, 0.5 / first**2),
        ("λ₁ alone sets the limit, not the sum.", 0.5 / values.sum()),
        ("λ₁ alone sets the limit, not the mean.", 0.5 / values.mean()),
    ]
    otherwise = "predicted_lr: above which rate is λ₁ unstable? Take half of that."
    rate = number_to_find(right, slips, otherwise, where=CRAWL)
    return [rate, _steps_tenfold(right * last)]


def _steps_tenfold(x):
    """State ln 10 / ln (1 + x)."""
    log, tenfold = np.log1p(x), np.log(10)
    right = tenfold / log
    mixed = 1 / log, tenfold / np.log10(1 + x), tenfold / np.log2(1 + x)
    no_log = "ln 10 is missing, or two kinds of logarithm are mixed."
    added = "Growth is compounded: each step multiplies by 1 + lr λ, it doesn't add."
    of_first = "That is λ₁: the part along component 50 grows by λ₅₀."
    halved = "The rate is predicted_lr, half the largest stable one"
    no_one = "The factor is 1 + lr λ₅₀: the 1 + is missing."
    slips = [
        (no_log, *mixed, np.log2(10) / log),
        (added, 9 / x, 10 / x, 10 / (1 + x)),
        (of_first, tenfold / np.log(1.5)),
        (f"{halved}.", right / 2),
        (f"{halved}: halved twice?", 2 * right),
        (no_one, tenfold / np.log(x), -tenfold / np.log(x)),
        ("A number of steps is positive: it grows by 1 + lr λ₅₀.", -right),
        ("That is upside down.", 1 / right),
        ("Those are epochs: count the steps.", right / 196),
        ("That is the growth in one step, not the number of steps.", 1 + x),
        ("That is doubling: tenfold is asked for.", np.log(2) / log),
    ]
    otherwise = "steps_tenfold: how often must 1 + lr λ₅₀ be multiplied to make 10?"
    tol = max(0.01, 1 / right)
    return number_to_find(right, slips, otherwise, where=CRAWL, tol=tol)


@cases("5.6", Matrix("A", SHAPE), sizes=[(6, 2, 9), (7, 3, 12)], dtypes=BOTH)
def scaled_step(rng, n, k, m):
    """Compare scaled_step with the formula by NumPy, on batches of plain numbers."""
    A, lr = rng.normal(size=(n, k)) * np.arange(1, k + 1), 0.3
    Z = rng.normal(size=(m, n))
    inverse, best = np.linalg.inv, np.linalg.pinv(A)

    def stretch(B):
        codes = Z @ B.T
        return codes.T @ codes / m

    def gradient(B):
        codes = Z @ B.T
        return -(Z - codes @ A.T).T @ codes / m

    G, C = gradient(best), stretch(best)
    move = lr * G @ inverse(C)
    uphill = Hint("The step goes uphill: subtract.", STEP)
    plain = "That is a plain step: C⁻¹ is missing."
    mean = "C is a mean over the pictures, as the loss is: divide YᵀY by m."
    added = Hint("The loss is a sum here: take minibatch_loss, the mean.", LOSS)
    others = "That is (AᵀA)⁻¹: the codes play the part of V, so it is C⁻¹."
    encoder = "B is Aᵀ there: (AᵀA)⁻¹ is missing, as A is not orthonormal."
    entries = "Each entry is inverted by itself: C⁻¹ is the inverse of a matrix."
    codes = "C comes from Z A: the codes are Z Bᵀ."
    slips = [
        (uphill, A + move),
        (plain, A - lr * G),
        ("Multiply by C⁻¹, not by C.", A - lr * G @ C),
        (mean, A - move / m, A - k / m * move),
        (added, A - m * move),
        (PIXELS, A - move / n, A - 2 * move / n),
        (NO_HALF, A - 2 * move),
        (others, A - lr * G @ inverse(A.T @ A)),
        (encoder, A - lr * gradient(A.T) @ inverse(stretch(A.T))),
        (entries, A - lr * G @ (1 / C)),
        (codes, A - lr * G @ inverse(stretch(A.T))),
        ("lr is ignored: multiply the step by it.", A - move / lr),
        ("That is the step alone: subtract it from A.", move, -move),
        ("That is the gradient: the step is still to be taken.", G, G @ inverse(C)),
        ("C⁻¹ is multiplied twice.", A - move @ inverse(C)),
    ]

    def say(moved):
        Q = np.linalg.qr(A + moved)[0]
        loss = np.linalg.norm(Z - Z @ Q @ Q.T) ** 2 / (2 * m)
        return f"A moved by {np.linalg.norm(moved):.4g}, to a loss of {loss:.4g}"

    def moves(end, right):
        return end - A

    otherwise = "With B = encoder(A), it is A − lr · ∂L/∂A · C⁻¹, where C = YᵀY / m."
    given = (A, Z, {"lr": lr})
    return Case(
        A - move, slips, otherwise, given, say=say, align=moves, where=STRETCH, tol=1e-3
    )


prediction, outcome = predictions(
    "05",
    ratio="c-pm5OHRWu6uinPE0Ch71<^`f(VT!qcU2dT^FpjTevv;!DdHR)h>P*!u;>L?_*s6QH!~ie&xI;V6wOj}amlsBr*sb}PCa>ok`*V$=($Zg29Swzfl19JniL_Y8LjC$X&Q%MZgjvAuc)CcJ3_Alo;Uj^{CuxFx#$gr63Vq1`A|!_J;Kq4ko0WZfPoj`Ub%I~rJ*4os@1NzJ3@0yFafGzv9a4Ant=jB&prxGo>dr)j>%JnT0pC<L0tvsI5QkzB8Ft68LgNSNHc?!?!n#iwpCuUO@j+duP!m=WbU2c5eS_yC<(&7TY@A|t?_2lS^t04@HU^=3#I1d<ioZvyZv7_i^9bIS`}ZHUsm>@D*",
    copies="c-l=+J8r`;486*OXTb;Pmi7qk7Gz*-IufFfA<A}*qIWN856wae{Jh`w+EM4w-K`AW?Whhv+I>U!QDRvt8a-Lid}T&n(w(b-Fo$oB2w57_h%%vMc94S5kZ6Z6CyY$B$NSQ-d9G};m1<BpiDiqsvnvcG&HCmBU*agXHI)jA@nn(y)Toj!x;*a)ra+ctyhDjg%3|NkiD$=5gV)ihn(j&;!^1aF9wDAa^}(#7bKDhY;?0hm=j5zHS}pm(()u$N<^6hX{|i<b>PpJgoHnTnW22SD9aIKv66El8(kZ@hk55l^)_59)Xl`V#M~o|1O)u}*n4T{@efN9&1NN<v#Q",
    epochs="c-noCF>Zt~5Jj)@<r*P~Hck3SIY7GA7K1%3)*2hx!$zwpch8tWx}>p%Jpb|LpU<W@4NTwtoSnJUTR%Sae1UnN7)3IRo!|?czkA0HX_W>g;e+W0o8~1&j#5CG5twq+87dg5NWGPi;uShn8c=i?{U{F%q*&HxdVphEuM=ocG$;h55i;@I?t1F-N-D8sYC>aaW|_Q#ITUU%XtM8~PFTE^HSgegwFmaOQ&)F5C|w0ZsDMnu5V~oGFf&D@JLhd=mu!!M_EPHRtlRxAkHWGA7P4IJmq0#3e`ocz#T#ok@=u-BsV@Fkol^VT=&kv>d;``KlcN",
)
