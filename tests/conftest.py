"""What several test files use."""

import os

import matplotlib
import pytest
import torch

matplotlib.use("Agg")
# On matrices as small as these, two threads only wait for each other.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def pages():
    """Return the printed sheets of the pack, {file name: HTML}."""
    from teaching import labs
    from teaching.handing_out import sheets

    return sheets.pages(labs.read(), folder=labs.NOTEBOOKS)


@pytest.fixture(scope="module")
def chromium():
    """Return a browser; without one, skip, or fail if REQUIRE_BROWSER is set."""
    from teaching.handing_out import pdf

    try:
        with pdf.browser() as browser:
            yield browser
    except pdf.NoBrowser as error:
        (pytest.fail if os.environ.get("REQUIRE_BROWSER") else pytest.skip)(str(error))
