"""The exercises of lab 01."""

import copy

import numpy as np
import torch

from labchecks.cases import BOTH, Case, asked, cases, near, number_to_find
from labchecks.follow import TOGETHER, Descent, Drawn, Training
from labchecks.hunts import bug_hunt
from labchecks.predictions import predictions
from labchecks.readers import Matrix, Number, Tensors, expect
from labchecks.student import Hint, Wrong
from labchecks.verdicts import progress as progress
from labchecks.verdicts import strict as strict
from labhelpers import linalg

OTHER_START = (
    "the start is not torch.rand(…, generator=generator), first U, then V, in A's "
    "dtype. It works, but the numbers will differ from the lab's."
)
IGNORED = (
    "generator is ignored: two of them give the same start. It works, but the numbers "
    "will differ from the lab's: torch.rand(…, generator=generator), first U, then V."
)
QUESTION, FLOOR = "lab 01, The question", "lab 01, The best possible loss"
RATE = "lab 01, The largest learning rate"
MEAN = Hint("The loss is a sum, not a mean.", QUESTION)
HALF = "There is no factor ½ in this loss, so the 2 of the square stays."
HALF = Hint(HALF, QUESTION)
DOUBLE = "The step is twice as long: the 2 of the square is in U.grad already."
SQUARE = Hint("The norm is to be squared.", QUESTION)
EACH = "Square each difference, then add up."
PAIR = "Return the pair (U, V), of shapes (m, rank) and (n, rank)."
LR = 0.02
SIZES = [((7, 4), 2), ((3, 6), 1)]
PRODUCT = "Return one tensor of the shape of A: the product U @ V.T."


def _drawn(shape, rank):
    """Return how the lab draws U and V."""

    def draw(generator, dtype):
        sizes = [(count, rank) for count in shape]
        return [torch.rand(s, generator=generator, dtype=dtype) for s in sizes]

    return draw


class _Start(Drawn):
    """A start of which is told whether the generator had a part in it."""

    def checked(self, found, run, asking, training, lab):
        """Note another start than the lab's, and return it."""
        if not near(found, lab, 1e-5, 1e-9):
            self.remark(found, run, asking)
        return found

    def remark(self, found, run, asking):
        """Note in what the start differs from the lab's: ask with another generator."""
        student = asking.student
        asking.student = copy.copy(student)
        asking.student.generator = lambda: torch.Generator().manual_seed(0)
        ignored = near(run(1e-12, 1), found)
        asking.student = student
        student.notes.append(IGNORED if ignored else self.note)


def _descent(A, start, mask=None):
    A = torch.tensor(A)
    full = torch.ones_like(A)
    known = full if mask is None else torch.tensor(mask)

    def loss(U, V, mask=known, target=A):
        return (mask * (target - U @ V.T) ** 2).sum()

    def rest(U, V):
        return known * (A - U @ V.T)

    def late(U, V):
        """Have the gradients of an update of V by the old E and the new U."""
        E = rest(U, V).detach()
        moved = U.detach() + 2 * LR * E @ V.detach()
        return loss(U, V.detach()) - 2 * (E * (moved @ V.T)).sum()

    def uphill(U, V):
        """Have the gradient of V turned round."""
        return loss(U, V.detach()) - loss(U.detach(), V)

    slips = [
        (MEAN, 1 / A.numel(), 1 / known.sum(), 1 / A.shape[0], 1 / A.shape[1]),
        (DOUBLE, 2),
        (HALF, 0.5),
        (SQUARE, lambda U, V: loss(U, V) ** 0.5),
        (EACH, lambda U, V: rest(U, V).sum() ** 2, lambda U, V: rest(U, V).abs().sum()),
        (TOGETHER, late),
        ("V goes uphill: subtract.", uphill),
        ("U goes uphill: subtract.", lambda U, V: -uphill(U, V)),
    ]
    if mask is not None:
        rows = known * known.min(dim=1, keepdim=True).values
        whole_rows = "Rows with a hole are left out: what is known there counts."
        on_A = "mask is on A alone: holes count as zeros. Put it on the difference."
        picked = "mask as an index picks rows: make it bool, or multiply by it."
        slips += [
            ("mask is ignored.", lambda U, V: loss(U, V, full)),
            (picked, lambda U, V: ((A - U @ V.T)[known.long()] ** 2).sum()),
            (whole_rows, lambda U, V: loss(U, V, rows)),
            ("mask is upside down: 1 is known.", lambda U, V: loss(U, V, 1 - known)),
            (on_A, lambda U, V: loss(U, V, full, known * A)),
        ]
    return Descent(("U", "V"), start, loss, slips)


@cases("1.1", Tensors(("U", "V"), PAIR), sizes=SIZES, dtypes=BOTH)
def gd_factorise_ad(rng, shape, rank):
    """Follow gd_factorise_ad for some steps, on a tall and on a wide matrix."""
    A, drawn = rng.normal(size=shape), _Start(_drawn(shape, rank), OTHER_START)
    return Training((A, rank), lambda start: _descent(A, start), lr=LR, drawn=drawn)


@cases("1.2", Number("the loss"), sizes=[(5, 5, 2), (3, 5, 1), (4, 3, 2)])
def svd_loss(rng, m, n, rank):
    """Compare svd_loss with the left-out singular values of three matrices."""
    A = rng.normal(size=(m, n)) + 1
    U, s, Vt = np.linalg.svd(A)
    kept, left = s[:rank] ** 2, s[rank:] ** 2
    right, left_factor = left.sum(), U[:, :rank]

    def rest(product):
        return ((A - product) ** 2).sum()

    def rounded(seen):
        return next((seen for d in range(4) if near(seen, right.round(d))), np.nan)

    def lab(seen):
        return seen if near(seen, 15.2046, 1e-2) else np.nan

    truncated, last = left_factor * s[:rank] @ Vt[:rank], s[rank]
    one = "That is the first one left out, or norm(…, 2): add up all the squares."
    columns = "Keep the first rows of Qt, Qt[:rank], not its columns."
    rows = "The pᵢ are the columns of P, P[:, :rank], not its rows."
    no_s = "The singular values are missing from the product."
    centred = linalg.eckart_young_floor(A - A.mean(axis=0), rank)
    slips = [
        (SQUARE.text, right**0.5),
        (MEAN.text, right / A.size, right / (len(s) - rank)),
        (HALF.text, right / 2),
        (EACH, (A - truncated).sum() ** 2, s[rank:].sum() ** 2),
        (EACH, np.abs(A - truncated).sum()),
        (one, last**2, last),
        ("The loss itself, not its share of the whole.", right / (A**2).sum()),
        ("Don't round it.", rounded),
        ("The rank is fixed at 2: use the argument.", s[2:] @ s[2:]),
        ("That is what is kept; the loss is what is left out.", kept.sum()),
        ("Nothing is left out: keep the first r terms, and no others.", 0.0),
        ("That is the whole of A: nothing is kept.", (A**2).sum()),
        ("The first term is missing: Python counts from 0.", right + kept[0]),
        ("Those are the last terms: keep the first.", (s[:-rank] ** 2).sum()),
        ("Square the singular values that are left out.", s[rank:].sum()),
        ("One too few is kept: the first r are [:rank].", right + kept[-1]),
        ("One too many is kept: the first r are [:rank].", left[1:].sum()),
        (no_s, rest(left_factor @ Vt[:rank])),
        (rows, rest(U[:rank].T * s[:rank] @ Vt[:rank])),
        (columns, rest(left_factor * s[:rank] @ Vt[:, :rank].T)),
        ("Take A as it is: it is not to be centred here.", centred),
        ("That is the lab's number: use A and rank.", lab),
    ]
    otherwise = "Try the parts: A_r is P[:, :rank] * s[:rank] @ Qt[:rank], and the "
    otherwise += "loss adds up the squares of all entries of A − A_r."
    say = f"{{:.4f}} for a {m} × {n} matrix, rank {rank}"
    return Case(right, slips, otherwise, (A, rank), say=say, where=FLOOR)


@asked("1.3")
def largest_lr_factorisation(A):
    """Compare a predicted learning rate with 2 / curvature at the flattest minimum."""
    lab = "0.01 is the lab's rate, no prediction. If you mean 1 / c: it is 2 / c."
    half = "That is half of σ₁, which belongs below the line: put all of that in "
    half += "brackets."
    plateau = "196.7 is the curvature on the plateau, at epoch 100. At the flattest "
    plateau += "minimum, c is 4 σ₁, and the limit is 2 / c."
    not_square = "σ₁ is the singular value, not its square."
    s, *others = np.linalg.svd(np.asarray(A), compute_uv=False).tolist()
    slips = [
        (lab, lambda seen: seen if seen == 0.01 else np.nan),  # 1 / c is near it
        ("The limit is 2 / c, not 1 / c.", 1 / (4 * s)),
        ("The curvature c is 4 σ₁, not σ₁.", 2 / s),
        ("The curvature c is 4 σ₁, not 2 σ₁.", 1 / s),
        (half, s / 2),
        (plateau, 2 / 196.7, 1 / 196.7, 196.7),
        (not_square, 1 / (2 * s**2), 1 / s**2, 2 / s**2),
        ("The rate is 2 / c, not c / 2.", 2 * s),
        ("σ₁ is the first and largest, s[0].", *(1 / (2 * each) for each in others)),
        ("That is the curvature: the rate is 2 divided by it.", 4 * s),
        ("That is σ₁: the curvature is 4 σ₁, and the rate 2 divided by it.", s),
    ]
    otherwise = "It is 2 / c, where c is the largest curvature at that minimum."
    return number_to_find(1 / (2 * s), slips, otherwise, where=RATE)


class _DrawnProduct(_Start):
    """A start of which only the product U Vᵀ is seen."""

    def checked(self, found, run, asking, training, lab):
        """Return U and V, or None where they can't be told from their product."""
        (first,) = found
        (A, mask, rank), (U, V) = training.given, lab
        hint = "Return the whole product: where mask is 0, it fills the holes."
        odd = [(mask * first, first, "zeros in the holes", hint)]
        hint = "Return the product itself, at the known entries too."
        for known, seen in (0 * A, "zeros where mask is 1"), (A, "the entries of A"):
            odd.append((mask * known, mask * first, seen, hint))
        for made, came, seen, hint in odd:
            if near(came, made):
                raise Wrong(seen, "those of U @ V.T", hint, slip=(hint, 0))
        if near(first, U @ V.T):
            return lab
        self.remark(found, run, asking)
        (before,) = run(training.lr, training.steps)
        s = np.linalg.svd(before, compute_uv=False)
        hint = "U has shape (m, rank) and V has shape (n, rank)."
        low = s[rank] < 1e-4 * s[0]
        expect(low, "a higher rank", f"a product of rank {rank}", hint)
        A += 1 - mask
        hint = "The loss counts the entries where mask is 1, and only those."
        same = near(run(training.lr, training.steps), [before])
        expect(same, "the entries where mask is 0 matter", "they do not", hint)
        if rank > 1:
            return None
        (second,) = run(1e-6, 1)
        return _rank_one_start(first, second - first, mask * (A - first))


hunt, bug_found = bug_hunt(
    "1.4",
    "c-o~_O>f&q5dA9yT`IXUA-RVF1_V@xUR|J&l!Id!D{?3<MD8-XOS8K5PxS}&pY+Wx$;e5ZG>8mH<bKVY_ukC<aaM3ixoz5-1JAchYLq`O$ti<x(>2fB+Pw0c^=h?RQtdXYY_(p}i48jytlK<T!;Aa(hVXemlfOSXbk5M8expOSTT-b*;DUmsP%*IyPO~Rl(w6#)9mkNQJ*~5JKsu~JeA>`9^Ob5jjqNdjpm~)6U@>n-pdaB(PfIGorRB{wi@%G^@rO=3_RlA$is$(vop^YCqWSR?OY7*Fw2^~OJpahy$dY_&>pddRW9m0F-_q?!*n)0u=x&kut{IOUcVtJEpL^ws>xo{6YDmG@2xWd9DbaSjfp!SA&t$>t*~2t@_+&P%2F}CyAZn+1msFmQsI!8D%B%Tewxq||4ob%yA@iON|NiqgSrhd?8{3=71%_YPiU05ngMiF%PdbqAwK;j&16A;|B(Tb+@Ivf^ddLvve+PMW{F07cpq}fR)X~0hTwk;Dfm)oUk2T{I{;mL}s_Pga`C0H+wyTR2E2uNpG!`?-2r-$Gdv-C(a54(O=~ESuq1Ocudl9SbOdd1>C(1o}<TJ%qp7<}7hx$UR#M1DFiBMV3vC^{H6J&W@-yz;->WZiWM9J45274u}Olm|)$pc*umK+xu?J5;V4>BrCVO4nt3%~|8P%0wZfm{c;t#B(kU+8E<uuTFpVfnJlCP2FiQEF|Nz&ZJ##09Dh@J*D?+BSuY_{1|g$b%9l0>Wmf>@xZt?!<O(>12hs+M3g+=*OJ>kViuL>lJBZ;f|I2R^bZr<LIHW!9l}q49poGDhsRSwv%uWOC>)E`Jfl8S1B!l*g9Kuc^oaA>Z1o84?M1~;0^VBUCtAdcW4xL@YF^!zTGV2i{U<LnX5YQY9-w|MRwwH)vHT}1)%=ouPh#v!^#A5pVGn!#@HY&|GL?~P2*SkU&G2I9&`EHk_<#Gqg12+uPj*T7ZgrG$7o>f<o-JHU`7avr97HITnvv}RZl0VW+*z4w;{Rbt{o?BU5O{iH;4}uxD@!!%<d$sZ*})6Il*!#l0+aMI@H-ukeZ!-Q9+|g>Dc&&N>R0ARX`I_6v<g}1NKkJ#guxTv-nDUeh=W702OeXM(2y*lhabGqTaf*Fv#vS3by`b$ZPENV?JXpubTcWI_+JwN4PTmDwzzux2uz{@8f{jAFg*1BsXn{E$hf2nv-Ouu2J`~NE_-^lBw++`ZRwX;g)`;`5LUt`{EmrcVE0PNbcIyMEQdILO^*t7>k{Q9V8c|(Z@UNs8Xql^|ep-n#wkKuFIGL@W7#^{5Rn>Iu&{X`YjfuGrh>sqsSnPESHvM0+M}t`VZU~3q1",
)


@cases("1.4", Matrix("the product", PRODUCT), sizes=SIZES, dtypes=BOTH[::-1])
def complete(rng, shape, rank):
    """Follow complete for some steps, on two matrices with holes."""
    A, holes = _with_holes(rng, shape, rank)
    mask = 1.0 - holes
    return Training(
        given=(A, mask, rank),
        descent=lambda start: _descent(A, start, mask),
        lr=LR,
        drawn=_DrawnProduct(_drawn(shape, rank), OTHER_START),
        view=lambda factors: factors[0] @ factors[1].T,
    )


def _with_holes(rng, shape, rank):
    """Draw a matrix of this rank, spoilt at holes, and where these are."""
    holes = np.add.outer(np.arange(shape[0]), 2 * np.arange(shape[1])) % 3 == 0
    holes[-1] = False  # one row is complete
    left, right = (rng.uniform(0.5, 1.5, size=(n, rank)) for n in shape)
    return left @ right.T / rank + 3 * holes, holes


def _rank_one_start(product, step, E):
    """Tell U and V from their product and its first step.

    The step is along ``E v vᵀ`` and ``u uᵀ E``, as long as ``‖V‖²`` and ``‖U‖²``, for
    unit vectors u and v. Their ratio does not depend on lr, or on a factor in the loss.
    """
    u, s, vt = linalg.truncated_svd(product, 1)
    parts = np.stack([(E @ vt.T @ vt).ravel(), (u @ u.T @ E).ravel()], axis=1)
    of_v, of_u = np.abs(np.linalg.lstsq(parts, step.ravel())[0]) + 1e-12
    size = np.sqrt(s * np.sqrt(of_u / of_v))
    return [u * size, vt.T * s / size]


prediction, outcome = predictions(
    "01",
    uncleared="c-n1{-D<-y4256ikgE+sU}5W^FR|-UdZEN>Eb7|DcAAy3cb}9D#$Y$X*5CPb4u^)C7R_K`Y>sPe@u}H8n)fv0LU&Xz@r-oR2cygvPyr#NIB`a)eBFaWSgTVeCmd_RHA$>+X^CD!Xi*Z#If;|?T`*r!e42y9kS%#vEo;`k6ghVr)qfC4XMSZArBn*6%WpFB-nQSdaAstge8nkcFy$c1x-yj(6df+|!48X5zk)|zpu*eu51BV9rqQoQVxaNdZAK~A+aHX`H{E|C$Lpnz%cyyX88w(WCX{By$ud?+Q7!XK4x}l`rQ+eK??Dqu)X#4BVwF|4e|>BXE1G9UZZ@?W`E%cQJL|L)IJ&O+I(`FZ^PK+",
    converged="c-n1{!ES><3`Bor#2Kw16^+8Nx85sNRg}X58(0PG2yaBAs{dXa+MaUpB99r5-|?9FEJxN@X|vN>b9`yHM)sNz1!=wo@EObC6YhM2_@zeSihY^ev)kuLL!kA$LL_JnS8fM!c)2ALLE$r5znLTTHu?0N!&CSFXI0hf;MtF(pr3hx?|me<#nUt&x_a_=bhBU9(J_(+BX~hfSiIEh8z`aUh0xp|M9TG!*beG+38MPJ)I(8hQDYLw$k(6_DibG2(w(+W{1n{ANz=Sp02cWT>>;6LyC+UTc`(Y#?MjDtqc$>MMDt#PSq_H4z?$i(hc=;)MAlWzDsQIs!}Nc=jNgiF!zipIT=sqX0qN6?t^",
    starts="c-n1{v2MdK3`BqB;MoY00tMP^{f90^kb$viONcB6qTIkJ`tPNbc<Um{=IQQ{r&IU3?|O8HeJd|k&d=K8r#6r1zGT5nD~b>43K>Dj%QUe=q~vs<8{-~|H&I$~6Uq3d7<ttrX3+vIl#4>WEYV@&`ezxg2nmw7Iu_4!4|BuF_f0qk`?d})tYx=h{twh5Kx)@P%(sYII$dNb@D#_*^TJb0ZN3^DKb}t_4s%FhUY;DaFLq=_V#=mzgBkB`+mw-f`k;uGWg#Y%ho~7*Z{oN@$+^h-aJ9`@k@?B%gzKxep%ql>AWgo*$5=SS2Ht~jGI%pMyuVdiiw0$`gxO$z&wqoHlot",
)
