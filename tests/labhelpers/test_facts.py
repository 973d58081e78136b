"""The figures that the labs state, each by a route that shares no code with them."""

import numpy as np
import pytest
import scipy.linalg
import scipy.spatial
import sklearn.datasets
import torch
from scipy.sparse.linalg import eigsh
from sklearn.decomposition import PCA

from labhelpers import data, descent, linalg, training
from tests.labhelpers import oracles

SQUARES = [630.008, 36.158, 11.653, 3.551]
FLOORS = {1: 51.3626, 2: 15.2046, 3: 3.5514}


def centred(features):
    return features - features.mean(axis=0)


IRIS = centred(sklearn.datasets.load_iris().data)
SIGMA = np.sqrt(np.linalg.eigvalsh(IRIS.T @ IRIS)[::-1])
FLOOR = (SIGMA[2:] ** 2).sum()


def first_within(losses, limit):
    """Return the step at which each run is first below the limit, or infinity."""
    below = losses < limit
    return np.where(below.any(axis=0), below.argmax(axis=0), np.inf)


# --- 1: factorisation ----------------------------------------------------------------


def starts(runs, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((runs, 150, 2)), rng.random((runs, 4, 2))


def descend(runs, *, lr, steps):
    with np.errstate(all="ignore"):
        return oracles.factorise(IRIS, *starts(runs), lr=lr, steps=steps)


@pytest.fixture(scope="module")
def two_hundred():
    return descend(200, lr=0.01, steps=1000)


@pytest.fixture(scope="module")
def settled():
    """Twenty runs that have reached the optimum, without scikit-learn's help."""
    return descend(20, lr=0.015, steps=1000)


def test_squared_singular_values_of_iris():
    np.testing.assert_allclose(SIGMA**2, SQUARES, atol=6e-4)
    np.testing.assert_allclose(linalg.truncated_svd(IRIS, 4).s, SIGMA)


@pytest.mark.parametrize(("rank", "floor"), FLOORS.items())
def test_floors_of_iris_are_what_pca_leaves_over(rank, floor):
    pca = PCA(rank).fit(IRIS)
    rest = ((pca.inverse_transform(pca.transform(IRIS)) - IRIS) ** 2).sum()
    assert rest == pytest.approx(floor, abs=6e-5)
    ours = centred(data.load_iris().features)
    assert linalg.eckart_young_floor(ours, rank) == pytest.approx(rest)


def test_floor_of_the_uci_copy():
    features = sklearn.datasets.load_iris().data
    features[34, 3] = 0.1
    features[37, 1:3] = 3.1, 1.5
    tail = np.linalg.eigvalsh(centred(features).T @ centred(features))[:2].sum()
    assert tail == pytest.approx(15.2288, abs=6e-5)
    ours = centred(data.load_iris(variant="uci").features)
    assert linalg.eckart_young_floor(ours, 2) == pytest.approx(tail)


def test_two_hundred_starts_end_at_the_floor(two_hundred):
    last = two_hundred[2][-1]
    low, median, high = np.quantile(last, [0.05, 0.5, 0.95])
    assert low == pytest.approx(FLOORS[2], abs=1e-4)
    assert median == pytest.approx(15.2048, abs=2e-4)
    assert 15.205 < high < 15.3
    assert 0.9 < (np.round(last, 1) == 15.2).mean() < 1  # a few are late


@pytest.mark.parametrize(
    ("epoch", "median", "tolerance"),
    [(0, 880, 30), (50, 51.3, 0.1), (300, 44, 2), (500, 17.7, 1.2), (800, 15.21, 0.01)],
)
def test_median_losses_pause_at_the_best_rank_1(two_hundred, epoch, median, tolerance):
    assert np.median(two_hundred[2][epoch]) == pytest.approx(median, abs=tolerance)


def test_helpers_and_loop_have_one_distribution(two_hundred):
    ours = training.factorise(torch.tensor(IRIS), 2, runs=200, seed=0).losses.numpy()
    for epoch, rtol in [(0, 0.05), (50, 0.002), (300, 0.1), (1000, 1e-4)]:
        np.testing.assert_allclose(
            np.median(ours[epoch]), np.median(two_hundred[2][epoch]), rtol=rtol
        )


def balanced(rank):
    """Return U and V with UᵀU = VᵀV at the best rank-``rank`` fit, two columns each."""
    U, s, Vt = np.linalg.svd(IRIS, full_matrices=False)
    roots = np.sqrt(s[:2]) * (np.arange(2) < rank)
    return U[:, :2] * roots, Vt[:2].T * roots


def test_the_plateau_is_a_saddle():
    """At the best rank 1 the slope is 0, and H has eigenvalues of both signs."""
    U, V = balanced(1)
    rest = U @ V.T - IRIS
    assert (rest**2).sum() == pytest.approx(51.3626, abs=6e-5)
    np.testing.assert_allclose(rest @ V, 0, atol=1e-12)
    np.testing.assert_allclose(rest.T @ U, 0, atol=1e-12)
    eigenvalues = np.linalg.eigvalsh(oracles.factorisation_curvature(IRIS, U, V))
    assert eigenvalues[0] == pytest.approx(-2 * SIGMA[1])
    assert eigenvalues[-1] == pytest.approx(4 * SIGMA[0])


def test_the_flattest_minimum_has_curvature_4_sigma():
    U, V = balanced(2)
    eigenvalues = np.linalg.eigvalsh(oracles.factorisation_curvature(IRIS, U, V))
    assert eigenvalues[0] == pytest.approx(0, abs=1e-10)
    assert eigenvalues[-1] == pytest.approx(4 * SIGMA[0])
    assert 4 * SIGMA[0] == pytest.approx(100.4, abs=0.05)
    assert 1 / (2 * SIGMA[0]) == pytest.approx(0.01992, abs=1e-5)

    A = torch.tensor(IRIS)
    found = descent.sharpness(
        lambda U, V: training.factorisation_loss(U, V, A),
        [torch.tensor(U), torch.tensor(V)],
    )
    assert found.converged
    assert found.value == pytest.approx(4 * SIGMA[0], rel=1e-4)


@pytest.mark.parametrize("seed", range(2))
def test_other_minima_are_steeper(seed):
    U, V = balanced(2)
    G = np.eye(2) + np.random.default_rng(seed).normal(size=(2, 2)) / 2
    H = oracles.factorisation_curvature(IRIS, U @ G, V @ np.linalg.inv(G).T)
    assert np.linalg.eigvalsh(H)[-1] > 4 * SIGMA[0] * 1.001


@pytest.mark.parametrize(("share", "stays"), [(0.99, True), (1.01, False)])
def test_the_largest_stable_rate_is_1_over_2_sigma(share, stays):
    rng = np.random.default_rng(0)
    U, V = (p + 1e-4 * rng.normal(size=p.shape) for p in balanced(2))
    lr = share / (2 * SIGMA[0])
    losses = oracles.factorise(IRIS, U, V, lr=lr, steps=3000)[2]
    assert (losses[-1] < FLOOR * (1 + 1e-12)) == stays
    assert (losses[-1] > FLOOR * 1.001) != stays


def test_rates_found_from_drawn_starts():
    slow = descend(20, lr=0.003, steps=1000)[2][-1] / FLOOR
    assert 2 < np.median(slow) < 3.5
    fine = descend(100, lr=0.018, steps=1000)[2][-1] / FLOOR - 1
    assert (fine < 1e-12).mean() > 0.75
    assert (fine < 1e-12)[np.isfinite(fine)].mean() > 0.95  # the others left at once
    steep = descend(100, lr=0.02, steps=1000)[2][-1] / FLOOR - 1
    assert not (steep < 0.01).any()


def test_the_optimum_to_8_digits_takes_about_300_epochs_at_most(settled):
    epochs = first_within(settled[2], FLOOR * (1 + 1e-8))
    assert 120 < np.median(epochs) < 300
    assert (epochs < 400).mean() > 0.8


def test_plain_descent_at_the_default_rate_rarely_gets_to_8_digits(two_hundred):
    epochs = first_within(two_hundred[2], FLOOR * (1 + 1e-8))
    assert np.isfinite(epochs).mean() < 0.05


def test_scaled_descent_gets_there_in_tens_of_epochs():
    U, V = starts(200)
    losses = []
    for _ in range(100):
        rest = U @ V.mT - IRIS
        losses.append((rest**2).sum(axis=(1, 2)))
        U, V = (
            U - 0.25 * 2 * rest @ V @ np.linalg.inv(V.mT @ V),
            V - 0.25 * 2 * rest.mT @ U @ np.linalg.inv(U.mT @ U),
        )
    by_hand = first_within(np.array(losses), FLOOR * (1 + 1e-8))
    ours = training.factorise(
        torch.tensor(IRIS), 2, num_epochs=100, lr=0.25, scaled=True, runs=200, seed=0
    )
    for epochs in by_hand, first_within(ours.losses.numpy(), FLOOR * (1 + 1e-8)):
        assert 34 <= np.median(epochs) <= 44
        assert 20 < np.quantile(epochs, 0.05) < np.quantile(epochs, 0.9) < 70


# --- 2: principal components ---------------------------------------------------------


def test_explained_variance_of_iris():
    shares = 100 * PCA().fit(IRIS).explained_variance_ratio_
    np.testing.assert_allclose(shares, [92.46, 5.31, 1.71, 0.52], atol=0.006)
    squares = linalg.truncated_svd(IRIS, 4).s ** 2
    np.testing.assert_allclose(100 * squares / squares.sum(), shares)


@pytest.fixture(scope="module")
def scores():
    return PCA(2).fit_transform(IRIS)


def test_scores_are_U_times_sigma_not_U(scores):
    U, s, Vt = linalg.truncated_svd(IRIS, 2)
    signs = np.sign((U * scores).sum(axis=0))
    np.testing.assert_allclose(U * s * signs, scores, atol=1e-12)
    np.testing.assert_allclose(IRIS @ Vt.T * signs, scores, atol=1e-12)
    assert np.abs(U * signs - scores).max() > 1


@pytest.mark.parametrize("seed", range(5))
def test_reconstruction_error_is_total_minus_variance_kept(seed, scores):
    W = np.linalg.qr(np.random.default_rng(seed).normal(size=(4, 2)))[0]
    error = ((IRIS - IRIS @ W @ W.T) ** 2).sum()
    kept = 149 * (IRIS @ W).var(axis=0, ddof=1).sum()
    assert error == pytest.approx((IRIS**2).sum() - kept)
    assert kept < (scores**2).sum()
    assert error > FLOOR


def test_column_spaces_agree(settled, scores):
    assert (settled[2][-1] < FLOOR * (1 + 1e-8)).all()
    for U in settled[0]:
        projector = scores @ np.linalg.pinv(scores)
        np.testing.assert_allclose(projector @ U, U, atol=1e-4)
        assert linalg.principal_angles(U, scores).max() < 1e-4
        assert linalg.best_linear_map(U, scores).residual < 1e-9


def test_after_a_thousand_epochs_they_nearly_agree(two_hundred, scores):
    left = [linalg.best_linear_map(U, scores).residual ** 0.5 for U in two_hundred[0]]
    assert np.median(left) == pytest.approx(0.0005, abs=0.0003)
    assert np.quantile(left, 0.9) < 0.01


def test_no_rotation_takes_U_to_the_scores(two_hundred, scores):
    U = two_hundred[0] - two_hundred[0].mean(axis=1, keepdims=True)
    disparity = [scipy.spatial.procrustes(scores, u)[2] for u in U]
    assert np.median(disparity) == pytest.approx(0.44, abs=0.02)
    assert np.quantile(disparity, 0.05) > 0.3
    ours = [linalg.best_orthogonal_map(u, scores).residual for u in U[:20]]
    np.testing.assert_allclose(ours, disparity[:20])
    G = [np.linalg.lstsq(u, scores, rcond=None)[0] for u in U]
    assert np.median(np.linalg.cond(G)) == pytest.approx(6, abs=0.4)
    correlation = [abs(np.corrcoef(u.T)[0, 1]) for u in U]
    assert np.median(correlation) == pytest.approx(0.38, abs=0.04)


def drift(runs, *, lr, steps):
    """Return how far UᵀU − VᵀV moves, as a share of its size."""
    U, V = starts(runs)
    end_U, end_V, _ = descend(runs, lr=lr, steps=steps)
    before = U.mT @ U - V.mT @ V
    moved = end_U.mT @ end_U - end_V.mT @ end_V - before
    return np.linalg.norm(moved, axis=(1, 2)) / np.linalg.norm(before, axis=(1, 2))


def test_steps_of_the_default_rate_lose_a_seventh_of_the_balance():
    assert np.median(drift(100, lr=0.01, steps=1000)) == pytest.approx(0.15, abs=0.03)


def test_small_steps_conserve_the_balance():
    coarse, fine = drift(20, lr=1e-3, steps=500), drift(20, lr=1e-4, steps=5000)
    assert np.median(fine) < 0.002
    np.testing.assert_allclose(coarse / fine, 10, rtol=0.1)


# --- 3: the network ------------------------------------------------------------------

# mean and deviation of the training loss, the same for validation, accuracy
VARIANTS = {
    "scalar": (np.var, 1, 1, [0.607, 0.201, 0.688, 0.285, 0.741]),
    "vector": (np.std, 12, 3, [0.566, 0.180, 0.619, 0.236, 0.754]),
}


def split(divisor, runs, seed=0):
    """Return 100 rows to train by and 50 others, scaled by the former, for each run."""
    features, labels = sklearn.datasets.load_iris(return_X_y=True)
    rng = np.random.default_rng(seed)
    rows = rng.permuted(np.tile(np.arange(150), (runs, 1)), axis=1)
    x, y = features[rows], labels[rows]
    train = x[:, :100]
    x = (x - train.mean(axis=1, keepdims=True)) / divisor(train, axis=1, keepdims=True)
    return x[:, :100], y[:, :100], x[:, 100:], y[:, 100:]


def network_starts(runs, widths, seed=1):
    rng = np.random.default_rng(seed)
    W1, W2 = rng.normal(size=(runs, 4, 12)), rng.normal(size=(runs, 12, 3))
    return W1, np.zeros((runs, widths[0])), W2, np.zeros((runs, widths[1]))


def validate(x, y, params):
    logits = oracles.network(x, *params)[1]
    return oracles.cross_entropy(logits, y), (logits.argmax(axis=-1) == y).mean(axis=-1)


@pytest.fixture(scope="module", params=VARIANTS)
def networks(request):
    """Five hundred networks: name, splits, starts, what training gave."""
    divisor, *widths, _ = VARIANTS[request.param]
    splits, start = split(divisor, 500), network_starts(500, widths)
    return (
        request.param,
        splits,
        start,
        oracles.mlp(*splits[:2], *start, lr=0.01, steps=100),
    )


def test_statistics_of_five_hundred_networks(networks):
    name, splits, _, (*params, losses) = networks
    train = losses[-1]
    validation, accuracy = validate(*splits[2:], params)
    found = [train.mean(), train.std(), validation.mean(), validation.std()]
    # four standard errors of a mean; deviations, of long tails, vary more
    wanted = VARIANTS[name][-1]
    np.testing.assert_allclose(found[::2], wanted[0:4:2], atol=0.05)
    np.testing.assert_allclose(found[1::2], wanted[1:4:2], rtol=0.2)
    assert accuracy.mean() == pytest.approx(wanted[-1], abs=0.025)
    assert 0.54 < (validation > train).mean() < 0.70


def test_means_of_five_runs_wander(networks):
    name, _, _, (*_, losses) = networks
    rng = np.random.default_rng(2)
    means = rng.choice(losses[-1], size=(20_000, 5)).mean(axis=1)
    if name == "scalar":
        found = np.quantile(means, [0.05, 0.95])
        np.testing.assert_allclose(found, [0.48, 0.76], atol=0.04)
    original = np.mean([0.4293, 0.3914, 0.4314, 0.4271, 0.6610])
    assert original == pytest.approx(0.4680, abs=5e-5)
    assert 0.001 < (means < original).mean() < 0.2


def test_means_of_the_original_validation_losses():
    original = [0.4288, 0.5668, 0.3880, 0.5501, 0.7730]
    assert np.mean(original) == pytest.approx(0.5413, abs=5e-5)


def test_a_scalar_output_bias_never_moves(networks):
    name, _, _, (_, b1, _, b2, _) = networks
    if name == "scalar":
        assert np.abs(b2).max() < 1e-14
        assert np.abs(b1).max() > 0.1
    else:
        assert 0.2 < np.abs(b2).max() < 0.8


def test_helpers_train_the_same_networks(networks):
    name, splits, start, wanted = networks
    some = slice(0, 50)
    result = training.train_mlp(
        torch.tensor(splits[0][some]),
        torch.tensor(splits[1][some]),
        bias=name,
        start=[torch.tensor(p[some]) for p in start],
    )
    for ours, other in zip(result.params, wanted):
        np.testing.assert_allclose(ours, other[some], atol=1e-9)
    np.testing.assert_allclose(result.losses, wanted[4][:, some], atol=1e-9)


def test_softmax_ignores_a_number_added_to_all_classes():
    logits, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 3
    shares = np.exp(oracles.log_softmax(logits))
    gradient = (shares - np.eye(3)[y]).sum()
    assert gradient == pytest.approx(0, abs=1e-14)
    for shift in -5, 3:
        shifted = oracles.cross_entropy(logits + shift, y)
        assert shifted == pytest.approx(oracles.cross_entropy(logits, y))


def test_properly_trained_networks_are_right_95_times_in_100():
    splits, start = split(np.std, 60), network_starts(60, (12, 3))
    *params, losses = oracles.mlp(*splits[:2], *start, lr=0.1, steps=1000)
    validation, accuracy = validate(*splits[2:], params)
    assert losses[-1].mean() == pytest.approx(0.036, abs=0.01)
    assert validation.mean() == pytest.approx(0.117, abs=0.04)
    assert accuracy.mean() > 0.94


# --- 4: the linear autoencoder -------------------------------------------------------

RATES = [1e-4, 2e-4, 5e-4, 1e-3, 1.5e-3, 2e-3, 2.5e-3, 3e-3, 5e-3, 1e-2, 1e-1]
LEAST = [518.714, 510.128, 507.692, 506.651, 505.833, 505.529, 505.463]
LEAST_OF_DIVERGED = [542.4, 1837, 4304, 4922]
NEAR_THE_LIMIT = [0.0026, 0.0027, 0.0028]


@pytest.fixture(scope="module")
def original():
    """z, A and B as the original report drew them, in single precision."""
    generator = torch.Generator().manual_seed(2139)

    def draw(std, *shape):
        return torch.normal(0.0, std, shape, generator=generator)

    z = draw(1.0, 100, 100)
    draw(0.0, 100, 50)
    draw(0.0, 50, 100)
    return z, draw(1 / 50, 100, 50), draw(1 / 50, 50, 100)


@pytest.fixture(scope="module")
def in_double(original):
    return tuple(t.double().numpy() for t in original)


def plain_run(z, A, B, *, lr, steps=1000):
    """The original loop: the loss of each step is taken before its update."""
    A, B = A.clone().requires_grad_(), B.clone().requires_grad_()
    losses = []
    for _ in range(steps):
        loss = 0.5 * torch.norm(z - A @ B @ z) ** 2
        loss.backward()
        losses.append(loss.item())
        with torch.no_grad():
            for p in A, B:
                p -= lr * p.grad
                p.grad = None
    return A.detach(), B.detach(), losses


@pytest.fixture(scope="module")
def original_sweep(original):
    """One run per rate, each from where the one before it ended."""
    z, A, B = original
    sweep = {}
    for lr in [1e-4, 1e-3, 1e-2, 1e-1]:
        A, B, sweep[lr] = plain_run(z, A, B, lr=lr, steps=1000 if lr < 0.01 else 30)
    return sweep


@pytest.fixture(scope="module")
def fair_sweep(in_double):
    """All rates from one start; A, B and losses by rate, the last loss left out."""
    z, A, B = in_double
    rates = RATES + NEAR_THE_LIMIT
    batch = [np.tile(p, (len(rates), 1, 1)) for p in (A, B)]
    lr = np.array(rates)[:, np.newaxis, np.newaxis]
    with np.errstate(all="ignore"):
        A, B, losses = oracles.autoencode(z, *batch, lr=lr, steps=1000)
    return {lr: (A[i], B[i], losses[:-1, i]) for i, lr in enumerate(rates)}


@pytest.fixture(scope="module")
def floor(in_double):
    z = in_double[0]
    return np.linalg.eigvalsh(z @ z.T)[:50].sum() / 2


def test_half_the_norm_and_the_floor(original, in_double, floor):
    half = torch.norm(original[0]).item() ** 2 / 2
    assert half == pytest.approx(4919.1143, abs=1e-3)
    assert floor == pytest.approx(505.4461, abs=1e-4)
    ours = linalg.eckart_young_floor(in_double[0], 50) / 2
    assert ours == pytest.approx(floor)


def test_a_zero_start_stays_at_zero(original):
    z, *factors = original
    start = [torch.zeros_like(p) for p in factors]
    A, B, losses = plain_run(z, *start, lr=1e-5, steps=10)
    assert not A.any()
    assert not B.any()
    np.testing.assert_allclose(losses, 4919.1143, atol=1e-3)
    ours = training.train_autoencoder(z, 50, num_epochs=10, lr=1e-5, start=start)
    assert not ours.A.any()
    assert not ours.B.any()


def test_the_zero_start_is_a_saddle(in_double):
    z, A, B = in_double
    H = oracles.autoencoder_curvature(z, 0 * A, 0 * B)
    low, high = eigsh(H, k=2, which="BE", return_eigenvectors=False)
    top = np.linalg.eigvalsh(z @ z.T)[-1]
    assert top == pytest.approx(371.92, abs=0.005)
    assert low == pytest.approx(-top)
    assert high == pytest.approx(top)
    assert 1 / top == pytest.approx(0.00269, abs=5e-6)


def test_at_zero_the_whole_hessian_is_plus_and_minus_the_spectrum():
    z = torch.randn(3, 5, generator=torch.Generator().manual_seed(0)).double()

    def loss(x):
        return training.autoencoder_loss(x[:6].view(3, 2), x[6:].view(2, 3), z)

    H = torch.autograd.functional.hessian(loss, torch.zeros(12, dtype=torch.float64))
    spectrum = np.repeat(np.linalg.eigvalsh((z @ z.T).numpy()), 2)
    wanted = np.sort(np.concatenate([spectrum, -spectrum]))
    np.testing.assert_allclose(np.linalg.eigvalsh(H.numpy()), wanted, atol=1e-12)


@pytest.mark.parametrize(("scale", "step"), [(1e-6, 40), (1e-3, 16), (0.02, 5)])
def test_a_small_start_leaves_the_saddle(in_double, scale, step):
    z = in_double[0]
    rng = np.random.default_rng(0)
    A, B = scale * rng.normal(size=(100, 50)), scale * rng.normal(size=(50, 100))
    losses = oracles.autoencode(z, A, B, lr=1e-3, steps=60)[2]
    assert (losses < 0.9 * losses[0]).argmax() == pytest.approx(step, abs=1)


def test_a_large_start_diverges(in_double):
    start = np.random.default_rng(0).normal(size=(2, 5000)) * 0.3
    A, B = start[0].reshape(100, 50), start[1].reshape(50, 100)
    with np.errstate(all="ignore"):
        losses = oracles.autoencode(in_double[0], A, B, lr=1e-3, steps=60)[2]
    assert np.isnan(losses[-1])


def test_the_original_sweep(original_sweep):
    least = [np.fmin.reduce(losses) for losses in original_sweep.values()]
    np.testing.assert_allclose(least, [518.7144, 506.4025, 506.3055, np.nan], atol=1e-3)


def test_the_original_sweep_was_not_started_again(original_sweep):
    one, ten, hundred = (original_sweep[lr] for lr in (1e-3, 1e-2, 1e-1))
    assert one[0] < original_sweep[1e-4][-1]
    assert ten[0] == pytest.approx(506.4004, abs=1e-3)
    assert ten[0] < one[-1]
    assert np.nanargmin(ten) == 5
    assert np.isnan(ten).argmax() == pytest.approx(13, abs=2)
    assert np.isnan(ten[-1])
    assert np.isnan(hundred).all()


def test_helpers_repeat_the_original_sweep(original):
    z, A, B = original
    least = []
    for lr in [1e-4, 1e-3, 1e-2]:
        run = training.train_autoencoder(z, 50, num_epochs=1000, lr=lr, start=(A, B))
        A, B = run.A, run.B
        least.append(np.fmin.reduce(run.losses[:-1].numpy()))
    np.testing.assert_allclose(least, [518.7144, 506.4025, 506.3055], atol=2e-3)


def test_the_fair_sweep(fair_sweep, floor):
    least = [np.nanmin(fair_sweep[lr][2]) for lr in RATES]
    np.testing.assert_allclose(least[:7], LEAST, atol=6e-4)
    np.testing.assert_allclose(least[7:], LEAST_OF_DIVERGED, rtol=2e-4)
    assert RATES[np.argmin(least)] == 2.5e-3
    assert min(least) > floor
    ended_in_nan = [bool(np.isnan(fair_sweep[lr][2][-1])) for lr in RATES]
    assert ended_in_nan == [lr >= 3e-3 for lr in RATES]
    assert np.nanargmin(fair_sweep[1e-1][2]) == 0


def test_helpers_sweep_alike(in_double, fair_sweep):
    z, *start = map(torch.tensor, in_double)
    lr = torch.tensor([2e-3, 2.5e-3, 3e-3], dtype=torch.float64)
    ours = training.train_autoencoder(z, 50, num_epochs=300, lr=lr, start=start)
    assert ours.diverged.tolist() == [False, False, True]
    for run, rate in enumerate(lr.tolist()):
        wanted = fair_sweep[rate][2][:300]
        if rate < 3e-3:
            np.testing.assert_allclose(ours.losses[:300, run], wanted, rtol=1e-9)
        else:  # errors grow with the run
            np.testing.assert_allclose(ours.losses[:8, run], wanted[:8], rtol=1e-9)


def test_curvature_at_the_optimum_predicts_the_largest_rate(
    in_double, fair_sweep, floor
):
    z = in_double[0]
    A, B, _ = fair_sweep[2.5e-3]
    H = oracles.autoencoder_curvature(z, A, B)
    top = eigsh(H, k=1, which="LA", return_eigenvectors=False)[0]
    assert top == pytest.approx(760, abs=3)
    assert 0.0026 < 2 / top < 0.0027

    z, A, B = map(torch.tensor, (z, A, B))
    found = descent.sharpness(
        lambda A, B: training.autoencoder_loss(A, B, z), [A, B], tol=1e-3
    )
    assert found.converged
    assert found.value == pytest.approx(top, rel=1e-3)

    stable, edge, unstable = (fair_sweep[lr][2] for lr in NEAR_THE_LIMIT)
    assert stable[-1] == pytest.approx(floor, abs=0.02)
    assert edge[-1] > floor + 0.5
    assert np.isnan(unstable[-1])
