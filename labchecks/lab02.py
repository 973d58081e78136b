"""The exercises of lab 02."""

from itertools import permutations

import numpy as np
import torch

from labchecks.cases import Case, Cost, asked, cases, near, number_to_find
from labchecks.hunts import bug_hunt
from labchecks.predictions import predictions
from labchecks.readers import Matrix, Numbers, shape_of
from labchecks.student import Hint
from labchecks.verdicts import progress as progress
from labchecks.verdicts import strict as strict
from labhelpers import linalg, training

PCA, BALANCED = "lab 02, What PCA computes", "lab 02, A balanced start"
MIXTURE = "lab 02, Beside descent's $U$"
PROJECTION = "lab 02, Why it is the plane of PCA"
LOST = "Signs are lost: only a whole column may change its sign."
SCORES = "One row for each row of X, and only the first k columns."
TWO = "Return two numbers: explained, left over."
OF_FACTORS = "One row for each row of U, and k columns."
# First k = 1, where A − A Q raises no error; in the last two, one part is tiny.
SPACES = [(5, 3, 1), (6, 4, 2), (7, 3, 3), (6, 4, 2, 1, 1e-8), (6, 4, 2, 1e-8, 1)]
VARIANCES = Numbers("(explained, left over)", "each part", TWO)
TABLES = [(7, (4, 2, 1), 1), (9, (6, 3, 1.5, 0.8), 2), (7, (8, 4, 2, 1), 3)]
TABLES += [
    (8, (1, 4, 2), 2, True)
]  # here np.linalg.eig does not begin with the largest
LARGE = (400, 300, 2)  # so that the product takes far more memory than its factors
FACTORS = [(8, 5, 3), (4, 9, 2), (6, 5, 1), LARGE]


def _table(rng, n, spread, aligned=False):
    """Draw n rows with these singular values, of mean 0; aligned: one for a column."""
    d = len(spread)
    drawn, Q = rng.normal(size=(n, d)), np.linalg.qr(rng.normal(size=(d, d)))[0]
    P, _ = np.linalg.qr(drawn - drawn.mean(axis=0))
    return P * spread @ (np.eye(d) if aligned else Q.T)


def _scores(table, k):
    svd = linalg.truncated_svd(table, k)
    return svd.U * svd.s


def _case_of_scores(right, slips, otherwise, *, given, odd):
    """Return the Case of columns, each up to its sign."""

    def align(value, right):
        """Make the largest entry of each column positive."""
        largest = np.abs(value).argmax(axis=0)
        return value * np.sign(value[largest, range(value.shape[1])])

    def say(x):
        return f"first row {x[0].round(3).tolist()}, up to the sign of each column"

    def unsigned(value):
        return value if near(np.abs(value), np.abs(right), 1e-4) else np.abs(right)

    slips = [(LOST, unsigned), *slips]
    shown = {"say": say, "where": PCA, "align": align, "odd": odd}
    return Case(right, slips, otherwise, given, **shown)


hunt, bug_found = bug_hunt(
    "2.1",
    "c-oa!QH~Qi5WPw%KbuHB4WnfjDJT*MfwVtMSn&~Qh>+8+BqnY<YrE6rn;*V80^9(J3vd891Du2^+v#*>2#8D+CGK+7tM^{jTn!{HVOxn8zOoMea8|%(G=6S?Ue5>o_aBDF83=2HrE)&N2DVO_N^OOP%GO(J&;&^L!7gK@vu*r7D^rq`u%bYR5+*Q%3wl<gFhlW5`N{23ikKGQ3wRnR#B58gjL@sn@8mFFEnwMb{h}7ZsS5q%vCtm#UGa+QPw4X1cr!1brNazs($&5n<I+QyT1zp50<H$n2zzC9Q=4Ne=o=kCS}-=iTI?_$Gj_OL(ygCdx)xo)q6z$a55n;s=TM7)^7qn!Fft}+%rQlmTRGSXr-UJXVid#v^7`w?cb`7o8XEZa<}F-~h)C-w(H_(<iYKI5W)i1WVST+$D$a%aHc=+WStrqzgE=vL^(PfO>xB_R5&ZGQ5b&m6pev4@XJGBxYT`pIG!~#decPacrL#5Q4&6RCQo<uqt@95sh|+@!)Lv_1x&o5*60pBBuFf#CY?TfYQxrYMj5xJghmLb_qJ^clExPo0>+DOcNEWb>gt~+WTK9%T9B^^8T`pm<kBPjfPaDsfl<nGQ><RN<8FSD11(5j}?cxUH{#-r{CHzBN93<!GBBZX!6)Vk}25V^?qwm+stUz14@z6SJR@a<tY$}rxMrjhnI~n5H!Jhqiq|dcrJ$C*i&a(;Hc%FPmK83AS<W*|m=$)hv%Rum>B=On7hJEq+bICp2wCwQa{u;q8I`Kgs4j6pJAAJ{+Tcz45Nm)p6cB2n8&B95LxKo049uqK%qxbaTgF~|iO!S<16f6ny{0hDIicV<O+O?uWf^0^(eB-d@frS=H)XrOH%s%ZoCxV{R(((O`pwX;o@GqkyxX9^}!T%efOJKEfQa+u+=l5g4Qvyhp1&KntMQyd}F+m<{wBWU(8$9Rmi_MspJ42M&9;E!i-de=P!_h=iR64N|*HV_4fbXdt3e9*=>PB{Dx8;&cQbO8-hca%3R4E!R0lk}np8QLRq>e8x=Y6<o8y<B{3^Oluk=SsyF|vezn|iwcgIL+gD8-Gs)Sp8k_xFfAzMf^KDNd`7O+?t{^Y4pWo@D",
)


@cases("2.1", Matrix("the scores", SCORES), sizes=TABLES)
def pca_scores(rng, n, spread, k, aligned=False):
    """Compare pca_scores with the SVD of the centred table, up to signs."""
    X = _table(rng, n, spread, aligned) + rng.uniform(2, 4, len(spread))
    centred = X - X.mean(axis=0)
    P, s, Qt = np.linalg.svd(centred, full_matrices=False)
    all_scores = P * s
    right = all_scores[:, :k]
    multiples = [P[:, :k] * factor for factor in (1, n**0.5, (n - 1) ** 0.5)]
    scaled = [_scores(centred / X.std(axis=0, ddof=ddof), k) for ddof in (0, 1)]
    of_columns = [table @ Qt[:, :k] for table in (centred, X)]
    raw, standard = (
        centred @ linalg.truncated_svd(table, k).Vt.T
        for table in (X, centred / X.std(axis=0))
    )
    by_rows, by_all = (_scores(X - X.mean(i, keepdims=True), k) for i in (1, None))
    no_centre = "X is not centred: take its column means away."
    by_columns = "Take away the mean of each column, axis=0."
    unsorted = "Sort the axes, largest variance first: eig does not sort, and eigh "
    unsorted += "puts the smallest first."
    unit = "That is P, or a multiple: multiply each column by its singular value."
    last = "Those are the last components: keep the first."

    def in_any_order(seen):
        orders = permutations(range(len(spread)), k)
        tables = (all_scores[:, order] for order in orders)
        found = (t for t in tables if near(np.abs(seen), np.abs(t), 1e-4))
        return next((t * np.sign((t * seen).sum(axis=0)) for t in found), right)

    slips = [
        (no_centre, _scores(X, k), linalg.truncated_svd(X, k).U, X @ Qt[:k].T),
        (by_columns, by_rows, by_all),
        (unit, *multiples),
        ("The axes are the rows of Qt: multiply by Qt[:k].T.", *of_columns),
        ("σ is multiplied in twice.", right * s[:k]),
        (last, all_scores[:, -k:]),
        ("Centre only, do not divide by the standard deviation.", *scaled, standard),
        ("The axes are those of the raw X: centre before the SVD, too.", raw),
        ("Signs are lost: an axis has entries of both.", centred @ np.abs(Qt[:k]).T),
        ("Do not divide by √(n − 1).", right / (n - 1) ** 0.5),
        ("Do not divide by n.", right / n, right / n**0.5),
        ("Multiply by σ, not by its root.", P[:, :k] * s[:k] ** 0.5),
        (
            "Python counts from 0: the first column is column 0.",
            all_scores[:, 1:][:, :k],
        ),
        (unsorted, in_any_order),
    ]
    wide = (k, len(spread))
    rows = Hint("[:k] keeps the first k rows: [:, :k] keeps the first columns.", PCA)

    def cut(result):
        return shape_of(result) == wide and not near(result @ result.T, np.eye(k))

    def rebuilt(result):
        tables = [right @ Qt[:k], centred]
        tables += [table + X.mean(axis=0) for table in tables]
        fits = k < len(spread) and shape_of(result) == X.shape
        return fits and any(near(result, table) for table in tables)

    axes = Hint("Those are the axes: scores are positions along them.", PCA)
    back = Hint("That is the table rebuilt: leave out Qt.", PCA)
    odd = [(cut, rows), (wide[::-1], axes), (wide, axes), (rebuilt, back)]
    otherwise = "With P, s, Qt of the centred X, the scores are P[:, :k] * s[:k]."
    return _case_of_scores(right, slips, otherwise, given=(X, k), odd=odd)


@cases("2.2", Matrix("G", "Return G, of shape (k, k)."), sizes=[(8, 2), (7, 3)])
def best_linear_map(rng, n, k):
    """Compare best_linear_map with least squares, and with an exact mixture."""
    U, Z = rng.normal(size=(2, n, k)) + 0.3
    right, back = (linalg.best_linear_map(*pair).matrix for pair in [(U, Z), (Z, U)])
    P, _, Qt = np.linalg.svd(U.T @ Z)
    similarity = linalg.best_orthogonal_map(U, Z).matrix
    on_right = U.T @ Z @ np.linalg.inv(U.T @ U)
    centred = np.linalg.lstsq(U - U.mean(axis=0), Z - Z.mean(axis=0))[0]
    stretch = np.diag((U * Z).sum(axis=0) / (U**2).sum(axis=0))
    slips = [
        ("The wrong way round: that takes Z to U.", back, np.linalg.inv(right)),
        ("G is transposed: U @ G mixes the columns of U.", right.T),
        ("UᵀZ alone: (UᵀU)⁻¹ is missing, as U is not orthonormal.", U.T @ Z),
        ("The inverse belongs on the left: (UᵀU)⁻¹ UᵀZ.", on_right),
        ("U and Z are to be taken as they are, not centred.", centred),
        ("That is a rotation only: any matrix G is allowed.", P @ Qt, (P @ Qt).T),
        ("That is a rotation and a scale: any matrix G is allowed.", similarity),
        ("Only a scale per column: any matrix G is allowed.", stretch),
    ]
    four = "np.linalg.lstsq returns four things: G is the first, [0]."
    odd = [((n, k), "That is U @ G: return G alone.")]
    odd += [(lambda result: isinstance(result, tuple) and len(result) == 4, four)]

    def say(G):
        return f"‖U G − Z‖² = {((U @ G - Z) ** 2).sum():.4f}"

    otherwise = "It is the least-squares solution: np.linalg.lstsq(U, Z)."
    return Case(right, slips, otherwise, (U, Z), say=say, where=MIXTURE, odd=odd)


@cases("2.3", VARIANCES, sizes=SPACES)
def split(rng, n, d, k, on=1, off=1):
    """Compare split with both formulas: on planes, on a whole space, and near a plane.

    Near a plane, or at a right angle to it, a difference of two sums is all rounding.
    """
    A = rng.normal(size=(n, d)) + 1
    Q = np.linalg.qr(rng.normal(size=(d, k)))[0]
    A = on * (A @ Q @ Q.T) + off * (A - A @ Q @ Q.T)
    scores, centred = A @ Q, A - A.mean(axis=0)
    explained, left = (scores**2).sum(), ((A - scores @ Q.T) ** 2).sum()
    left = left if k < d else 0.0
    rest = A - scores @ Q.T
    total, means = explained + left, [explained / scores.size, left / A.size]
    largest = [np.linalg.norm(x, 2) for x in (scores, rest)]
    inside = ((centred @ Q) ** 2).sum()
    no_means = "A is not to be centred here; var takes the means away, too."
    spectral = "Add up all squares: norm(…, 2) is the largest singular value alone."
    no_root, each = (
        "Sums of squares: no square root.",
        "Square each entry, then add up.",
    )
    shares = [explained / total, left / total]
    variances = [
        [x.var(axis=0, ddof=ddof).sum() for x in (scores, rest)] for ddof in (0, 1)
    ]
    large = "Large numbers cancel here, and rounding is left: form "

    def rounding(seen):
        lost = on * off < 1 and near(seen, [explained, left], 1e-4, 1e-11)
        return seen if lost else [np.nan, np.nan]

    slips = [
        (large + f"{'A − A Q Qᵀ' if on == 1 else 'A Q'} first, then square.", rounding),
        ("They come back in the wrong order.", [left, explained]),
        (no_root, [explained**0.5, left**0.5], [explained, left**0.5]),
        (each, [scores.sum(), rest.sum()], [scores.sum() ** 2, rest.sum() ** 2]),
        ("Sums, not variances.", [explained / (n - 1), left / (n - 1)], *variances),
        ("Sums, not means.", [explained / n, left / n], means),
        ("Sums, not shares of the total.", shares, [100 * share for share in shares]),
        ("The total is not asked for.", [total, explained], [explained, total]),
        ("The first is the total: project on Q.", [total, left], [total, 0]),
        (spectral, [x**2 for x in largest], largest),
        (no_means, [inside, (centred**2).sum() - inside]),
    ]
    if k == 1:
        missing = ((A - scores) ** 2).sum()
        slips.append(
            ("A Q are positions on the line: go back by Qᵀ.", [explained, missing])
        )
    otherwise = "Explained is ‖A Q‖², left over is ‖A − A Q Qᵀ‖²."
    shown = {"say": "({0[0]:.4f}, {0[1]:.4f})", "where": PROJECTION}
    near_plane = {"say": "({0[0]:.5g}, {0[1]:.5g})", "least": 0}
    shown |= {"least": 1e-9} if on * off == 1 else near_plane
    return Case([explained, left], slips, otherwise, (A, Q), **shown)


@asked("2.4")
def predicted_cond(A):
    """Compare a predicted condition number with √(σ₁ / σ₂) of A."""
    s = np.linalg.svd(np.asarray(A), compute_uv=False)
    ratio, of_all = float(s[0] / s[1]), float(s[0] / s[-1])

    def descents(seen):
        A_, scores = torch.tensor(np.asarray(A)), _scores(np.asarray(A), 2)
        U = training.factorise(A_, 2, seed=0).U.numpy()
        found = np.linalg.cond(linalg.best_linear_map(U, scores).matrix)
        return seen if near(seen, found, 1e-3) else np.nan

    one = "That belongs to one axis: divide the factor of one by that of the other."
    of_table = "σ₂ belongs to one axis, and the 6.0 of the table to ordinary starts: "
    of_table += "divide the factor of one axis by that of the other."
    upside_down = "The largest divided by the smallest, not the other way."
    slips = [
        ("The axes are divided by √σ, so the root is missing.", ratio),
        ("σ is not squared here: √σ is in the formula.", ratio**2),
        (upside_down, ratio**-0.5, 1 / ratio),
        ("Only a rotation has 1; here axes are stretched by √σ, too.", 1.0),
        ("One root too many: √σ is in the formula.", ratio**0.25),
        (one, s[0], *(each**power for each in s[:2] for power in (0.5, -0.5))),
        (of_table, s[1]),
        ("That is the largest of all four: only k = 2 axes count.", of_all),
        ("Only k = 2 axes count: take σ₂, not the last one.", of_all**0.5),
        ("That is G of descent's own U. For C = 0, use σ₁ and σ₂.", descents),
    ]
    otherwise = "From U = Z Σ^(−½) R, what must G do to each axis?"
    return number_to_find(ratio**0.5, slips, otherwise, where=BALANCED)


@cases("2.5", Matrix("the scores", OF_FACTORS), sizes=FACTORS)
def scores_from_factors(rng, n, d, k):
    """Compare scores_from_factors with the SVD of the product, up to signs."""
    U, V = rng.normal(size=(n, k)), rng.normal(size=(d, k)) + 0.5
    if (n, d, k) == LARGE:
        seen = f"a matrix as large as the product, for U {U.shape} and V {V.shape}"
        dear = Hint("The scores are right, but the way is dear: don't form U @ V.T.")
        most = 0.9 * n * d * U.itemsize
        return Cost((U, V), "peak", most, seen, "none larger than U and V", dear)
    (Q_U, R_U), (_, R_V) = np.linalg.qr(U), np.linalg.qr(V)
    product, (W, t, _) = U @ V.T, np.linalg.svd(R_U @ R_V)
    small, sigma, other = np.linalg.svd(R_U @ R_V.T)
    others = map(np.linalg.svd, (R_V.T @ R_U, R_U.T @ R_V))
    turned = "The small matrix is turned round, or Qt is taken for P: write U Vᵀ out, "
    turned += "with U and V as the products that qr gives."
    half = "The plane is right, the axes are not: an SVD is still missing."
    P, s, _ = linalg.truncated_svd(product, k)
    centred = product - product.mean(axis=0)
    moved = [P * s - (P * s).mean(axis=0)]
    slips = [
        ("That is P alone: multiply each column by its singular value.", P),
        ("The small matrix is R_U @ R_V.T: a transpose is missing.", Q_U @ W * t),
        (turned, Q_U @ (other.T * sigma), Q_U @ (other * sigma)),
        (turned, *(Q_U @ (left * values) for left, values, _ in others)),
        (half, U @ R_V.T, U @ (V.T @ V)),
        (
            "Multiply by Q_U, not by U: its columns are not orthonormal.",
            U @ (small * sigma),
        ),
        ("The smallest σ comes first here: turn the order round.", (P * s)[:, ::-1]),
        ("U comes back as it was: the scores need V too.", U),
        (
            "Those are the scores of U: V matters too.",
            _scores(U, k),
            _scores(U - U.mean(axis=0), k),
        ),
        (
            "P comes first, then its columns are multiplied by σ: P * s.",
            Q_U * sigma @ small,
        ),
        ("The product is not to be centred here.", _scores(centred, k), *moved),
        ("The singular vectors of the small matrix are missing.", Q_U * s),
        ("σ is multiplied in twice.", P * s**2),
        ("Multiply by σ, not by its square root.", P * s**0.5),
    ]
    odd = [((k, k), "That is k × k: multiply by the Q of U from the left.")]
    otherwise = "U Vᵀ is Q_U, a k × k matrix, and the transpose of Q_V: put the SVD of "
    otherwise += "the middle one in, and look for the P and the Σ of the whole."
    return _case_of_scores(P * s, slips, otherwise, given=(U, V), odd=odd)


prediction, outcome = predictions(
    "02",
    centre="c-n=KQAz_r42G`~76gT5p@>3z4nd^!A>GaFgw9TCCfi!YJ9!3AW_DNUqc1-*<WKVb*={SWYN+;;wAIda`hU1?pn7JDG8(j$O*!{9l-CiJ3Jip0RDvjH2&fQ}oJk9K5rWD9@1#;g7Mm>==>i>xK-$1lbPsDWz&9>nqh?o`Ow-&9xBgi*>(%$y9boRDCo8aiY##36rdenm?nOoz@ZxQp4<O;%kIvyQM=6nmZGa61IXO0_bVW^kAWyU`?pUcc7DwR>=g4hbs86Vudd8S+B~J0Z%kPr9IbRzw_tY#0{EtgA&4u29oX>;qeK(a>c~9L;`a9b2Kpx|WYJWpa4Aa7r2v1YF3?7Meu?5lDcRg-XeeQk$5r?Av",
    turn="c-oziKWoD<5XHaB!?O{E76RVdt$RC^kl|vTEn!&-medeRzI#qGZU}Vha?<_Ldq3TN-%!({IhN2jhZ<Y_NVP-r6*6YJAQ|f?iIngO8|B96UC0_?K<vZ9u|@DsCiCK1cV)uY#QG67;Yj_2bI4A^F?}=0%^@cEP_##dx11hjtI?c$gC%6Ic`5#Wg^+fcU7gj+|2J+OGj!qzZHGZr2+pSDSmDF)WvdpW?h)YbP)LT5g}}~|QN-D5E~orVdd7~X1$q5TSK$X*Hg>hHR~X;xizoH6dscX@D-yM2WPQbs9AjcW#XEV?qZMm2`QMtZha0=BrP=",
    line="c-m!9%SyvQ6#bP$z+DIlV#RI+!Hu|ZBc+RJa@!0|=9ZaB(;)tn-{6;d#?&gfxeWK7Ij_|!Gg*#olSZAb&(Ak*m&jgqKyN0**1A2XiBKodErRmkCNwGm8;MaoHWRv`-WPaEpxU@43>xdDj#l0LT~3G2SQpT%7mPY|4LUJL;S2$KBoBcJE#wW6GSS;p()5NVs$#ZFcP~E>-U#o1$rt5qS}v~39Aj(i7B=8+fvW<K5uK&ys`~tZ85wTtwa4>4svJ&?hjp|a4yOJNs;(nM2hSwExWFVKhj9&DO1Yc!Ps&B&DCQpjb(bnjlmVlS?YX-@gkvl0g9#g&xpWp_xJ|BTg6(;`Ya_*XEDKR*MLZ;T3AmMU`CA+%Z^|+yzho`4_w^S-?4<D",
)
