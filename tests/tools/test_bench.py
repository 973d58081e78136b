"""``make bench`` writes a table that can be read. No time is held to anything."""

import json
import math
import re

import pytest
import torch

from tools import bench


@pytest.fixture(scope="module", params=["cpu", "cuda"])
def device(request):
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    return request.param


@pytest.fixture(scope="module")
def folder(device, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    options = ["--device", device, "--quick", "--rounds", "1", "--out", str(folder)]
    bench.main(options)
    return folder


@pytest.fixture(scope="module")
def table(device, folder):
    numbers = json.loads((folder / "BENCHMARKS.json").read_text(encoding="utf-8"))
    return numbers["devices"][device]


def test_every_ratio_is_a_positive_number(table):
    for row in table["rows"]:
        assert len(row["our_costs"]) == 1
        assert 0 < row["floor"] < math.inf
        if "theirs" in row:
            low, high = row["range"]
            assert 0 < low <= row["ratio"] <= high < math.inf
            assert len(row["their_costs"]) == 1


def test_every_race_has_rows(device, table):
    reaches = [row["reach"] for row in table["rows"]]
    images, floor = ["≥ 3500"], ["≥ 4", "", "", "≥ 2", ""]
    others = ["≥ 40", "≥ 40", "", "≥ 20", "≤ 3", "≤ 1.1"]
    memory = ["≥ 5"] if "memory" in bench.RACES else []
    if device == "cpu":
        assert reaches == [*images, *floor, *memory, *others]
    else:
        limits = [reach for reach in reaches if reach]
        assert limits == ["≤ 1 µs an image", "≤ 150 ms", "≤ 10 µs a run"]


def test_those_who_are_to_reach_the_floor_do(table):
    ends = [row[each] for row in table["rows"] for each in row if each.endswith("_end")]
    assert all(0.9 < end <= 1.01 for end in ends if end)
    assert sum(end is not None for end in ends) == 2 * 5


def test_a_trainer_comes_nearer_to_the_floor_with_every_epoch(table):
    assert list(table["curves"]) == ["scaled descent", "Muon", "Adam"]
    for curve in table["curves"].values():
        _, ends = zip(*curve)
        assert list(ends) == sorted(ends, reverse=True)
        assert ends[-1] > 1


def test_the_machine_is_stated(table):
    about = table["machine"]
    for what in ("processor", "cores", "threads", "python", "torch", "scikit-learn"):
        assert about[what]


def test_the_table_has_a_line_for_every_row(device, folder, table):
    text = (folder / "BENCHMARKS.md").read_text(encoding="utf-8")
    header, rule, *lines = re.findall(r"^\|.*\|$", text, re.MULTILINE)
    assert len(lines) == len(table["rows"])
    assert {line.count("|") for line in (header, rule, *lines)} == {8}
    for line, row in zip(lines, table["rows"]):
        assert row["title"] in line
        assert "theirs" not in row or f"**{bench.short(row['ratio'])}**" in line
        assert ("✓" in line) == (row["reached"] and row["reach"] != "")
    assert f"](docs/race-{device}.png)" in text
    picture = folder / "docs" / f"race-{device}.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert f"torch: {table['machine']['torch']}" in text


def test_another_device_stays_in_the_report(table, tmp_path):
    about = {"processor": "x", "cores": 3}
    card = table | {"machine": {"card": "some card"} | about}
    bench.write(tmp_path, "cuda", card)
    bench.write(tmp_path, "cpu", table | {"machine": about})
    numbers = json.loads((tmp_path / "BENCHMARKS.json").read_text(encoding="utf-8"))
    assert numbers["devices"]["cuda"] == card
    text = (tmp_path / "BENCHMARKS.md").read_text(encoding="utf-8")
    assert re.findall("^## .*", text, re.MULTILINE) == ["## x, 3 cores", "## some card"]


def test_the_picture_is_told_in_words(table):
    points = bench.race_points(table)
    assert len(points) == 7
    assert all(name in bench.race_alt(points) for name in points)


def test_every_race_of_a_plan_is_known():
    for names in bench.LEFT_OUT.values():
        assert set(names) <= {*bench.RACES, "memory"}


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
    cost = bench.Place(None, "cpu", {}).timed(lambda: runs.append(1), 3)
    assert cost() == 2
    assert len(runs) == 2


def test_a_gpu_is_done_before_the_clock_is_read(monkeypatch):
    told = []
    monkeypatch.setattr(bench.torch.cuda, "synchronize", lambda: told.append("wait"))
    monkeypatch.setattr(bench.time, "perf_counter", lambda: told.append("look") or 0)
    bench.seconds(lambda: told.append("run"), "cuda")
    assert told == ["wait", "look", "run", "wait", "look"]


def rows(ours, theirs, reach, *, device="cpu", limits=None):
    rival = bench.Entry("", iter(theirs).__next__, reach)
    entry = bench.Entry("", iter(ours).__next__)
    race = bench.Race("", "s", entry, [rival], 0.5, limits or {})
    return bench.race_rows(race, len(ours), device)


def test_a_row_compares_round_by_round():
    [row] = rows([1.0, 2.0, 4.0], [3.0, 4.0, 20.0], "≥ 3")
    assert (row["ratio"], row["range"], row["reached"]) == (3, [2, 5], True)
    assert (row["times_the_floor"], row["at_the_floor"]) == (4, 12)
    assert not rows([1.0], [3.0], "≥ 3.1")[0]["reached"]
    [row] = rows([3.0, 4.0, 20.0], [1.0, 2.0, 4.0], "≤ 3")
    assert (row["ratio"], row["range"], row["reached"]) == (3, [2, 5], True)
    assert row["at_the_floor"] == 3 / 8
    assert not rows([3.0], [1.0], "≤ 2.9")[0]["reached"]


def test_a_limit_is_for_our_cost_and_for_its_device():
    cost, ratio = rows([2.0], [3.0], "≥ 3", device="cuda", limits={"cuda": 1.9})
    assert (cost["reach"], cost["reached"], "theirs" in cost) == (
        "≤ 1.9 s",
        False,
        False,
    )
    assert (ratio["reach"], ratio["reached"]) == ("", True)
    cost, _ = rows([2.0], [3.0], "≥ 3", device="cuda", limits={"cuda": 2})
    assert cost["reached"]
    [row] = rows([2.0], [3.0], "≥ 3", limits={"cuda": 1.9})
    assert row["reach"] == "≥ 3"


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
    assert bench.autoencoder_work(1, 50) == 307_200
    assert bench.factorisation_work(1) == 3600
    assert bench.mlp_work(1) == 100 * 100 * (84 + 120)
