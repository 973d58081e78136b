"""The exercises of lab 00."""

import numpy as np

from labchecks.cases import BOTH, Case, Cost, cases
from labchecks.given import Node, Waves
from labchecks.hunts import bug_hunt
from labchecks.predictions import predictions
from labchecks.readers import Matrix, Number, expect, shape_of
from labchecks.student import Hint, kind
from labchecks.verdicts import progress as progress
from labchecks.verdicts import strict as strict

LAB = "lab 00, "
CHAIN, RIGHT = f"{LAB}The chain rule, backwards", f"{LAB}Is a gradient right?"
TWICE = f"{LAB}A gradient of a gradient"
# Who is made of whom, as places: 3 is used three times, 1 twice by one value.
SHARED = [(), (), (), (0, 1), (3, 2), (3, 4), (5, 3)]
SQUARES = [(), (), (1, 1), (0, 2), (3,), (3, 4), (5, 1)]
SHAPE = "Return a tensor with one slope for each entry, in the shape of x."
VECTOR = "Return the product H v, of the shape of x."
FIRST = Hint(
    "The product H v is not right yet: first Exercise 0.3.", f"{LAB}Exercise 0.3"
)
NOT_ITEM = "autograd.grad returns a tuple, with one item for each tensor: take it out."


def _say(what):
    """Return how arrays are shown, entry by entry."""
    return lambda seen: f"{what} " + ", ".join(f"{x:.4g}" for x in np.ravel(seen))


def _of_graph(result, right, dtype):
    """Read nothing: the gradients are in the graph."""
    return result


def _gradients(result, given):
    """Return the gradients in the graph that was handed over: a ``part``."""
    found = [node.grad for node in given[0].nodes()]
    hint = "Each v.grad is a number: slope * v.grad, added to parent.grad."
    for grad in found:
        fits = isinstance(grad, int | float | np.number)
        expect(fits, f"{kind(grad)} in a .grad", "a number", hint)
    return np.array(found, dtype=np.float64)


def _named(seen):
    """Return how the gradients of a graph are shown: a, b, c, … and a number each."""
    return ", ".join(f"{name} {grad:.4g}" for name, grad in zip("abcdefg", seen))


def _along(slopes, order, *, add=1.0):
    """Return the gradients when values pass theirs on in an order; 0: overwriting."""
    grads = np.zeros(len(slopes))
    grads[-1] = 1
    for i in order:
        for parent, slope in slopes[i]:
            grads[parent] = add * grads[parent] + slope * grads[i]
    return grads


def _at_once(slopes, *, add=1.0, once=False):
    """Return the gradients when a value passes on whatever comes, at once."""
    grads, seen = np.zeros(len(slopes)), set()
    grads[-1] = 1

    def visit(i):
        if not (once and i in seen):
            seen.add(i)
            for parent, slope in slopes[i]:
                grads[parent] = add * grads[parent] + slope * grads[i]
                visit(parent)

    visit(len(slopes) - 1)
    return grads


def _of_ones(slopes):
    """Return the gradients when each call puts 1 into its value, and adds at last."""
    grads = np.zeros(len(slopes))

    def visit(i):
        grads[i] = 1
        for parent, slope in slopes[i]:
            visit(parent)
            grads[parent] += slope * grads[i]

    visit(len(slopes) - 1)
    return grads


def _with_copies(slopes):
    """Return the order, from its end, of a list that a value enters at each visit."""
    order = []

    def visit(i):
        for parent, _ in slopes[i]:
            visit(parent)
        order.append(i)

    visit(len(slopes) - 1)
    return order[::-1]


def _by_level(slopes):
    """Return the order that goes from the result on, level by level, to each once."""
    order = [len(slopes) - 1]
    for i in order:
        order += dict.fromkeys(p for p, _ in slopes[i] if p not in order)
    return order


@cases("0.1", _of_graph, sizes=[(SHARED,), (SQUARES,)])
def backward(rng, made_of):
    """Compare the gradients of two graphs with those of linear algebra."""
    alike = rng.uniform(1, 2, 3)  # different values can be the same number
    plain = [
        [alike[i % 3], parents, rng.uniform(0.5, 2, len(parents)).tolist(), 0.0]
        for i, parents in enumerate(made_of)
    ]
    root = Node.of(plain)
    nodes = root.nodes()
    place = {id(node): i for i, node in enumerate(nodes)}
    slopes = [[(place[id(p)], s) for p, s in zip(n.parents, n.slopes)] for n in nodes]
    S = np.zeros((len(nodes), len(nodes)))
    alone = np.eye(len(nodes))[-1]
    for i, pairs in enumerate(slopes):
        for parent, slope in pairs:
            S[i, parent] += slope
            alone[parent] += slope
    last = np.eye(len(nodes))[-1]
    right = np.linalg.solve(np.eye(len(nodes)) - S.T, last)
    forth, back = range(len(nodes)), range(len(nodes))[::-1]
    ones = [[(p, 1.0) for p, _ in pairs] for pairs in slopes]
    of_numbers = [[(p, nodes[p].number) for p, _ in pairs] for pairs in slopes]
    lost = "A value that is used twice loses a part of its grad: it is replaced."
    again = "At its second visit, a value passes on all its grad, the first part again."
    each = "1 belongs to the last value alone: yours puts it into each."
    cleared = "Every value keeps its grad: yours clears those that have parents."
    double = "In v * v, the same parent comes twice: both count, each with its slope."
    firsts = [[*{p: (p, s) for p, s in pairs[::-1]}.values()] for pairs in slopes]
    lasts = [[*{p: (p, s) for p, s in pairs}.values()] for pairs in slopes]
    near = "Only the parents of value itself get a gradient. Go on to theirs, and read "
    near += "the list from its end: value comes first."
    copies = "A value is in the list more than once: visit each once."
    early = "A value passes its grad on before all of it has come in: it must wait for "
    early += "everything that was made of it."
    of_slopes = "The slopes are in v.slopes: v.number is the value itself."
    slips = [
        (lost, _along(slopes, back, add=0), _at_once(slopes, add=0)),
        (again, _at_once(slopes)),
        (near, _along(slopes, forth)),
        (copies, _along(slopes, _with_copies(slopes))),
        (early, _at_once(slopes, once=True), _along(slopes, _by_level(slopes))),
        (each, np.ones(len(nodes)), _of_ones(slopes)),
        (cleared, np.where([bool(pairs) for pairs in slopes], 0, right)),
        (double, _along(firsts, back), _along(lasts, back)),
        ("Nothing has a gradient: that of value itself is 1.", 0 * last),
        ("The slopes are left out of the chain rule.", _along(ones, back)),
        ("The chain rule is a product: slope times the grad of v.", alone),
        (of_slopes, _along(of_numbers, back)),
    ]
    otherwise = (
        "Does value alone start at 1, and does each value pass its grad on once, "
    )
    otherwise += "after all of it has come in?"
    made = [
        f"{'abcdefg'[i]} is made of {' and '.join('abcdefg'[p] for p, _ in pairs)}"
        for i, pairs in enumerate(slopes)
        if pairs
    ]

    def say(seen):
        return f"{_named(seen)}, where {', '.join(made)}"

    judged = {"part": _gradients, "say": say, "told": _named(right), "where": CHAIN}
    return Case(right, slips, otherwise, (root,), **judged)


def _waves(rng, count, shape):
    """Draw a function of a tensor, and a point."""
    rows = rng.normal(size=(count, shape[0]))
    x = rng.normal(size=shape)
    return Waves(rows), rows, x


hunt, bug_found = bug_hunt(
    "0.2",
    "c-oa!y^h;B5Pp?`o5&Yiu{TZ5fQu`xP7tKqECN~@nZ#10K~k2TF5T7lD2H_E@+kWxnc+zOS!^yF8!&9o-#6cUGrFDB*nsO=45m`{(>AEupi4zFgToB;boJ2zy*^I({T@>n93+h}I)ZPY0hQQ$bA*ci3d%xlng#>93S%j;l4s|QOEZYp?=Zp|4rOJ%!(uvv<U^&)&lr6CWX(MmhpEJHN|U{Fbh$U!7xU#{ZF~R&#z9bSOF<<!V~gpCoL?IxFQf!Rs#|kcnuKjJJ^P$Z@Ny0MZ0L3r*c7?;)Bf`{+`u1~F}3gAlTp(6sRfQ+LqR3xIc5s4pvbwNuCyLn5o3^XNY2R&ZYO_5(6IGHRug;+i*iY{!gBHO<=exTuQO2Aj@&17H5(T*AO>lqM^MDkLLzy@F{zMB%KOW-*;~?XgYQ96YX0)O!4XrkNJ8ooODgrIqF-9shB3CrbrE{a7KR(O?`%zsNSQ=s){>qwHYUU*dBH>oW~-AVj=n|k<P&1<xU#5%JwhM6+m@3%;_>!RO87tY!%NUyQ}M?Ks>VJ?uCt>8)ZKwSz?1x;CI1y{s37c>?WjxH7|KFla`TD+4U56d(SIgfY!K&NWS!$4sf-qo%jE^gXXq-+>V*2;F=_9p%HGt3iB|V!EbgG~Y%)7*#Gp&y9<KqZji**`sLNzpmeV*zT5c~xsyrLmjr{fZ{~miv8$YFbp22ReDc+!DefZ~JJ)<%Nh&Tb0pjT0FrrryikrjM|Mg>qik}{~QL}Wutn}Ffxe8*(09oVUbooCa2V*R|#r%v8FQW_n+arO*$kOft}t|#amDaW`in=Lk3U6mq~mYNnsZ!Q20$Lf$PR{U`wzlgL!E;H5oJ;ppEay2rI41iB4|7cBJTNEk>8d<A)<WLBEMAtR&m8|S(&?EL|>o$`&Cxp{$3ae2J*VU7{M**LAn51xo;5%36K2cSAz@b&VaEoT^R-l0N&yOwW^Es)kX*UDXn*r$)CxDUE0*AXZG*U;Gj}+%>VysD+k1AO2cQQyi4YW?Gx|jbIohQ+>Cry;_H^UrMF<d8>Z_LkD);o=$*T!P@aCk_pBN+~(s|U=lFW7zjfEW?edF))33>^S*$yHL`vU&u;$X~?akY+kpm(LGArRPJ-C}d|AgyZh+2m4v8xc",
)


@cases("0.2", Matrix("the gradient", SHAPE), sizes=[((3,),), ((2, 3),)], dtypes=BOTH)
def numerical_gradient(rng, shape):
    """Compare numerical_gradient with central differences, at a large h."""
    f, rows, x = _waves(rng, 4, shape)
    h, middle = 0.2, np.sin(rows @ x).sum()
    moves = h * np.eye(x.size).reshape(-1, *shape)
    count = np.arange(x.size).reshape(shape)

    def values(points):
        found = [np.sin(rows @ point).sum() for point in points]
        return np.array(found).reshape(shape)

    up, down = values(x + moves), values(x - moves)
    whole = values([x + h] * x.size) - values([x - h] * x.size)
    lines = [h * (np.arange(len(x)) == i) for i in np.indices(shape)[0].ravel()]
    lines = [line.reshape(-1, *[1] * (x.ndim - 1)) for line in lines]
    by_row = values([x + line for line in lines]) - values([x - line for line in lines])
    left = x - h * np.tri(x.size, k=-1).reshape(-1, *shape)
    left = values(left + moves) - values(left - moves)
    so_far = h * np.tri(x.size).reshape(-1, *shape)
    so_far = values(x + so_far) - values(x - so_far)
    ups, downs = (values(np.where(moves > 0, m, x)) for m in (moves, -moves))
    put = ups - downs, ups - down, up - downs
    brackets = "Brackets: the whole difference is divided by the whole of 2 h."
    alone = "Take both sides, x + h and x − h: one side alone errs by h, not by h²."
    halves = [side / (2 * h) for side in (up - middle, middle - down)]
    sums = (up + down) / (2 * h)
    rows_only = "len(x) counts the rows: a loop over the entries goes to x.numel()."
    right = (up - down) / (2 * h)
    slips = [
        (alone, (up - middle) / h, (middle - down) / h),
        ("One of the two points stays at x: move both.", *halves),
        ("The two points are 2 h apart.", (up - down) / h),
        (brackets, (up - down) / 2 * h, up - down / (2 * h)),
        ("Divide the difference by the distance of the two points.", up - down),
        ("The distance is 2 h: h is not squared.", 2 * right / h),
        ("Divide the difference of the two values of f, not their sum.", sums),
        ("Both values of f are of the same point: one at x + h, one at x − h.", 0 * x),
        ("That is downhill: f at x + h comes first.", (down - up) / (2 * h)),
        ("All entries move at once: move one, and leave the others.", whole / (2 * h)),
        ("A whole row moves at once: move a single entry.", by_row / (2 * h)),
        ("An entry is not put back before the next one moves.", left / (2 * h)),
        (
            "Entries moved before are still moved: a new copy for each.",
            so_far / (2 * h),
        ),
        (
            "The entry is replaced by h: add h to it, by += h.",
            *(p / (2 * h) for p in put),
        ),
        (
            "Only the first entry: is return inside the loop?",
            (count == 0) * right,
        ),
        (rows_only, (count < len(x)) * right),
        (
            "The last entry is left out: range(n) ends before n.",
            (count < x.size - 1) * right,
        ),
        (
            "Move by the h that is handed in, and use f alone.",
            rows.T @ np.cos(rows @ x),
        ),
    ]
    otherwise = "An entry is the difference of f at two points, by their distance."
    fits = "f takes a tensor of the shape of x, and this one has another."
    errors = [("shapes cannot be multiplied", fits)]
    judged = {"say": _say("slopes"), "where": RIGHT, "errors": errors}
    return Case(right, slips, otherwise, (f, x, h), **judged)


def _hessian(rows, x):
    """Return the gradient and the Hessian of Waves, by hand."""
    angles = rows @ x
    return rows.T @ np.cos(angles), -(rows.T * np.sin(angles)) @ rows


def _no_products(gradient, H, v):
    """Return what is taken for H v, as slips."""
    return [
        ("That is the gradient: differentiate once more.", gradient),
        ("That is H times ones: v is left out.", H.sum(axis=0)),
        ("Only the diagonal of H is used.", np.diag(H) * v),
        ("That is the gradient times v, entry by entry.", gradient * v),
        ("The first gradient is still in it: .grad adds.", H @ v + gradient),
    ]


@cases(
    "0.3",
    Matrix("the product", VECTOR, recorded=True),
    sizes=[(4, 3), (3, 5), (2, 60)],
    dtypes=[*BOTH, BOTH[0]],
)
def hessian_times(rng, count, n):
    """Compare hessian_times with a Hessian by hand, and count its work."""
    f, rows, x = _waves(rng, count, (n,))
    v = rng.normal(size=n)
    if n == 60:
        one = count * n
        dear = Hint("H has n × n entries: never make them, only the product.", TWICE)
        seen = f"{{}} multiplications, f alone takes {one}"
        return Cost((f, x, v), "multiplications", 20 * one, seen, "far fewer", dear)
    gradient, H = _hessian(rows, x)
    number = "That is one number: it is to be differentiated by x."
    slips = _no_products(gradient, H, v)
    otherwise = "Differentiate the number gradient · v once more by x."
    odd = [
        (lambda result: isinstance(result, tuple), NOT_ITEM),
        (lambda result: result is not None and shape_of(result) == (), number),
        ((n, n), "That is H itself: the product with v is asked for."),
    ]
    cut = "What is differentiated here has no record: the first gradient needs "
    cut += "create_graph=True, and f(…) the marked x."
    whole = "autograd.grad differentiates one number: g · v, the sum of g * v."
    errors = [
        ("does not have a grad_fn", cut),
        ("created only for scalar outputs", whole),
        ("'tuple'|not tuple|converted to an index|by non-int", NOT_ITEM),
    ]
    judged = {"say": _say("entries"), "odd": odd, "errors": errors, "where": TWICE}
    return Case(H @ v, slips, otherwise, (f, x, v), **judged)


@cases("0.4", Number("the curvature"), sizes=[(3, 3), (4, 2)], dtypes=BOTH[:1])
def largest_curvature(rng, n, steps):
    """Compare largest_curvature with the power iteration on a matrix."""
    Q, _ = np.linalg.qr(rng.normal(size=(n, n)))
    size = rng.uniform(1, 2)
    values = size * np.array([-4.0, 3.0, -2.0, 1.0])[:n]  # near enough to come slowly
    scales = (np.abs(values) / 0.8) ** 0.5
    rows = scales[:, None] * Q
    x = Q.T @ (np.arcsin(-0.8 * np.sign(values)) / scales)
    v = Q.T @ rng.uniform(0.8, 1.2, n) * rng.choice([-1.0, 1.0])
    gradient, H = _hessian(rows, x)

    def after(steps, times=H.dot):
        u = v / np.linalg.norm(v)
        for _ in range(steps):
            u = times(u) / np.linalg.norm(times(u))
        return u

    def curvature(u):
        return u @ H @ u

    def instead(i):
        def times(u):
            return _no_products(gradient, H, u)[i][1]

        u = after(steps, times)
        return u @ times(u)

    u = after(steps)
    length = "That is the length of H v, which has no sign: take v · (H v)."
    unit = "v is not of length 1: divide by its length, (v @ v) ** 0.5."
    inside = (
        "There is only one step: is return inside the loop, or does v stay the same?"
    )
    ignored = "steps is ignored: v is still where it was."
    before = H @ after(steps - 1)

    def too_large(seen):
        return seen if abs(seen) > 1.001 * np.abs(values).max() else np.nan

    slips = [
        (FIRST, *map(instead, range(5))),
        (length, np.linalg.norm(H @ u), np.linalg.norm(before)),
        (ignored, curvature(after(0))),
        ("There is one step too few.", curvature(after(steps - 1))),
        ("There is one step too many.", curvature(after(steps + 1))),
        (inside, curvature(after(1))),
        (unit, curvature(before), curvature(u / np.abs(u).max()), too_large),
        ("Take exactly the steps that are asked for.", values[0]),
    ]
    otherwise = (
        "In each step v becomes H v, then gets length 1; at the end, v · (H v). "
    )
    otherwise += "Is hessian_times (0.3) right?"
    say = f"{{:.4f}} after {steps} step{'s' * (steps > 1)}"
    given = (Waves(rows), x, v, steps)
    errors = [("grad_fn|differentiated Tensor|scalar outputs|'tuple'|an index", FIRST)]
    judged = {"say": say, "errors": errors, "where": TWICE}
    return Case(curvature(u), slips, otherwise, given, **judged)


prediction, outcome = predictions(
    "00",
    kept="c-mEuL2JV>42A#7!{<=gb^8m0U3M!yD6txwq;{~Blu-8HD?8m_7a^pl_vxL_j$8-V*D|=vt9{t?9qubZ1LICRdKxD1#%0Gw^U4V15mhi2@{yBvkZc18^G)oG^q+iUUc~mNgJ$NROdAWR7@(^6yc#JfG-C*qMsAk&KrDZhLqGANAE0?gwsjFKB$Zk6ItEbkO?Ay>%&MGDM>u1Cw>0wvQ7YBUupRDELks##!CQxZ)fy)XZseQU>rHrGIC()f<DbhD;(%*W",
    twice="c-l3Ov2MdK3`BqBpxN-4AzQb8K(`<RE77r9Sqdl$LQwSIOWE!sP`t-G@^*9NCb-Y>cy~X`AM0M>-ZH4x_{bY)MK3J{gaTbjuVC^kJf(CB&!&i4QF?}OZOOhF&qSV478_zDsyZKW=Kf)wB}&!9CGn!TfO6Q`%Dz}hA#lKD!dEkpDh8@7n^nT6+@r3RRWhSf`ks$tjtGOIu^B8<1by%90kp9#>WhRyj6ojJQrcsM_UL)W`=DPY*0H2-iPRv<+^0Pi^lxD&p4ZRr_x=aAa&mJ",
    smaller_h="c-mc&K~BUl3`MW<)paQvBtYtt9eZ}8S)@~^i6)6hNjlXCaVaD&zyUZD_EcrT#!>9p|M_RXZ%oso88jT5!!5RWmu!#b%@Hi;I0pk0I1!4u78LH`D=6oJ;R^Tt+2LiDggH7~OqdC5Vd0CMR-Y7(gdN@Oo?4hR;sH*p!PgoHku&w$Qbn%>K2r-78~r3Q`i^YvR!pIKttdoMIHCywlz5)pI@g*En>ix$oJOCf70e`s<*XWsOb*u#X7m?7(x{BW)T-FV`rM;Z5+<ID&aOUEk*ld2>Oe(MDxJI4y?>5v{+NM<L0oG8ur&Sig?qRTw-%pul*>My3Kn0T7_>Mq=G;7?BMZTlc`56nx`jeMYF#8U$p`rpb<M}&7Y>-3$^",
    cost="c-mD@I}XAy486)z=Bfu^Wa`ENDh4+-ZPYfF>J$dVr8oj7!yy%j#fkmw_i0;4u7c}w@$PIj_jjuYxKm`@Xr3^HD=X5-7*^^7$5er04}!86`+T-K@{=vCvJE3b+OHa14`A{myl7HTCtCt3md$4N(wDR@R!q6UXh_5=H!V`~?<Kbe);JoONgy)!b|KIZhq-_y)Q|4<gsH57cTSaTQ<;|>j#9BHmz;Dlf11!SJk5TaDRE!B$N3E&U}Ov",
)
