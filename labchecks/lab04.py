"""The exercises of lab 04."""

import numpy as np
import torch

from labchecks.cases import BOTH, Case, asked, cases, near, nearest, number_to_find
from labchecks.follow import CLEAR, Descent, Training, of_loss
from labchecks.hunts import bug_hunt
from labchecks.predictions import predictions
from labchecks.readers import NO_RETURN, Loss, Losses, Matrix, Number, Tensors, expect
from labchecks.student import Hint
from labchecks.verdicts import progress as progress
from labchecks.verdicts import strict as strict

LOSS, TRAIN = "lab 04, Exercise 4.1", "lab 04, Exercise 4.1b"
SWEEP, CURVATURE = "lab 04, The report's sweep", "lab 01, The largest learning rate"
NO_HALF = Hint("The factor ½ is missing.", LOSS)
MEAN = Hint("The loss is a sum over all entries, not a mean.", LOSS)
SHORT = "lr is divided by the entries or the examples: in the step, or in the loss, "
SHORT = Hint(SHORT + "which is a sum and not a mean.", LOSS)
SQUARE = Hint("The norm is to be squared.", LOSS)
ONE = "Add up all the squares, .sum(): one number for all examples."
THREE = Hint("Return three things: A, B and the list of losses.", TRAIN)
EACH = Hint("losses is a list with one number for each step, and one more.", TRAIN)
ITEM = Hint("Append loss.item(): a loss tensor keeps its whole graph.", CLEAR)
TRAINED = Tensors(("A", "B"), THREE, with_losses=True)
SEVERAL = Hint("lstsq returns several things: the first is .solution.")
ENCODER = Matrix("B", "Return one matrix B, of shape (k, n).")


def _problem(rng, n, k, examples, scale=0.5):
    """Draw A, B, z, with plain numbers all over."""
    sizes = (n, k), (k, n), (n, examples)
    A, B, z = (rng.normal(size=size) for size in sizes)
    return scale * A, scale * B, z


def _turned(rng, scale):
    """Turn one problem, its start so many times as long, about the origin.

    So it has other numbers, and the same losses.
    """
    A, B, z = _problem(np.random.default_rng(0), 6, 2, 8, scale=scale)
    Q = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    return Q @ A, B @ Q.T, Q @ z


def _descent(A, B, z, mean=MEAN):
    z, examples = torch.tensor(z), z.shape[1]

    def loss(A, B):
        return ((z - A @ (B @ z)) ** 2).sum() / 2

    means = [f / count for count in (z.numel(), examples) for f in (1, 2)]
    norm = (SQUARE, lambda A, B: (2 * loss(A, B)) ** 0.5)
    return Descent(("A", "B"), [A, B], loss, [(NO_HALF, 2), (mean, *means), norm])


@cases("4.1", Loss(ONE), sizes=[(5, 2, 7), (4, 3, 6)], dtypes=BOTH)
def autoencoder_loss(rng, n, k, examples):
    """Compare autoencoder_loss with the formula, and its gradient with autograd's."""
    A, B, z = given = _problem(rng, n, k, examples)
    by_book, E = _descent(*given), z - A @ (B @ z)
    right, size, largest = by_book.value([A, B]), np.abs(E).sum(), np.linalg.norm(E, 2)
    spectral = "norm(…, 2) of a matrix is its largest singular value: leave the 2 out."
    slips = [
        (SQUARE, (right / 2) ** 0.5),
        ("The differences are to be squared.", size / 2, size, E.sum() / 2),
        ("Square each difference first, then add up.", E.sum() ** 2 / 2),
        ("Square first, then halve: (½ E)² is a quarter of E².", right / 2),
        (spectral, largest**2 / 2),
        ("Compare the copies with z: z − A B z.", ((A @ B @ z) ** 2).sum() / 2),
    ]
    otherwise = "It is ½ ‖z − A B z‖², added up over all entries."
    return of_loss(by_book, given, slips, otherwise, LOSS)


hunt, bug_found = bug_hunt(
    "4.1b",
    "c-oCs!H(ND5dD>bPj;)S-4tzs4RWxN6zC<F=H?g%EsZQ<CDI}3Rh_Tz8<MhR!3$&!tR&8G_}<K$;dW7TL%}I+_Uf=)7qltpdqF<%$rseQ)$><F`1`t$-$(Wpo0_bl&@!oWuxu(@v!l*>|4fd<*%^{Jq~IuCVqssV2q{{$f1q_)b=L55RXYB5){g!D=v2L5u3&%DmO`Yc2(sO!g~mGClQ!g(Ir1_x7}1X#;6A~;m!*;O>fRH8)#(JTOZh5w;C{K9`IHA$y$s6L%ZXvop`~D5)t1Ia$jd2;$ew=rfYj1YNPsxpTQ^thW@b&^;IJ8AJ|jcPJ|@1bIjE{l8N9vcZ2e5zH~D9dyG23U#kvWoDWXRukm?+(`ceS8R28*#Oa}|5gR|yXV$W<#5#MZc-Jv}>eQZN<)djX=1J>V)ad+CdIeLV_!ia)zX8Y$GvcEDHGUxsv!J8!R_tZGs$4K!Trxp{r#t=F14jI}0iSR!vCHj@Vm%dde-abh_7fSwp)UUecnhuwE&J7R$r}|UJ{&v2w!n=0Vvoa-p8P`Lrf*6&5K_rp9e2_o)=vkXe(yQQf1q!`=Wk}Idr$gwtNGBseqbevg5&I+adelD9%hT%lN+6-ICkpC?{jE%LM2{3d)6iOh=3}(0{m8*fqB9Te0~zKzMPL)$1yGT0V2g7Fuaf;dgAV7AP$y6D?N!aA5Hh61<>|Lck#eU^8%;<Y5)*`}Y=1fj_Nf{?WVwab*#Q-Rb_R8M50KqOT5@n&oV5wiUP=Fo0ucgBG6q0fwhVZHg_K!CPeZFah90F7K4W~EVcg87LHXqhGjALfBUX(p#I`~*Q7M12Ud{?QH4%xj6OT<)gn=ToIYzP_raW}N&QTL$-`aCmXKe2#*w)h_BWS8o15+Ha0S&*R7FEY6Tb&yGHX2FQC^eF%LrMRni=)vFB1qzi^_CzRDLk<QkFi6A6jwH0I|a>h0_6(~)pdyPuh9IA(Bsj0$Ewp&uK@37;);o!79dTB%onICmQu4xFraIsqoluQ=p$XB@E|us?(3M1jQ#hF{f9^U<fe*KC+a<pjRWH@J;sv+&~-u_xJiu%q6!r`pK2BO$~Ugbgp}6Pc_>Cks^`g6nxyL%B`Fd!iN{W>p$r}pyT4}RG+pHn8GHiKl)OI99Tl5Z#>nI@>FPL5kisLLz&1nOaTD(5d!{Y{9>NFA-R^&@YvqF",
)


@cases("4.1b", TRAINED, sizes=[(5, 2, 7), (4, 1, 6)], dtypes=BOTH)
def train_ab(rng, n, k, examples):
    """Follow train_ab for some steps, up and down again too; compare its losses."""
    given, lr, steps = _problem(rng, n, k, examples), 0.01, 4
    descent = _descent(*given, SHORT)

    # Here the other one's gradient, transposed, is what a matrix gets.
    def by_B(A, B):
        return descent.loss(A.detach(), B + (A - A.detach()).T)

    def by_A(A, B):
        return descent.loss(A + (B - B.detach()).T, B.detach())

    other = "{} moves by the gradient of {}: it has its own."
    exchanged = [(other.format("A", "B"), by_B), (other.format("B", "A"), by_A)]
    stepping = descent._replace(slips=descent.slips + exchanged)
    path = descent.path(lr, [descent.loss] * steps)
    first, *middle, last = right = [descent.value(at) for at in path]
    late = "The loss after the last update is missing: compute it anew."
    early = "The first loss is missing: the one before any update."
    rounded = [np.round(right, digits).tolist() for digits in range(5)]
    same = "losses does not belong to this loss: the same value each time."
    slips = [
        (late, right[:-1], [first, *middle, middle[-1]]),
        (early, right[1:], [*middle, last, last]),
        ("Only the last loss: append one in each step.", [last]),
        ("Each loss takes the place of the list: append it.", right[-2:]),
        (
            "They come backwards: append at the end.",
            [*right[-2::-1], last],
            right[::-1],
        ),
        (NO_HALF, [2 * loss for loss in right]),
        (MEAN, *([loss / n for loss in right] for n in (examples, n * examples))),
        (same, [first] * len(right)),
        ("Note the losses as they are, not rounded.", nearest(rounded)),
    ]
    read = Losses(f"{len(right)} losses for {steps} steps", EACH, ITEM)
    otherwise = "One loss before each update, and one after the last."
    said = {"say": read.say, "where": TRAIN, "tol": 1e-5}
    bounces = _turned(rng, 0.5)  # at such a rate
    far = 1.6 / np.linalg.norm(bounces[-1], 2) ** 2
    return [
        Training(given, stepping, lr, steps, knob="steps"),
        Case(right, slips, otherwise, part=read, **said),
        Training(bounces, _descent(*bounces, SHORT), far, 7, knob="steps"),
    ]


# The size of the start; rates, relative to the largest stable one, and steps; the
# right choice in each sweep.
SWEEPS = [
    (0.2, [30, 0.1, 0.3, 1.2], 6),
    (0.5, [0.2, 1.3, 30], 9),
    (0.2, [1.6, 0.01], 45),
    (0.5, [1.8, 0.1], 8),
    (1.5, [0.02, 0.5, 3], 8),
]
BEST = [3, 0, 1, 1, 0]
GOES_ON = "Each run goes on where the last one ended: start all from A, B."
# What each slip would choose there, in one of its forms.
CHOICES = {
    "min() over the curve hides a run that diverged: use the last loss.": "31000",
    "That is the smallest loss of each curve: the exercise asks for the last.": "31100",
    GOES_ON: "00011 01011 01012",
    "argmin takes nan for the smallest: make it infinite first (nan_to_num makes it 0 "
    "unless you say nan=torch.inf).": "02012",
    "A nan in front stays: every comparison with it is false.": "00010",
    "Each nan that is dropped moves the others up: keep its place.": "20010",
    "That is the loss before the last update: losses[-1] is after it.": "30100",
    "A mean over the curve counts how it began: use the last loss.": "31110",
    "Not diverged is not yet best: compare the last losses.": "31101",
    "Another start: hand A and B over, start=(A, B).": "20111 21111 30111 31111",
    "Another number of steps: num_epochs=steps.": "20110",
    "That is the first rate, always.": "00000",
    "That is the last rate, always.": "32112",
    "That is the largest rate, always.": "02002",
    "That is the largest loss or the smallest rate.": "11101 10110",
}
NONE_WON = "No rate has won, as each loss is nan: do all runs start from A, B?"


def _rate(result, right=None, dtype=None):
    """Read a rate, or None."""
    return None if result is None else Number("the rate")(result)


@cases("4.3b", _rate, dtypes=BOTH[:1])
def best_rate(rng):
    """Compare what best_rate chooses in five small sweeps with the right choices."""
    given, sweeps = [], []
    for scale, relative, steps in SWEEPS:
        A, B, z = _turned(rng, scale)
        sweeps.append([r / np.linalg.norm(z, 2) ** 2 for r in relative])
        given.append((A, B, z, {"rates": sweeps[-1], "steps": steps}))

    def choices(chosen, given):
        hint = NO_RETURN if not any(chosen) else Hint(NONE_WON, SWEEP)
        expect(None not in chosen, "None for the rate", "one of the rates", hint)
        return [_index(rate, rates) for rate, rates in zip(chosen, sweeps)]

    def say(choices):
        return f"in five sweeps, rates number {[i + 1 for i in choices]}"

    def places(digits):
        return [*map(int, digits)]

    slips = [
        (hint, nearest([*map(places, chosen.split())]))
        for hint, chosen in CHOICES.items()
    ]
    otherwise = "Of the losses after the last update, that of the rate is the smallest."
    return Case(BEST, slips, otherwise, given, choices, say=say, where=SWEEP)


def _index(rate, rates):
    index = next((i for i, each in enumerate(rates) if near(rate, each)), None)
    hint = "Return the rate itself: neither its place in the list, nor its loss."
    expect(index is not None, f"{rate:.4g}", "one of the rates", Hint(hint, SWEEP))
    return index


AT_ZERO = "That takes λ₁, the curvature at zero; here it is curvature, at optimum."
TRIED = [0.0025, 0.01, 0.00265]


@asked("4.4")
def largest_lr_autoencoder(curvature):
    """Compare a predicted learning rate with 2 / curvature."""
    c = float(curvature)
    rounded = [float(f"{2 / c:.{digits}g}") for digits in (2, 1)]
    slips = [
        ("The limit is 2 / c, not 1 / c.", 1 / c),
        ("The limit is 2 / c, not 4 / c.", 4 / c),
        ("The limit is 2 / c, not 1 / (2 c).", 1 / (2 * c)),
        ("That is the curvature: the rate is 2 divided by it.", c),
        ("That is upside down: the rate is 2 divided by the curvature.", c / 2),
        ("The curvature is not to be squared.", 2 / c**2),
        ("No square root: the curvature is c already.", 2 / c**0.5),
        ("That is the limit at the flattest minimum; here c is given.", 1.022 * 2 / c),
        (AT_ZERO, 2 * 1.022 * 2 / c),
        ("Right idea, rounded too far: keep three digits.", *rounded),
        ("That is a rate of the lab, no prediction: use curvature.", *TRIED),
    ]
    otherwise = "It is 2 divided by the largest curvature."
    return number_to_find(2 / c, slips, otherwise, where=CURVATURE, tol=0.005)


@cases("4.5", ENCODER, sizes=[(6, 2), (7, 3)], dtypes=BOTH)
def best_encoder(rng, n, k):
    """Compare best_encoder with the pseudo-inverse by NumPy."""
    A = rng.normal(size=(n, k)) * np.arange(1, k + 1)
    unit = A.T / (A**2).sum(axis=0)[:, None]
    both = A.T @ A
    entries = "1 / … and ** -1 are entry by entry: a matrix inverse is another thing."
    slips = [
        ("A.T alone would do, if A.T @ A were the identity: it is not.", A.T),
        ("No single scale will do: A.T @ A is a matrix.", A.T / (A**2).sum()),
        ("Columns of unit length are not yet orthogonal: A.T @ A counts.", unit),
        ("Multiplying by A.T @ A makes it worse: it is to be undone.", both @ A.T),
        ("Q.T alone: R is to be undone, too.", np.linalg.qr(A)[0].T),
        (entries, both**-1 @ A.T, 1 / A.T),
    ]

    def say(B):
        rest = np.linalg.norm(B @ A - np.eye(len(B)))
        return f"‖B A − 1‖ = {rest:.4f}, size of B {np.linalg.norm(B):.4f}"

    otherwise = (
        "At the best y, the gradient of ½ ‖x − A y‖² by y is 0: what is it, and "
    )
    otherwise += "which y does that give? B is what x is multiplied by."
    odd = [(lambda result: hasattr(result, "solution"), SEVERAL)]
    return Case(np.linalg.pinv(A), slips, otherwise, (A,), say=say, odd=odd)


prediction, outcome = predictions(
    "04",
    zero_run="c-nQ4!AitH42ECjXU?@ySr6NbZy*SQ$g+pAO?L*{i8QH872n;=bbAzr5dI|df63|OysO~ebLiZ;#0o#Aws3E}VDc+8#Pk6kEFnnzrad27q=nb5png_FdxDsXq=6Ulsh0}ES(zzUr=<%}#>K}}!Rn=Xh_k5uLZ1S$!Lct5nAl`9j9PD~|B=mJsYOrHQBqu(1U+9<h~tQ1=E<Dajq+wn>1JmeG<5d>Z+vELYjC0s+V<IDNZ~O?)sb-ZYrWmfXr4H8T#WQ9Pwflk>tw&R7#xnxv2JR-hV>CI!IwKdFC-c{;ZWb#?)Ur$m5GEB",
    escape="c-m!=L2AP=5Jj)@@me)@T4?bFdVy|2$YNrTV-Z<nBpEl9-n}C`0Yg`U(dhj*qtmIVtEwstio^3L&f8(|vt2eQjxuAUJJMkN4c21{GD%2Qe4|CiHBe{Srw9rR(wfYXe1~L5j))^U#{m?vuyY1c)@PAM#-iY;{Z6~-rmrtDr#&Mko+3sGTs}?zIZ3|(a}WY0HmJ&~svFoIOzp5zKwYPb=y}1!p;co8o7UW1cjB+BGLq;_vg|Z^aor<7$A9W=8ek*%dlIiCORmA?p7GQs3E8PGU*ENmvkme#Uoz&Acc{ycZMYI&D(~omR_46L!y9@ftl~SG0?f8V1q5_9aGO6tw=>7I87Gml_&xstS^k;{",
    rate_sweep="c-oy&%WA_g5d4+F(3^2X0xkH~&nP7a*;>b<k~ZiO*OdNySC*Szdg?{2w6im_qqnz4H7%N<9Ai0jbKc8OY4vDcIm4+HX*T{HJmL5_LPaQC13ME5o>Y*lGv2uDz}~JsB4e~H-NZ6Vu*R9xZslY`Oo)lD5tDFWl6lVZG;_9EFo74)jlznMy=YD_DPmD;SIz!qt1w>!X)`9nzQv(C9F9+?wt9`T3ResqG=&}mSy3=a8bx5&RUw!g$$*!7;2RahK-G^g4!atY$nWeh@pn6@B+JuJ5FK7N_TrKXr2sq&I<#0!nnk>haa~U|S`2xk+325({$#w4@P&7g(aqDSJOagPNB<*@!1*%cl8vVRt`%V^mUV>vgok?sH4ypF=#;f`0ey@GxyPni>_PH%UGsJR22~lrV*",
    pca="c-n1H+e*Vg5dD=yKu{>56@2L*_*T#tDSenElkVbXM`t&URs45nx8MbQ8JOF-?e`5eD>PjxeRHUFg%6u<(LBkFiO$H*$7jfhASr?3fEQAlII~)tAd$CL!Wla#Q|~z04`U1>x<V2xPWZ$MZ}*sd2wq}#piWK<pOKu*VL-=!*Nc&lDie0?Mdg2@sH*8C&=!$ND@63uJXH}@^HF6<SiFIjS$dsGxjdI{@F`R5c~!0b+N(&uF#Kq$4zkHjcAQ;%3C?ug=dzP=M0dt*dxxtQkA}snq6pqH@zJ=H`)p9PTb%D5-r+37$Zr{05T!Uf;+p-D<B7t|1r`q&WQpZs-L5yAo0{vlK}R}R{)r1sZkx};7p<zFg#",
)
