"""The exercises of lab 03."""

import numpy as np
import torch
from torch.nn import functional

from labchecks.cases import BOTH, Case, asked, cases
from labchecks.follow import Descent, Drawn, Training
from labchecks.hunts import bug_hunt
from labchecks.predictions import predictions
from labchecks.readers import Numbers, Tensors, expect, shape_of
from labchecks.student import Hint
from labchecks.verdicts import progress as progress
from labchecks.verdicts import strict as strict

OTHER_START = (
    "the start is not torch.randn(…, generator=generator) for W1, then W2, in data's "
    "dtype, and biases 0. It works, but the numbers will differ from the lab's."
)
PASS, ENTROPY = "lab 03, One forward pass", "lab 03, From logits to a loss"
DEAD = "lab 03, One number for a whole layer"
FOUR = "lab 03, Four gradients at once"
TOO_MANY = Hint("cross_entropy takes logits: there is one softmax too many.", FOUR)
BEFORE = Hint("b1 is added after the relu: it belongs inside.", PASS)
NO_RELU = Hint("The relu between the layers is missing.", PASS)
RELU_TWICE = Hint("The logits must be free to be negative: no relu on them.", PASS)
BEND = Hint("The hidden units are relu: another bend is used.", PASS)
BENDS = torch.sigmoid, torch.tanh, functional.gelu, functional.leaky_relu
NO_BIAS = Hint("The biases are not added.", PASS)
SUM = Hint("The loss is the mean over the rows, not their sum.", ENTROPY)
SQUARES = Hint("The loss is the cross-entropy, not squared differences.", ENTROPY)
LOG_P = Hint("nll_loss takes log-probabilities: cross_entropy takes logits.", ENTROPY)
NO_LOG = Hint("The mean of −p: the logarithm is missing.", ENTROPY)
DOWN = Hint("The softmax goes along each row, over the classes: dim=1.", ENTROPY)
AGAIN = Hint("The loss is a mean already: no second division by the rows.", ENTROPY)
WEIGHTS = Hint("All rows count alike: leave the weights of the classes out.", ENTROPY)
BATCHES = Hint("Each step is on all rows: no batches here, one step an epoch.", PASS)
HIDDEN = Hint("W1 and b1 never move: is the hidden layer detached?", DEAD)
STUCK = Hint("The biases never move: update them too.", DEAD)
BIASES = Hint("The biases start as zeros: only W1 and W2 are drawn.", PASS)
SCALED = "Take data as they are handed in: scaling them is done outside."
FLOATS = Hint("Return Python floats: .item() makes one of a tensor.", ENTROPY)
SHAPES = "Shapes: W1 (inputs, 12), b1 (12,), W2 (12, classes), b2 (classes,)."
TWO = "Return two numbers: the loss, then the accuracy."
EVERY = Hint("From each row one entry: that of its own target.", ENTROPY)
GUESSED = Hint("It is −log p of the target's class, not of the guess.", ENTROPY)
ROUNDED = "Do not round: return the numbers as they are."
PARTS = Numbers("(loss, accuracy)", "each part", TWO)


def _floats(result, right=None, dtype=None):
    """Read two numbers, and refuse tensors."""
    parts = result if isinstance(result, tuple | list) else [result]
    tensors = any(isinstance(part, torch.Tensor) for part in parts)
    expect(not tensors, "a tensor", "two Python floats", FLOATS)
    return PARTS(result)


def _descent(X, y, start):
    data, targets, n = torch.tensor(X), torch.tensor(y), len(y)
    cross_entropy = functional.cross_entropy
    wanted = torch.eye(len(start[-1]), dtype=data.dtype)[targets]

    counts = torch.bincount(targets, minlength=wanted.shape[1]).clamp(min=1)

    def entropy(network, **options):
        return lambda *params: cross_entropy(network(*params), targets, **options)

    def picked(network):
        return lambda *params: -network(*params)[wanted == 1].mean()

    def squares(network):
        return lambda *params: ((network(*params) - wanted) ** 2).mean()

    def right(W1, b1, W2, b2, bend=torch.relu):
        return bend(data @ W1 + b1) @ W2 + b2

    def shares(*params):
        return right(*params).softmax(dim=1)

    def late(W1, b1, W2, b2):
        return (torch.relu(data @ W1) + b1) @ W2 + b2

    def bent(bend):
        return entropy(lambda *params: right(*params, bend))

    slips = [
        (SUM, n),
        (AGAIN, 1 / n),
        (LOG_P, picked(right)),
        (NO_LOG, picked(shares)),
        (DOWN, picked(lambda *params: right(*params).log_softmax(dim=0))),
        (WEIGHTS, entropy(right, weight=1 / counts.to(data))),
        (TOO_MANY, entropy(shares)),
        (BEFORE, entropy(late)),
        (NO_RELU, bent(lambda t: t)),
        (RELU_TWICE, entropy(lambda *params: right(*params).relu())),
        (BEND, *map(bent, BENDS)),
        (SQUARES, squares(right), squares(shares)),
    ]
    return Descent(("W1", "b1", "W2", "b2"), start, entropy(right), slips)


def _scaled(data):
    """Return the data standardised, in two ways."""
    return [(data - data.mean(0)) / data.std(0, ddof=ddof) for ddof in (0, 1)]


def _flat_biases(result):
    """Make biases of shape (1, k) vectors, and refuse those that are one number."""
    if not (isinstance(result, tuple | list) and len(result) == 4):
        return result
    seen = [shape_of(b) for b in result[1::2]]
    wanted = tuple(shape_of(W)[1:] for W in result[::2])
    hint = Hint("A bias is a vector, one number for each unit.", DEAD)
    expect((1,) not in seen, f"biases of shapes {seen}", wanted, hint)
    return [
        b.reshape(-1) if i % 2 and shape_of(b)[:-1] == (1,) else b
        for i, b in enumerate(result)
    ]


class _DrawnLayers(Drawn):
    """A start whose biases are zeros."""

    def checked(self, found, run, asking, training, lab):
        """Demand the zeros, and go on as ever."""
        zeros = all(np.abs(b).max() < 1e-9 for b in found[1::2])
        expect(zeros, "biases that are not 0 at the start", "zeros", BIASES)
        return super().checked(found, run, asking, training, lab)


NETWORK = Tensors(("W1", "b1", "W2", "b2"), SHAPES, _flat_biases)


@cases("3.1", NETWORK, sizes=[(70, 2, 3), (50, 5, 4), (30, 3, 3, True)], dtypes=BOTH)
def mlp_train(rng, n, inputs, classes, apart=False):
    """Follow mlp_train for some steps, on two sets of labelled rows.

    A third has its classes apart: there the loss is soon next to nothing.
    """
    y = rng.permutation(np.minimum(np.arange(n) % (classes + 2), classes - 1))
    if classes == 4:  # of which class 1 has no rows: the largest target counts
        y[y == 1] = 2
    X, lr, steps = rng.normal(size=(n, inputs)), 0.05, 4
    if apart:
        X, lr, steps = 0.1 * X + np.eye(classes, inputs)[y], 1.0, 50
    sizes = (inputs, 12), (12,), (12, classes), (classes,)

    def draw(generator, dtype):
        W1, W2 = (torch.randn(s, generator=generator, dtype=dtype) for s in sizes[::2])
        return [W1, torch.zeros(sizes[1]), W2, torch.zeros(sizes[3])]

    def descent(start):
        book = _descent(X, y, start)

        def batches(size):
            some = [slice(i, i + size) for i in range(0, n, size)]
            return [_descent(X[rows], y[rows], start).loss for rows in some]

        scaled = [_descent(each, y, start).loss for each in _scaled(X)]
        more = [(STUCK, book.without(1, 3)), (HIDDEN, book.without(0, 1))]
        more += [(SCALED, *scaled), (BATCHES, *map(batches, (1, 10, 16, 20, 32, 50)))]
        return book._replace(slips=[*book.slips, *more])

    start = _DrawnLayers(draw, OTHER_START)
    return Training((X, y), descent, lr, steps, drawn=start)


hunt, bug_found = bug_hunt(
    "3.2",
    "c-oy+(QfQS4E+^rUv47O&@NnbS*a2r@xUuW>O*gZCK+clG?`g>CM^3Ud=Ni|J)X^m3*0Mc)l?aK?BnBO=Xqyw0Q}WVi%D2nlS~82&=FH?;OU`(j{lza{C{5`-h1Gm_dEIh5z|5*(ugpl@z7I<@eX~WaJqo;Hk;yT2q6qW;T-wIB#;Ag$1$}UNP~{fTJ-P;DNsMQgwvAIz&DHnK4TcQI!@u}Qe?++gYA2<?^pBBC$_3vE3YvOX*R!A*3FN%C{beEW%p;zX~_5^RulTFFi_Vk8859=S(WR@1!Kf`%fn6|rZ9cKkm)b%RIUDx*LZbn!_rMy)qe?0%BsL?UBbCy1lK_2VAsI&?kDCp*WjX(*<`xcoP6v<YS}ltZqGOF*9a*Dm;~2<xe#YFP5HuiA&t4MXA1t<?p_$-^A~LRWMk{xS&3og(LG3T!xt==AtB|Ya;1guO+UioU4jn1WiM6|mpHQ1X)--F5JSP31!CPWAT?QuXU729HUmRe6>^^0*ep#kDCjQ>=6}*y#+M)a!ma{s;RkjV-8*iuu#kx<_zjGUx5V|tgr}H6`k?xOeiXq);2Icyw<I1!qzjxVbf$BYOBb*Kqk?;T1NSk7-`6WrX=E`0EuJ|EXPwwSOv~)!LHU)@?8AJ*gfIjG6sr5l#JHjF?fsRjf>KADsZb$+WV`BIEXlkwbpwTY(-sYAgMX8RLf4}f_tje5b}kQp8^5)-Z>5IdbC#IfDrIDTGkks%Y`-k_$mDky1>FUEc@u97PJm_6LhzVneUL)`_+6fUnLDHcnLQoprsJ@Kq3zK8YXz;jZG}w*y>`dxEGap6+pa6q;4z&8y)t5HTqd{CaRhEt27UmZ2*R@=o{0_}ml79|lYsV8G?@4rb6+K7DP1wYE0{mEs^Y?X2R?^~`+GrdinzGR(r7+~M8<hZu3Zo<GlTqDaXjme`y}ToH>H)aa{G?Lc|Of6Vf{YvV8{+|{{P`DqrsVQQpPjn{LZ>rd{W6=HJL`jjr1Aox=mE&JRO`Wa8-tHvcZv6XkQm-WpRJ7tDEg6U)NmTmqlH-&tb#mZUspesfDL8<R+@lb%&h{WgwLVzkMHSrj0cq!LN(><>gOc;*|9",
)


@cases("3.2", _floats, sizes=[(8, 3, 5, 3, 5), (10, 2, 4, 4, 3)], dtypes=BOTH[:1])
def evaluate(rng, n, inputs, hidden, classes, hits):
    """Compare evaluate with the formulas, on two small networks."""
    sizes = (n, inputs), (inputs, hidden), (hidden,), (hidden, classes), (classes,)
    data, *params = (rng.normal(size=size) for size in sizes)
    W1, b1, W2, b2 = params
    Z = np.maximum(data @ W1 + b1, 0) @ W2 + b2
    y = (Z.argmax(axis=1) + (np.arange(n) >= hits)) % classes
    log_p = Z - np.log(np.exp(Z).sum(axis=1, keepdims=True))
    book, right = _descent(data, y, params), hits / n
    loss, no_b1, no_b2 = book.value(params), 0 * b1, 0 * b2
    networks = [W1, no_b1, W2, no_b2], [W1, b1, W2, no_b2], [W1, no_b1, W2, b2]
    losses = [
        *book.values(),
        (SCALED, *(_descent(X, y, params).value(params) for X in _scaled(data))),
        (NO_BIAS, *map(book.value, networks)),
        ("The sign of the loss is lost: it is −log p.", -loss),
        ("They come back in the wrong order.", right),
        (EVERY, -log_p[:, y].mean()),
        (GUESSED, -log_p.max(axis=1).mean()),
        (ROUNDED, *(round(loss, digits) for digits in (2, 3, 4))),
    ]
    fixed = [hits / rows for rows in (50, 100, 150)]
    counts = [
        ("A share, not a count: divide by the rows.", float(hits)),
        ("The number of rows is fixed: take len(targets).", *fixed),
        ("Compare argmax, the place of the largest logit; divide by /, not //.", 0.0),
        (ROUNDED, round(right, 2)),
        ("A share between 0 and 1, not per cent.", 100 * right),
        ("That is the share of wrong rows.", 1 - right),
        ("A share of the rows, not of all logits.", right / classes),
    ]
    mean = "The loss is the mean of −log softmax(logits)[target]."
    count = "Count rows whose largest logit (argmax, dim=1) is the target's."
    said = {"say": "loss {:.6f}", "where": ENTROPY, "tol": 1e-6}
    return [
        Case(loss, losses, mean, (data, y, *params), part=0, **said),
        Case(right, counts, count, part=1, say="accuracy {:.4f}", tol=1e-5),
    ]


@asked("3.3")
def predicted_gradient():
    """Compare a predicted gradient with the sum of the entries of (P − Y) / n."""
    slips = [
        ("That is the gradient of b1: b2 is added after the relu.", 4.182),
        ("Sum over all three logits: each row of P − Y has a sum.", 1 / 3, -1 / 3),
        ("Σ P = 1, but Σ Y is taken away: what is left in a row?", 1.0, -1.0),
        ("The start of b2 is no matter: sum (P − Y) / n.", 100.0),
    ]
    otherwise = "Add up all entries of (P − Y) / n: what is the sum of a row?"
    said = {"say": "{:.4g}", "told": "another number", "where": FOUR}
    return Case(0.0, slips, otherwise, tol=1e-3, least=1e-9, **said)


prediction, outcome = predictions(
    "03",
    loss="c-n1{K~BUl3`MW<)pb=32m#YAhd^jF3paJ!sA-IvWU7K#asqD1NpPk`Y}h!79s7O%)2X1MMA776it{y=c-L%=;zbfBS`i29M@R=VkT+Z-$i$ds37}aowjUyz6)u^v1o;-UC;P-9Xg@_*{p^BhDI{$Y&oB~V&Q5y5OUCpimcg0<VUXlnI9Yhs0gQ>sSDV)Vq>)GRaVG1zh3B})Jc5EITQ;`kwuX%ueHOi=uyQPQmt5F!y}dA)ly4lVa%v<+e1Cpbn?Xu`=Db<R%wXRbH>zXgtHfXIwqU1o1G_GR)dP9m-RN1LhwAZ8Jpf&Jrk+bQ$`S8Y+}`Kbo5SJH+X_$OJ6*y@Og2R2ZO&%{-CE;V9UrRV<NO0g=bVi",
    twice="c-n1{+e*Yh42EAN^m-|~iYR>ppFm{Ui*%Z4ht5Hg6czE^&CGxxcoUNRIef|WI^b}EVXnpvw`Nc9W!VXa*K$C@PtYyo9f}7jUK4%*3LtFADUt}d4f9G(cNl4cps*9Yi8Wf97vd_`KsP1=7g2=dWb<GtA+NOqR}2|sD@R-)7lkE=9z6FxHqi>l4*MTlEfaDjFMly-#=SEobHv7aPfXdFF9~BLZXlwS7?~;qYt7DwQII&wYS;F21QWqpFap+19d{+IBGcIaXnZd<Y#o{Oz3>jf_8r{*6jUg7WFJ`cm)L52L~TIH?r+3GwrNJU1IARWIu}?Omtb5YJZHF^&mDgP&n3ZSynA>AE!DYy8i()O56eBJEC",
    many="c-n1{O-{rx427@qlywyfVi*{S4QF73Mzcs8cVf{xQhqu@h&^ZEc$|c!Wx)U&%X+r_KEM558Pz~_we;$+)CR9b-9bJ1jLEzpIhJSm0R|Hpfr+J)JarVx%p|y?L`rESyTiaUA!Ml%O-LRcfyC#d!{7sYXQZd9o0)<+5`0d2rTEV@IYLZEtO*vDW;Thv{J<$)^=xo*+&geYtJ^z`hnyfR1QsL`2$995zS(?Vjm23&T-t!hmh_rJfp{#QqmQv}dRg9CpZv?w>Z`W-g|dhjpYI<V+%GU?LF^gK$b=KuCs(Az6U8;nbEpz%@Kd>ReOohY^>(Y(+u;kdeU0n",
    proper="c-n1{L23gr3`MW<nRN)0KxvpW^a3Shp_yo66UPd&rzVu%z4AEirrj7x$luTJc<iX#pd0Hkb*E?fY10ASyDYfT1KIg_h0MrGKKgh8B?KmI^(ae*SD!e+M_f3vQW#JiWjGG^1c?^HxJD@vbCANCken>xyl&LM+cLSjxWvR9t>Uz8Y=-hinH7AO$tBD_w{UMEcb+^2WLaPMB~&SC1Bz!GR}9i~csyx1BrcAX2lU(Beh*t%qw&)Bn>yRQ*4g2wJJfF1_x-kc`p=Dguo_sdkDCRbjV-HKH;dkel`e8FqSxjw{RPHY5lM3+4^ox3pJtQC<tdv&fY@y{Ltm$F0JWDF",
    baseline="c-n1H$!fze5dD>hPYnbULqZnlsn-??J(ZBd*qTJ5wiGnuno#=hmE^Yc(2LN#S>AFyR#YufwfX6))A#oyp$Am2VZ=Z;sCE7g;f%?Wf?%C7?9tPWBRcXh;Q*&-*&9jIj5b8WQ4*pPr_rt_5tb#$8|?S+<Iv`QS!U^?YZ*g`oVF9xZ0cE667iyu+{NneP3ngr3gIh7QZ9UIBQxa6oy#l|lFF<G7jj<UL$+`^V7;xk*~n&vbBJa2>G64)@g43S?wdtXxZc(4Qmz)5oZ2vInJtd%IjjHj3GW=wPPK6Tv6;D=RpRW!^kchciauYJ6xR(ll{)7miLW=g<uN#sIhb@lOBlW6K!azgtIyLHV+4|L",
)
