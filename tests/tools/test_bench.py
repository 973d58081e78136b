"""``make bench`` writes a table that can be read. No time is held to anything."""

import json
import math
import re

import numpy as np
import pytest

from tools import bench


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    bench.main(["--quick", "--rounds", "1", "--out", str(folder)])
    return folder


@pytest.fixture(scope="module")
def numbers(folder):
    return json.loads((folder / "BENCHMARKS.json").read_text(encoding="utf-8"))


def test_every_ratio_is_a_positive_number(numbers):
    for row in numbers["rows"]:
        low, high = row["range"]
        assert 0 < low <= row["ratio"] <= high < math.inf
        assert len(row["our_costs"]) == len(row["their_costs"]) == 1
        assert row["floor"] is None or 0 < row["floor"] < math.inf


def test_every_race_and_both_scalings_have_rows(numbers):
    reaches = [row["reach"] for row in numbers["rows"]]
    wanted = ["≥ 1500", "≥ 1", "", "", "≥ 2", "≥ 25", "≥ 25", "≥ 20", "≤ 3", "≤ 1.1"]
    if "memory" not in bench.RACES:
        wanted.remove("≥ 2")
    assert reaches == [*wanted, "≤ 1.1", "≤ 1.1"]
    assert list(numbers["scaling"]) == ["MLP runs", "images"]
    for costs in numbers["scaling"].values():
        assert all(0 < cost < math.inf for each in costs.values() for cost in each)


def test_the_machine_is_stated(numbers):
    about = numbers["machine"]
    for what in ("processor", "cores", "threads", "python", "torch", "scikit-learn"):
        assert about[what]


def test_the_table_has_a_line_for_every_row(folder, numbers):
    text = (folder / "BENCHMARKS.md").read_text(encoding="utf-8")
    header, rule, *lines = re.findall(r"^\|.*\|$", text, re.MULTILINE)
    assert len(lines) == len(numbers["rows"])
    assert {line.count("|") for line in (header, rule, *lines)} == {8}
    for line, row in zip(lines, numbers["rows"]):
        assert row["title"] in line
        assert f"**{bench.short(row['ratio'])}**" in line
        assert ("✓" in line) == (row["reached"] and row["reach"] != "")
    assert "(docs/scaling.png)" in text
    assert (folder / "docs" / "scaling.png").read_bytes().startswith(b"\x89PNG")
    assert f"torch: {numbers['machine']['torch']}" in text


def test_entries_run_in_turn():
    ran = []
    entries = [
        bench.Entry(name, lambda name=name: ran.append(name) or 1) for name in "ab"
    ]
    assert bench.measure(entries, 3).tolist() == [[1, 1]] * 3
    assert "".join(ran) == "abbaab"


def test_a_timed_run_is_warmed_up_and_divided_by_its_units(monkeypatch):
    clock = iter([10.0, 16.0])
    monkeypatch.setattr(bench.time, "perf_counter", lambda: next(clock))
    runs = []
    cost = bench.timed(lambda: runs.append(1), 3)
    assert cost() == 2
    assert len(runs) == 2


def compared(ours, theirs, reach):
    return bench.row(
        title="",
        unit="s",
        ours=("", np.array(ours)),
        theirs=("", np.array(theirs)),
        reach=reach,
        floor=0.5,
    )


def test_a_row_compares_round_by_round():
    row = compared([1.0, 2.0, 4.0], [3.0, 4.0, 20.0], "≥ 3")
    assert (row["ratio"], row["range"], row["reached"]) == (3, [2, 5], True)
    assert row["times_the_floor"] == 4
    assert not compared([1.0], [3.0], "≥ 3.1")["reached"]
    row = compared([3.0, 4.0, 20.0], [1.0, 2.0, 4.0], "≤ 3")
    assert (row["ratio"], row["range"], row["reached"]) == (3, [2, 5], True)
    assert not compared([3.0], [1.0], "≤ 2.9")["reached"]


@pytest.mark.parametrize(
    ("cost", "unit", "text"),
    [
        (2.13e-5, "s an image", "21.3 µs an image"),
        (1.5, "s", "1.5 s"),
        (153.6e6, "bytes", "154 MB"),
        (4e-10, "s", "0.4 ns"),
    ],
)
def test_costs_can_be_read(cost, unit, text):
    assert bench.with_unit(cost, unit) == text


def test_work_is_counted_as_the_products_are():
    assert bench.autoencoder_work(1, 50) == 768_000
    assert bench.factorisation_work(1) == 3600
    assert bench.mlp_work(1) == 100 * 100 * (84 + 120)


def test_the_worst_step_of_a_scaling_is_reported():
    costs = {1: np.array([5.0]), 10: np.array([2.0]), 100: np.array([3.0])}
    row = bench.scaling_row("runs", costs)
    assert (row["ours"], row["theirs"], row["ratio"]) == ("100", "10", 1.5)
    assert not row["reached"]
