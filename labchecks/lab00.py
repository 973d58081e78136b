"""The exercises of lab 00."""

import numpy as np

from labchecks.cases import BOTH, Case, Cost, cases
from labchecks.given import Node, Waves
from labchecks.predictions import predictions
from labchecks.readers import Matrix, Number, expect, shape_of
from labchecks.student import Hint, kind
from labchecks.verdicts import progress as progress
from labchecks.verdicts import strict as strict

CHAIN = "lab 00, The chain rule, backwards"
RIGHT, TWICE = "lab 00, Is a gradient right?", "lab 00, A gradient of a gradient"
# Who is made of whom, as places: 3 is used three times, 1 twice by one value.
SHARED = [(), (), (), (0, 1), (3, 2), (3, 4), (5, 3)]
SQUARES = [(), (), (1, 1), (0, 2), (3,), (3, 4), (5, 1)]
SHAPE = "Return a tensor with one slope for each entry, in the shape of x."
VECTOR = "Return the product H v, of the shape of x."


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


def _by_level(slopes):
    """Return the order that goes from the result on, level by level, to each once."""
    order = [len(slopes) - 1]
    for i in order:
        order += dict.fromkeys(p for p, _ in slopes[i] if p not in order)
    return order


@cases("0.1", _of_graph, sizes=[(SHARED,), (SQUARES,)])
def backward(rng, made_of):
    """Compare the gradients of two graphs with those of linear algebra."""
    plain = [
        [rng.uniform(1, 2), parents, rng.uniform(0.5, 2, len(parents)).tolist(), 0.0]
        for parents in made_of
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
    again = "A value that is used twice passes on twice, and the first part once more."
    near = "Only the parents of value itself get a gradient: go on to theirs."
    early = "A value passes its grad on before all of it has come in: it must wait for "
    early += "everything that was made of it."
    of_slopes = "The slopes are in v.slopes: v.number is the value itself."
    slips = [
        (lost, _along(slopes, back, add=0), _at_once(slopes, add=0)),
        (again, _at_once(slopes)),
        (near, _along(slopes, forth)),
        (early, _at_once(slopes, once=True), _along(slopes, _by_level(slopes))),
        ("Nothing has a gradient: that of value itself is 1.", 0 * last),
        ("The slopes are left out of the chain rule.", _along(ones, back)),
        ("The chain rule is a product: slope times the grad of v.", alone),
        (of_slopes, _along(of_numbers, back)),
    ]
    otherwise = "A gradient is wrong: in which order do the values pass theirs on?"
    judged = {"part": _gradients, "say": _say("gradients"), "where": CHAIN}
    return Case(right, slips, otherwise, (root,), **judged)


def _waves(rng, count, shape):
    """Draw a function of a tensor, and a point."""
    size = int(np.prod(shape))
    rows = rng.normal(size=(count, size))
    x = rng.normal(size=shape)
    return Waves(rows), rows, x


@cases("0.2", Matrix("the gradient", SHAPE), sizes=[((3,),), ((2, 3),)], dtypes=BOTH)
def numerical_gradient(rng, shape):
    """Compare numerical_gradient with central differences, at a large h."""
    f, rows, x = _waves(rng, 4, shape)
    h, middle = 0.2, np.sin(rows @ x.ravel()).sum()
    moves = h * np.eye(x.size).reshape(-1, *shape)

    def values(points):
        found = [np.sin(rows @ point.ravel()).sum() for point in points]
        return np.array(found).reshape(shape)

    up, down = values(x + moves), values(x - moves)
    whole = values([x + h] * x.size) - values([x - h] * x.size)
    lines = [h * (np.arange(len(x)) == i) for i in np.indices(shape)[0].ravel()]
    lines = [line.reshape(-1, *[1] * (x.ndim - 1)) for line in lines]
    by_row = values([x + line for line in lines]) - values([x - line for line in lines])
    left = x - h * np.tri(x.size, k=-1).reshape(-1, *shape)
    left = values(left + moves) - values(left - moves)
    brackets = "Brackets: the whole difference is divided by the whole of 2 h."
    alone = "Take both sides, x + h and x − h: one side alone errs by h, not by h²."
    slips = [
        (alone, (up - middle) / h, (middle - down) / h),
        ("The two points are 2 h apart.", (up - down) / h),
        (brackets, (up - down) / 2 * h, up - down / (2 * h)),
        ("Divide the difference by the distance of the two points.", up - down),
        ("That is downhill: f at x + h comes first.", (down - up) / (2 * h)),
        ("All entries move at once: move one, and leave the others.", whole / (2 * h)),
        ("A whole row moves at once: move a single entry.", by_row / (2 * h)),
        ("An entry is not put back before the next one moves.", left / (2 * h)),
        (
            "Move by the h that is handed in, and use f alone.",
            (rows.T @ np.cos(rows @ x.ravel())).reshape(shape),
        ),
    ]
    otherwise = "An entry is the difference of f at two points, by their distance."
    right, judged = (up - down) / (2 * h), {"say": _say("slopes"), "where": RIGHT}
    return Case(right, slips, otherwise, (f, x, h), **judged)


def _hessian(rows, x):
    """Return the gradient and the Hessian of Waves, by hand."""
    angles = rows @ x
    return rows.T @ np.cos(angles), -(rows.T * np.sin(angles)) @ rows


@cases(
    "0.3",
    Matrix("the product", VECTOR),
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
        return Cost((f, x, v), "multiplications", 20 * one, seen, "6 times f", dear)
    gradient, H = _hessian(rows, x)
    number = "That is one number: it is to be differentiated by x."
    several = (
        "autograd.grad returns a tuple, with one item for each tensor: take it out."
    )
    slips = [
        ("That is the gradient: differentiate once more.", gradient),
        ("That is H times ones: v is left out.", H.sum(axis=0)),
        ("Only the diagonal of H is used.", np.diag(H) * v),
        ("That is the gradient times v, entry by entry.", gradient * v),
        ("The first gradient is still in it: .grad adds.", H @ v + gradient),
    ]
    otherwise = "Differentiate the number gradient · v once more by x."
    odd = [
        (lambda result: isinstance(result, tuple), several),
        (lambda result: result is not None and shape_of(result) == (), number),
        ((n, n), "That is H itself: the product with v is asked for."),
    ]
    judged = {"say": _say("entries"), "odd": odd, "where": TWICE}
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
    _, H = _hessian(rows, x)

    def after(steps):
        u = v / np.linalg.norm(v)
        for _ in range(steps):
            u = H @ u / np.linalg.norm(H @ u)
        return u

    def curvature(u):
        return u @ H @ u

    u = after(steps)
    length = "That is the length of H v, which has no sign: take v · (H v)."
    unit = "v is not of length 1: divide by its length, (v @ v) ** 0.5."
    inside = "There is only one step: is return inside the loop?"
    ignored = "steps is ignored: v is still where it was."
    before = H @ after(steps - 1)

    def too_large(seen):
        return seen if abs(seen) > 1.001 * np.abs(values).max() else np.nan

    slips = [
        (length, np.linalg.norm(H @ u), np.linalg.norm(before)),
        (ignored, curvature(after(0))),
        ("There is one step too few.", curvature(after(steps - 1))),
        ("There is one step too many.", curvature(after(steps + 1))),
        (inside, curvature(after(1))),
        (unit, curvature(before), curvature(u / np.abs(u).max()), too_large),
        ("Take exactly the steps that are asked for.", values[0]),
    ]
    otherwise = "In each step v becomes H v, then gets length 1; at the end, v · (H v)."
    say = f"{{:.4f}} after {steps} step{'s' * (steps > 1)}"
    given = (Waves(rows), x, v, steps)
    return Case(curvature(u), slips, otherwise, given, say=say, where=TWICE)


prediction = predictions(
    "00",
    kept="c-lo!yKaO)4E&YRR*8g=(k6Afl<7`a7%&fk)@W^xL(%>FnS~_H$nuWov6oArP#{!0)Zu!LKfZlO_`Gr2P{|!VDF|JnX5eU$2<sUu`7709foiclt(2OVSB%WFI&0dTC(4i(6Vr{g0L8|aNmk7o;*eb2waO!j8-HakD7i;ZhD{bXb7K?KJ;ja-sO<Mc`b%~2N1p8iG)=$CGpT07rR%f#&T1ufV#cvNio55xhxsqq!mDi#gW@fpsZlaLdrxQQD3vrDB6Fh{4AdH@{S(fjzH)&mmUETiaeV@^Pkc-",
    twice="c-l3Oy>7!W41{0hps586j~&{nWA|=B23n#c!Ln#ba)hAhyO*-lg&_EI_ub`U$P6%3FV<Y2?T=31VZJ?8G})uW#3+I=V<NjW%I@VAnYT!m9a_H&1tDR)WpX3FD#*D$DV50$pyZJF&KXf;Dd@t_uj)DTcv2juj5*{|VJSvLraKqB4gC&<t*DYDKJ|56Lb8k&s#p8IP=d|(>H?=)u<oig9S^J|Rb)KVs@Z1(=PVgkR&|jSA3fw@MJsDWE7^6*Msd-o)o0mn9<>F_AL!_K^t}pfd({g{+=hb(^#3n2f|5u}qxrr50a;#qzy",
    smaller_h="c-mD^yG{c!5d4*q>*G);C@ASD=;)#pzVkX>#jz#Z7jr`VR6ZeJ#@ZJNXm;({$IR@0ue2JVrWR&(xIe!HeSvz{#nD+8o-?vuCBy+bLr_pkF(KOiu`!(&ufZ9fPXu?nj(A-PY=cr<f*~WL!Sr^+)>5J{Q!5+3u#_>aaN{OMxIg}^6|UUNx9hNN<8W-ijvjW;c$7Kxeona{yTsv?QMoucRL7n=ZKgSjf@6v`58|bPsY}q9NG6@6Qi;O2okL{271X$R15X$7;#VBmUkx$%71}iUTIfF|_rq-Ni__(PsQ*5n;JN@Vo0?I5AASJt5`(S",
    cost="c-lRXF>=Hp3`MW<huY%<Y?;bkij+HB2#^h9FUkP6XD5?O<p?=h#FC`>LP+{gaJ?Eb1B`9r%uTiBAF3Ca*Tgt!Td~B03u<62nSA6_2T<}L6n3JAXO|_nYEzbd35fM~YQk{=lM8TCY5`f<E2!YU>zzjWHy!&bN`8}GR+ma^V+&@<cT5AaoUo4;2FTxrTI>*+ky@>ccu~%z7KOJNu^>rBV)pFE{#*r32)aW0{(|yzR8mY{dj?pYmb5*Z0p7Ft-Bp~ih9~rBhE!Je4c&jE2CCg|G@rL0Z?|#_",
)
