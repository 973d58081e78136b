"""One check for each exercise, for the student: ``checks.pca_scores(pca_scores)``.

A check tries the answer on small problems of its own and returns a Check: true in
``if``, and shown as one line where the answer is right. Where it is wrong, the lines
say what was seen, what was expected, the likely cause and where to look. It raises
nothing.

Every check takes, besides the answer and what it is judged by, ``seed``, an int for
other problems, and ``seconds``, the time limit. Messages do not differ between runs.
"""

from labchecks._counts import multiplications
from labchecks._spectrum import orthogonal, spectrum_limits
from labchecks.lab01 import (
    complete,
    gd_factorise_ad,
    largest_lr_factorisation,
    svd_loss,
)
from labchecks.lab02 import (
    best_linear_map,
    pca_scores,
    predicted_cond,
    scores_from_factors,
    split,
)
from labchecks.lab03 import evaluate, mlp_train, predicted_gradient
from labchecks.lab04 import (
    autoencoder_loss,
    best_encoder,
    best_rate,
    largest_lr_autoencoder,
    train_ab,
)
from labchecks.lab05 import minibatch_loss, train_epoch
from labchecks.predictions import prediction
from labchecks.verdicts import Check, progress, strict

__all__ = [
    "Check",
    "autoencoder_loss",
    "best_encoder",
    "best_linear_map",
    "best_rate",
    "complete",
    "evaluate",
    "gd_factorise_ad",
    "largest_lr_autoencoder",
    "largest_lr_factorisation",
    "minibatch_loss",
    "mlp_train",
    "multiplications",
    "orthogonal",
    "pca_scores",
    "predicted_cond",
    "predicted_gradient",
    "prediction",
    "progress",
    "scores_from_factors",
    "spectrum_limits",
    "split",
    "strict",
    "svd_loss",
    "train_ab",
    "train_epoch",
]
