"""The autoencoder of many images: its floor from linear algebra, and how it trains."""

import functools
import re

import numpy as np
import pytest
import torch
from sklearn.decomposition import TruncatedSVD

from labhelpers import data, linalg, minibatch, training

N, PIXELS, K = 500, 24, 4


def pictures(seed=0):
    """Return uint8 rows with a falling spectrum."""
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(N, PIXELS)) * 0.8 ** np.arange(PIXELS)
    rotation = np.linalg.qr(rng.normal(size=(PIXELS, PIXELS)))[0]
    return np.clip(128 + 60 * mixed @ rotation, 0, 255).astype(np.uint8)


IMAGES = pictures()
SCALED = data.scale_pixels(IMAGES)
SQUARES = np.linalg.svd(SCALED.astype(np.float64), compute_uv=False) ** 2
FLOOR = linalg.eckart_young_floor(SCALED, K) / (2 * N)


def train(images=IMAGES, k=K, **changes):
    arguments = {"num_epochs": 2, "batch_size": 64, "seed": 0} | changes
    return minibatch.train_autoencoder_minibatch(images, k, **arguments)


class Watched:
    """Rows that note how many were asked for at once."""

    def __init__(self, rows):
        self.rows, self.shape, self.dtype, self.most = rows, rows.shape, rows.dtype, 0

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, rows):
        found = self.rows[rows]
        self.most = max(self.most, len(found))
        return found


# --- The floor of many images --------------------------------------------------------


@pytest.mark.parametrize("chunk_size", [1, 7, 250, N, 5000])
def test_the_second_moment_is_the_full_product(chunk_size):
    rows = SCALED.astype(np.float64)
    moment = linalg.second_moment(rows, chunk_size=chunk_size)
    np.testing.assert_allclose(moment, rows.T @ rows / N, rtol=1e-11, atol=1e-13)
    assert moment.dtype == np.float64


def test_the_second_moment_scales_a_chunk_at_a_time():
    rows = Watched(IMAGES)
    moment = linalg.second_moment(rows, scale=data.scale_pixels, chunk_size=60)
    np.testing.assert_allclose(moment, SCALED.T @ SCALED / N, rtol=1e-4, atol=1e-6)
    assert rows.most == 60


def test_the_second_moment_of_one_row():
    np.testing.assert_array_equal(
        linalg.second_moment(np.array([[1, 2]])), [[1, 2], [2, 4]]
    )


def test_the_second_moment_changes_nothing():
    rows = SCALED.copy()
    linalg.second_moment(rows)
    assert np.array_equal(rows, SCALED)


@pytest.mark.parametrize("k", [1, K, PIXELS // 2, PIXELS - 1, PIXELS])
def test_principal_components_are_those_of_eigh(k):
    moment = linalg.second_moment(SCALED)
    found = linalg.principal_components(moment, k)
    values, axes = np.linalg.eigh(moment)
    np.testing.assert_allclose(found.values, values[::-1][:k], rtol=1e-9)
    assert found.axes.shape == (PIXELS, k)
    np.testing.assert_allclose(found.axes.T @ found.axes, np.eye(k), atol=1e-9)
    overlap = np.abs((found.axes * axes[:, ::-1][:, :k]).sum(axis=0))
    np.testing.assert_allclose(overlap, 1, atol=1e-9)
    assert (found.axes[np.abs(found.axes).argmax(axis=0), range(k)] > 0).all()


def test_principal_components_are_scikit_learns():
    svd = TruncatedSVD(K, algorithm="arpack").fit(SCALED.astype(np.float64))
    found = linalg.principal_components(linalg.second_moment(SCALED), K)
    np.testing.assert_allclose(found.values, svd.singular_values_**2 / N, rtol=1e-5)
    overlap = np.abs((found.axes * svd.components_.T).sum(axis=0))
    np.testing.assert_allclose(overlap, 1, atol=1e-6)


@pytest.mark.parametrize("k", [K, PIXELS])
def test_the_floors_are_those_of_eckart_and_young(k):
    floors = linalg.principal_components(linalg.second_moment(SCALED), k).floors
    wanted = [linalg.eckart_young_floor(SCALED, j + 1) / (2 * N) for j in range(k)]
    np.testing.assert_allclose(floors, wanted, rtol=1e-5, atol=1e-7)


def test_the_principal_axes_reach_the_floor():
    found = linalg.principal_components(linalg.second_moment(SCALED), K)
    axes = torch.tensor(found.axes, dtype=torch.float32)
    loss = minibatch.mean_image_loss(axes, axes.T, IMAGES)
    assert loss == pytest.approx(found.floors[-1], rel=1e-5)
    assert loss == pytest.approx(FLOOR, rel=1e-5)


def test_principal_components_depend_on_no_global_generator():
    moment = linalg.second_moment(SCALED)
    state = np.random.get_state()  # noqa: NPY002
    one = linalg.principal_components(moment, K)
    assert np.array_equal(np.random.get_state()[1], state[1])  # noqa: NPY002
    assert np.random.get_state()[2] == state[2]  # noqa: NPY002
    two = linalg.principal_components(moment, K)
    for first, second in zip(one, two):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: linalg.second_moment(SCALED[:0]), "^rows must be at least one row"),
        (lambda: linalg.second_moment(SCALED, chunk_size=0), "^chunk_size must be"),
        (lambda: linalg.principal_components(np.ones((2, 3)), 1), "^moment .*square"),
        (lambda: linalg.principal_components(np.eye(3), 4), "^k must .* at most 3"),
        (lambda: linalg.principal_components(np.eye(3), 0), "^k must .* at least 1"),
        (lambda: linalg.principal_components(np.full((2, 2), np.nan), 1), "^moment"),
    ],
)
def test_the_floor_refuses_bad_arguments(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# --- The loss ------------------------------------------------------------------------


def drawn(seed=0, pixels=PIXELS, k=K):
    g = torch.Generator().manual_seed(seed)
    A, B = torch.randn(pixels, k, generator=g), torch.randn(k, pixels, generator=g)
    return A.requires_grad_(), B.requires_grad_()


def test_the_loss_of_rows_is_that_of_columns():
    """Lab 04 has examples as columns and sums over them; here rows, and the mean."""
    A, B = drawn()
    z = torch.tensor(SCALED)
    rows, columns = minibatch._image_loss(A, B, z), training.autoencoder_loss(A, B, z.T)
    torch.testing.assert_close(rows, columns / N)
    ours = torch.autograd.grad(rows, [A, B])
    theirs = torch.autograd.grad(columns / N, [A, B])
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("batch_size", [1, 64, N, 1000])
def test_the_mean_loss_is_the_mean_over_all_images(batch_size):
    A, B = drawn()
    with torch.no_grad():
        z = torch.tensor(SCALED)
        each = ((z - z @ B.T @ A.T) ** 2).sum(dim=1) / 2
        loss = minibatch.mean_image_loss(A, B, IMAGES, batch_size=batch_size)
    assert isinstance(loss, float)
    assert loss == pytest.approx(each.mean().item(), rel=1e-5)


# --- Training ------------------------------------------------------------------------


def test_training_comes_near_the_floor_and_not_below():
    result = train(num_epochs=30, floor=FLOOR)
    loss = minibatch.mean_image_loss(result.A, result.B, IMAGES)
    assert FLOOR * (1 - 1e-5) <= loss <= 1.03 * FLOOR
    assert result.ratio == pytest.approx(loss / FLOOR, rel=1e-6)
    assert not result.interrupted


def test_the_space_is_that_of_the_principal_axes():
    axes = linalg.principal_components(linalg.second_moment(SCALED), K).axes
    result = train(num_epochs=60)
    assert linalg.principal_angles(result.A.numpy(), axes).max() < 0.1


@pytest.mark.parametrize(
    ("optimizer", "lr", "most"),
    [
        (torch.optim.SGD, 0.5, 2.5),
        (functools.partial(torch.optim.SGD, momentum=0.9), 0.05, 2.5),
        (torch.optim.Adam, 0.02, 1.05),
        (minibatch.Muon, 0.02, 1.05),
    ],
)
def test_optimisers_of_torch_can_be_given(optimizer, lr, most):
    result = train(num_epochs=20, lr=lr, optimizer=optimizer, floor=FLOOR)
    assert result.losses[-1] < result.losses[0] / 2
    assert 1 - 1e-5 <= result.ratio < most


def test_results_have_the_stated_shapes():
    result = train(num_epochs=3)
    assert result.A.shape == (PIXELS, K)
    assert result.B.shape == (K, PIXELS)
    assert result.params[0] is result.A
    assert result.params[1] is result.B
    assert len(result.params) == 2
    assert result.losses.shape == (3 * 8,)  # 500 images: seven batches of 64 and one
    assert {t.dtype for t in (*result.params, result.losses)} == {torch.float32}
    assert not any(t.requires_grad for t in (*result.params, result.losses))
    assert result.ratio is None
    assert result.interrupted is False


class Recorder(torch.optim.SGD):
    """Plain descent that notes the parameters and the rate before each step."""

    def __init__(self, params, lr):
        super().__init__(params, lr=lr)
        self.before, self.rates, self.gradients = [], [], []
        Recorder.last = self

    def step(self, closure=None):
        [group] = self.param_groups
        self.before.append([p.detach().clone() for p in group["params"]])
        self.gradients.append([p.grad.clone() for p in group["params"]])
        self.rates.append(group["lr"])
        return super().step(closure)


def test_every_step_follows_the_gradient_of_its_own_batch():
    result = train(num_epochs=1, lr=0.01, optimizer=Recorder)
    record, steps = Recorder.last, 8
    after = [*record.before[1:], result.params]
    np.testing.assert_allclose(record.rates, 0.01 * (1 - np.arange(steps) / steps))
    for old, new, rate, gradients in zip(
        record.before, after, record.rates, record.gradients
    ):
        for p, q, gradient in zip(old, new, gradients):
            torch.testing.assert_close(q, p - rate * gradient)


def test_an_epoch_sees_every_image_once():
    """With steps too small to matter, the losses average to that of all images."""
    images = Watched(IMAGES)
    asked = []
    images.rows = type("Noted", (), {"__getitem__": lambda _, r: take(r)})()

    def take(rows):
        asked.extend(rows.tolist())
        return IMAGES[rows]

    result = train(images, num_epochs=2, lr=1e-12, optimizer=torch.optim.SGD)
    first, second = asked[:N], asked[N:]
    assert sorted(first) == sorted(second) == list(range(N))
    assert first != second
    sizes = torch.tensor([63.0] * 4 + [62.0] * 4)
    mean = (result.losses[:8] * sizes).sum() / N
    loss = minibatch.mean_image_loss(result.A, result.B, IMAGES)
    assert mean.item() == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize(("n", "batches"), [(500, 1), (1024, 1), (1025, 2)])
def test_an_epoch_of_batches_of_1024_where_nothing_is_said(n, batches):
    images = np.tile(IMAGES, (3, 1))[:n]
    result = minibatch.train_autoencoder_minibatch(images, K, seed=0)
    assert result.losses.shape == (batches,)


def test_batches_are_of_one_size_give_or_take_an_image():
    """A small batch at the end would step as far, on what few images say."""
    images, sizes = Watched(IMAGES), []
    images.rows = type("Noted", (), {"__getitem__": lambda _, r: take(r)})()

    def take(rows):
        sizes.append(len(rows))
        return IMAGES[rows]

    train(images, num_epochs=1, batch_size=N - 1)
    assert sizes == [N // 2, N // 2]


def test_what_is_not_said_is_scaled_descent_at_a_rate_of_1():
    short = minibatch.train_autoencoder_minibatch(IMAGES, K, seed=0)
    long = train(num_epochs=1, batch_size=1024, lr=1, optimizer=None)
    assert torch.equal(short.losses, long.losses)
    assert torch.equal(short.A, long.A)


@pytest.mark.parametrize("batch_size", [1, 7, N - 1, N])
def test_batches_of_every_size_train(batch_size):
    result = train(num_epochs=1, batch_size=batch_size)
    assert result.losses.shape == (-(-N // batch_size),)
    assert result.losses.isfinite().all()


def test_one_hidden_unit_trains():
    result = train(k=1, num_epochs=20)
    assert result.losses[-1] < result.losses[0]


def test_as_many_hidden_units_as_pixels_lose_nothing():
    result = train(k=PIXELS)
    zero = pytest.approx(0, abs=1e-6 * float((SCALED**2).sum(axis=1).mean()))
    assert minibatch.mean_image_loss(result.A, result.B, IMAGES) == zero
    assert result.losses.min() >= 0
    assert result.losses.max().item() == zero


def test_no_more_than_a_batch_is_ever_asked_for():
    images = Watched(IMAGES)
    train(images, batch_size=64)
    assert images.most == 63
    train(images, batch_size=64, floor=FLOOR)
    assert images.most <= 1000


def test_the_float_images_are_never_all_asked_for():
    images = Watched(np.tile(SCALED, (4, 1)))
    train(images, num_epochs=1, batch_size=64, floor=FLOOR)
    assert images.most <= 1000 < len(images)


@pytest.fixture(scope="module")
def usual():
    return train(floor=FLOOR)


def on_disk(tmp_path):
    (tmp_path / "images.bin").write_bytes(IMAGES.tobytes())
    return np.memmap(tmp_path / "images.bin", np.uint8, "r", shape=IMAGES.shape)


KINDS = {
    "float32": lambda _: SCALED,
    "float64": lambda _: SCALED.astype(np.float64),
    "mapped": on_disk,
    "stacked": lambda _: data.StackedRows([IMAGES[:100], IMAGES[100:]]),
    "torch-uint8": lambda _: torch.tensor(IMAGES),
    "torch-float32": lambda _: torch.tensor(SCALED),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_same_images_in_another_form_train_the_same(kind, tmp_path, usual):
    result = train(kind(tmp_path), floor=FLOOR)
    tolerance = {"rtol": 1e-4, "atol": 1e-5, "check_dtype": False}
    torch.testing.assert_close(result.A, usual.A, **tolerance)
    torch.testing.assert_close(result.losses, usual.losses, **tolerance)
    assert result.ratio == pytest.approx(usual.ratio, rel=1e-4)


def test_the_same_seed_gives_the_same_run(usual):
    same, other = train(floor=FLOOR), train(floor=FLOOR, seed=1)
    for one, two, three in zip(usual[:3], same[:3], other[:3]):
        assert torch.equal(one, two)
        assert not torch.equal(one, three)


@pytest.mark.parametrize("kind", ["float32", "torch-uint8", "torch-float32"])
def test_training_leaves_no_trace_of_itself(kind):
    images = KINDS[kind](None)
    before = images.copy() if isinstance(images, np.ndarray) else images.clone()
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    train(images, floor=FLOOR)
    assert (images == before).all()
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002


# --- Scaled descent ------------------------------------------------------------------


def problem(seed=0, m=60, pixels=12, k=3):
    """Return orthonormal A (pixels, k) and z (m, pixels) of a falling spectrum."""
    rng = np.random.default_rng(seed)
    A = np.linalg.qr(rng.normal(size=(pixels, k)))[0]
    z = rng.normal(size=(m, pixels)) * 0.7 ** np.arange(pixels)
    return A, z


def projector(A):
    return A @ np.linalg.pinv(A)


@pytest.mark.parametrize("damping", [0, 0.03, 1.0])
@pytest.mark.parametrize("lr", [0.1, 0.5, 1.0])
def test_a_scaled_step_is_the_formula(lr, damping):
    A, z = problem()
    m, k = len(z), A.shape[1]
    Y = z @ np.linalg.pinv(A).T
    C = Y.T @ Y / m
    gradient = -(z - Y @ A.T).T @ Y / m
    scaled = gradient @ np.linalg.inv(C + damping * np.trace(C) / k * np.eye(k))
    new, loss = minibatch.scaled_step(
        *map(torch.tensor, (A, z)), lr=lr, damping=damping
    )
    np.testing.assert_allclose(projector(new.numpy()), projector(A - lr * scaled))
    np.testing.assert_allclose(new.T @ new, np.eye(k), atol=1e-12)
    np.testing.assert_allclose(loss, ((z - Y @ A.T) ** 2).sum() / (2 * m))


def test_the_gradient_with_the_encoder_held_fixed_is_the_whole_gradient():
    """The envelope theorem: where B is best, the loss does not change with it."""
    A, z = map(torch.tensor, problem())
    A.requires_grad_()
    B = torch.linalg.pinv(A)

    def gradient(B):
        loss = ((z - z @ B.T @ A.T) ** 2).sum() / (2 * len(z))
        return torch.autograd.grad(loss, A, retain_graph=True)[0]

    torch.testing.assert_close(gradient(B.detach()), gradient(B))
    assert not torch.allclose(gradient(B.detach() + 0.1), gradient(B))


def test_a_whole_step_on_all_images_is_least_squares():
    A, z = problem()
    new, _ = minibatch.scaled_step(*map(torch.tensor, (A, z)), lr=1, damping=0)
    best = np.linalg.lstsq(z @ A, z, rcond=None)[0].T
    np.testing.assert_allclose(projector(new.numpy()), projector(best), atol=1e-12)


def test_scaled_descent_reaches_the_floor():
    """Where batches say what all images say; scikit-learn knows the floor."""
    svd = TruncatedSVD(K, algorithm="arpack").fit(SCALED.astype(np.float64))
    floor = ((SCALED**2).sum() - (svd.singular_values_**2).sum()) / (2 * N)
    result = train(num_epochs=100, batch_size=N, floor=float(floor))
    assert result.ratio == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(result.A.T @ result.A, np.eye(K), atol=1e-5)
    assert torch.equal(result.B, result.A.T)
    assert result.A.data_ptr() != result.B.data_ptr()


def test_scaled_descent_beats_its_rivals_at_their_best():
    ratios = {}
    for optimizer, rates in {
        None: [1.0],
        minibatch.Muon: [0.01, 0.03, 0.1, 0.3],
        torch.optim.Adam: [0.01, 0.03, 0.1, 0.3],
        torch.optim.SGD: [0.1, 0.3, 1.0],
    }.items():
        runs = [train(lr=lr, optimizer=optimizer, floor=FLOOR) for lr in rates]
        ratios[optimizer] = min(run.ratio for run in runs if not run.diverged)
    assert min(ratios, key=ratios.get) is None
    assert ratios[None] < 1.02


def test_single_precision_is_exact_enough():
    """Against the same run in float64; both end where the same noise leaves them."""
    single, double = (train(SCALED.astype(t), floor=FLOOR) for t in ("f4", "f8"))
    assert double.A.dtype == double.losses.dtype == torch.float64
    assert single.ratio == pytest.approx(double.ratio, abs=1e-6)
    assert linalg.principal_angles(single.A.numpy(), double.A.numpy()).max() < 1e-5
    torch.testing.assert_close(
        single.losses.double(), double.losses, rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1.0, 1e30])
def test_a_start_of_any_scale_and_any_basis_is_the_same_start(scale):
    """Lab 02's freedom: A G spans what A spans."""
    A, B = (p.detach().double() for p in drawn())
    G = torch.linalg.qr(torch.randn(K, K, dtype=torch.float64))[0] * scale
    G[:, 0] *= 1e-4
    one, two = (train(start=(X, B), floor=FLOOR) for X in (A, A @ G))
    torch.testing.assert_close(two.A @ two.B, one.A @ one.B, rtol=0, atol=1e-3)
    assert two.ratio == pytest.approx(one.ratio, abs=1e-3)


def test_a_run_can_go_on_where_another_ended():
    first = train(num_epochs=3, optimizer=Recorder, lr=0.01)
    before = [p.clone() for p in first.params]
    train(num_epochs=1, optimizer=Recorder, lr=0.01, start=first.params)
    for went_on, ended, kept in zip(Recorder.last.before[0], before, first.params):
        assert torch.equal(went_on, ended)
        assert torch.equal(kept, ended)
    again = train(batch_size=N, num_epochs=1, start=train(num_epochs=9).params)
    assert again.losses[0].item() < 1.01 * FLOOR


def images_of_one_kind(n, pixels, kind):
    rng = np.random.default_rng(0)
    rows = {
        "zero": np.zeros((n, pixels)),
        "constant": np.full((n, pixels), -0.7),
        "one picture": np.tile(rng.normal(size=pixels), (n, 1)),
        "rank 2": rng.normal(size=(n, 2)) @ rng.normal(size=(2, pixels)),
        "noise": rng.normal(size=(n, pixels)),
    }
    return rows[kind]


@pytest.mark.parametrize("kind", ["zero", "constant", "one picture", "rank 2", "noise"])
@pytest.mark.parametrize("scale", [1e-12, 1, 1e12])
@pytest.mark.parametrize(
    ("n", "k", "batch_size"), [(40, 4, 40), (40, 4, 3), (3, 10, 3), (1, 4, 1)]
)
def test_images_that_leave_codes_unused_end_near_their_floor(
    kind, scale, n, k, batch_size
):
    """Fewer pictures than codes, a batch smaller than k, pictures all alike."""
    images = (scale * images_of_one_kind(n, 12, kind)).astype(np.float32)
    result = train(images, k, num_epochs=30, batch_size=batch_size)
    assert not result.diverged
    np.testing.assert_allclose(result.A.T @ result.A, np.eye(k), atol=1e-4)
    squares = np.linalg.svd(images.astype(np.float64), compute_uv=False) ** 2
    loss = minibatch.mean_image_loss(result.A, result.B, images)
    most = 1.3 * squares[k:].sum() + 2e-3 * squares.sum()
    assert loss <= most / (2 * n)


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, minibatch.Muon])
def test_a_run_that_diverges_says_so(optimizer):
    result = train(lr=1e30, optimizer=optimizer, floor=FLOOR)
    assert result.diverged is True
    assert train().diverged is False


# --- Devices and dtypes --------------------------------------------------------------

DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA"),
    ),
]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.uint8])
@pytest.mark.parametrize("optimizer", [None, minibatch.Muon])
def test_tensors_train_where_they_are(device, dtype, optimizer, usual):
    images = torch.tensor(IMAGES if dtype == torch.uint8 else SCALED).to(device, dtype)
    result = train(images, optimizer=optimizer, lr=0.2 if optimizer else 1, floor=FLOOR)
    assert {x.device for x in result[:3]} == {images.device}
    assert result.ratio < (1.02 if optimizer is None else 3)
    if optimizer is None:
        assert result.ratio == pytest.approx(usual.ratio, rel=1e-4)


@pytest.mark.parametrize("device", DEVICES)
def test_an_array_goes_to_the_device_and_its_result_comes_back(device, usual):
    result = train(IMAGES, device=device, floor=FLOOR)
    assert {str(x.device) for x in result[:3]} == {"cpu"}
    assert result.ratio == pytest.approx(usual.ratio, rel=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_step_and_the_loss_work_on_any_device(dtype):
    """The device "meta" has shapes alone: a tensor of the CPU's would not fit to it."""
    A, z = (
        torch.empty(shape, dtype=dtype, device="meta") for shape in [(12, 3), (5, 12)]
    )
    new, loss = minibatch.scaled_step(A, z, lr=0.5)
    assert new.shape == A.shape
    assert new.device == loss.device == A.device
    assert new.dtype == loss.dtype == dtype
    assert minibatch._image_loss(A, A.T, z).shape == ()


# --- Muon ----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(7, 3), (3, 7), (4, 4), (5, 1), (1, 5)])
def test_orthogonalised_is_the_svd_with_ones(shape, dtype):
    gradient = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    U, _, Vt = torch.linalg.svd(gradient, full_matrices=False)
    torch.testing.assert_close(minibatch.orthogonalise(gradient), U @ Vt)


def test_orthogonalising_lifts_weak_directions_and_leaves_absent_ones():
    g = torch.Generator().manual_seed(0)
    U, V = (torch.linalg.qr(torch.randn(n, 3, generator=g).double())[0] for n in (6, 4))
    weak = U * torch.tensor([1e3, 1.0, 1e-1]) @ V.T
    torch.testing.assert_close(
        minibatch.orthogonalise(weak), U @ V.T, rtol=0, atol=1e-6
    )
    one = minibatch.orthogonalise(5 * U[:, :1] @ V[:, :1].T)
    torch.testing.assert_close(one, U[:, :1] @ V[:, :1].T)
    assert not minibatch.orthogonalise(torch.zeros(6, 4)).any()
    assert minibatch.orthogonalise(weak / 0).isnan().all()


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch before 2.9")
def test_muon_is_what_its_authors_and_torch_say():
    """The same steps, as far as five Newton-Schulz iterations in bfloat16 go."""
    g = torch.Generator().manual_seed(0)
    gradients = [torch.randn(40, 5, generator=g) for _ in range(20)]
    ended = []
    for optimizer in (
        minibatch.Muon,
        functools.partial(torch.optim.Muon, weight_decay=0),
    ):
        p = torch.zeros(40, 5, requires_grad=True)
        stepper = optimizer([p], lr=0.1)
        for gradient in gradients:
            p.grad = gradient.clone()
            stepper.step()
        ended.append(p.detach())
    ours, theirs = ended
    assert torch.cosine_similarity(ours.ravel(), theirs.ravel(), dim=0) > 0.97
    assert 0.7 < theirs.norm() / ours.norm() < 1.2


def test_the_first_step_of_muon():
    for shape, factor in ((12, 3), 2), ((3, 12), 1):
        p = torch.zeros(shape, requires_grad=True)
        p.grad = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        minibatch.Muon([p], lr=0.1).step()
        step = -0.1 * factor * minibatch.orthogonalise(p.grad)
        torch.testing.assert_close(p.detach(), step)


def test_muon_looks_ahead_along_its_momentum():
    """Nesterov's way: the gradient counts once more than in the momentum itself."""
    p = torch.zeros(6, 4, requires_grad=True)
    stepper, smooth, wanted = minibatch.Muon([p], lr=0.1), 0, 0
    for seed in range(3):
        p.grad = torch.randn(6, 4, generator=torch.Generator().manual_seed(seed))
        smooth = 0.95 * smooth + 0.05 * p.grad
        ahead = 0.95 * smooth + 0.05 * p.grad
        wanted = wanted - 0.1 * 1.5**0.5 * minibatch.orthogonalise(ahead)
        stepper.step()
    torch.testing.assert_close(p.detach(), wanted)


# --- Interrupts ----------------------------------------------------------------------


class Interrupted(Recorder):
    """Stopped by the student before its sixth step."""

    def step(self, closure=None):
        if len(self.before) == 5:
            raise KeyboardInterrupt
        return super().step(closure)


def test_an_interrupt_returns_what_was_learned(capsys):
    train(num_epochs=1, lr=0.01, optimizer=Recorder)
    after_five = Recorder.last.before[5]
    result = train(num_epochs=1, lr=0.01, optimizer=Interrupted, floor=FLOOR)
    assert re.match(r"Stopped after 5 of \d+ steps", capsys.readouterr().out)
    assert result.interrupted is True
    assert len(result.losses) == 5
    assert torch.equal(result.A, after_five[0])
    assert torch.equal(result.B, after_five[1])
    loss = minibatch.mean_image_loss(result.A, result.B, IMAGES)
    assert result.ratio == pytest.approx(loss / FLOOR, rel=1e-6)
    assert not result.A.requires_grad


def test_an_interrupt_of_the_last_mean_keeps_what_was_learned(monkeypatch, capsys):
    def impatient(*arguments):
        raise KeyboardInterrupt

    whole = train(num_epochs=1, floor=FLOOR)
    monkeypatch.setattr(minibatch, "_mean_loss", impatient)
    result = train(num_epochs=1, floor=FLOOR)
    assert result.interrupted is True
    assert result.ratio is None
    assert "no ratio" in capsys.readouterr().out
    assert torch.equal(result.A, whole.A)
    assert torch.equal(result.losses, whole.losses)


def test_another_error_is_not_an_interrupt():
    class Broken(torch.optim.SGD):
        def step(self, closure=None):
            raise RuntimeError("broken")

    with pytest.raises(ValueError, match="broken"):
        train(optimizer=Broken)


# --- Bad input -----------------------------------------------------------------------


def nearly_dependent():
    """Return a start whose A has two columns that differ by rounding alone."""
    A, B = (p.detach() for p in drawn())
    A[:, 1] = A[:, 0] * (1 + 1e-7)
    return A, B


WITH_NAN = SCALED.copy()
WITH_NAN[-1, -1] = np.nan


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": IMAGES[0]}, r"^images must be .*got shape \(24,\)"),
        ({"images": IMAGES[:0]}, r"^images must be a non-empty matrix"),
        ({"images": IMAGES.tolist()}, r"^images must be"),
        ({"images": IMAGES.reshape(N, 2, 12)}, r"^images must be"),
        ({"images": IMAGES.astype(np.int64)}, "^images .*dtype int64"),
        ({"images": torch.tensor(IMAGES).int()}, "^images .*dtype int32"),
        ({"images": WITH_NAN}, "^images must be finite everywhere"),
        (
            {"images": torch.tensor(WITH_NAN)},
            "^images must be finite everywhere",
        ),
        ({"k": 0}, "^k must be a whole number, at least 1 and at most 24, got 0"),
        ({"k": PIXELS + 1}, "^k must be"),
        ({"k": 2.0}, "^k must be"),
        ({"num_epochs": 0}, "^num_epochs must be"),
        ({"batch_size": 0}, "^batch_size must be"),
        ({"images": 1e16 * SCALED}, "^images must be 0, or .* to 1e15"),
        ({"images": 1e-20 * SCALED}, "^images must be 0, or from 1e-15"),
        ({"images": np.ma.masked_array(SCALED, SCALED > 0)}, "^images .*MaskedArray"),
        ({"images": SCALED.astype(complex)}, "^images .*dtype complex128"),
        ({"images": torch.tensor(SCALED, device="meta")}, "^images .*real numbers"),
        ({"images": torch.tensor(SCALED).to_sparse()}, "^images .*dense"),
        ({"lr": 0}, "^lr must be positive"),
        ({"lr": -1.0}, "^lr must be positive"),
        ({"lr": float("nan")}, "^lr must be positive"),
        ({"lr": [0.1, 0.2]}, "^lr must be"),
        ({"floor": 0}, "^floor must be a number from"),
        ({"floor": -1.0}, "^floor must be a number from"),
        ({"floor": float("nan")}, "^floor must be a number from"),
        ({"floor": True}, "^floor must be a number from"),
        ({"floor": np.inf}, "^floor must be a number from"),
        ({"lr": 2.01}, "^lr must be .* at most 2 for scaled descent, got 2.01"),
        ({"device": "nowhere"}, "^device must be .* got 'nowhere'"),
        ({"device": 0.5}, "^device must be .* got 0.5"),
        ({"optimizer": "SGD"}, "^optimizer must be .* got 'SGD'"),
        ({"optimizer": torch.optim.LBFGS}, "^optimizer must be .* closure"),
        ({"optimizer": torch.optim.SparseAdam}, "^optimizer must be .* dense"),
        ({"start": torch.ones(PIXELS, K)}, "^start must be 2 tensors"),
        ({"start": drawn()[:1]}, "^start must be 2 tensors"),
        ({"start": drawn()[::-1]}, r"^start must be of shape \(24, 4\)"),
        (
            {"start": [p * torch.nan for p in drawn()]},
            "^start must be an A with independent columns",
        ),
        ({"start": [p * 0 for p in drawn()]}, "^start .* independent columns"),
        ({"start": nearly_dependent()}, "^start .* independent columns"),
        ({"start": [p.detach().numpy() for p in drawn()]}, "^start must be a torch"),
        ({"seed": -1}, "^seed must be"),
        ({"seed": 2**63}, "^seed must be"),
        ({"seed": None}, "^seed must be"),
    ],
)
def test_bad_arguments_are_refused_by_name(changes, words):
    with pytest.raises(ValueError, match=words):
        train(**changes)
