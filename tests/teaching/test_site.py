"""The site: nothing is given away, nothing is missing, and it works without a network.

The second half needs a real browser; set REQUIRE_BROWSER to fail where it is skipped.
"""

import base64
import copy
import functools
import io
import json
import math
import re
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from urllib.parse import unquote

import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from labhelpers import linalg
from teaching import __main__ as command
from teaching import labs, lesson
from teaching.execute_notebook import CellFailed, execute
from teaching.handing_out import careful_writing, html_of, leaks
from teaching.site import build, frames, lab_page, page, reference

LABS = labs.read()
LAB = "01_factorisation"
CELL = next(  # the first with a figure: gets a slider
    cell.id
    for cell in LABS[LAB].cells
    for output in cell.get("outputs", [])
    if "image/png" in output.get("data", {})
)
COUNT = 30


def webp(i):
    """Return a picture in a colour of its own, WebP in base64."""
    file = io.BytesIO()
    Image.new("RGB", (64, 36), (8 * i, 90, 255 - 8 * i)).save(
        file, "WEBP", lossless=True
    )
    return base64.b64encode(file.getvalue()).decode()


def bundle(count=COUNT, still=7):
    return {
        "label": "learning rate",
        "values": [f"{i / 1000:.3f}" for i in range(count)],
        "alts": [f"the curve at rate {i}" for i in range(count)],
        "still": still,
        "frames": [webp(i) for i in range(count)],
        "width": 640,
        "height": 360,
    }


@pytest.fixture(scope="module")
def built():
    """Return the site of the pack with a slider more, {path: bytes}."""
    worked = copy.deepcopy(LABS)
    (cell,) = [cell for cell in worked[LAB].cells if cell.id == CELL]
    output = next(o for o in cell.outputs if "image/png" in o.get("data", {}))
    output.data[frames.FRAMES] = bundle()
    return build.files(worked)


@functools.cache
def soup_of(html):
    return BeautifulSoup(html, "html.parser")


def pages_of(site, prefix=""):
    names = [name for name in site if name.endswith(".html")]
    names = [name for name in names if not name.startswith("downloads/")]
    return {n: soup_of(site[n].decode()) for n in names if n.startswith(prefix)}


def lab_of(*cells):
    return new_notebook(cells=[new_markdown_cell("# 01 A lab"), *cells])


def answer(source, **metadata):
    grader = {"grade_id": "a", "grade": False, "solution": True, "locked": False}
    grader |= {"schema_version": 3, "task": False}
    source = f"### BEGIN SOLUTION\n{source}\n### END SOLUTION"
    metadata |= {"nbgrader": grader, "tags": ["lines-1"]}
    return new_code_cell(source, id="answer", metadata=metadata)


def inside(*cells, solutions=False):
    """Return what is on the page of a lab of these cells."""
    html, _ = lab_page.inside(
        "01_lab", lab_of(*cells), solutions=solutions, folder=".", assets=""
    )
    return soup_of(str(html))


# --- What students see ---------------------------------------------------------------


def written(notebook):
    """Return what only the solutions of a lab say, as it can be read on a page."""
    given = "\n".join(labs.SOLUTION.sub("", cell.source) for cell in notebook.cells)
    lines = []
    for cell in notebook.cells:
        for region in labs.SOLUTION.findall(cell.source):
            if cell.cell_type == "markdown":
                region = soup_of(str(html_of.text(region, folder="."))).get_text()
                region = region.replace(". ", ".\n")
            lines += [" ".join(line.split()) for line in region.splitlines()]
    return [line for line in lines if len(line) >= 12 and line not in given]


@pytest.mark.parametrize("lab", LABS)
def test_solutions_are_in_the_open_edition_and_nowhere_else(built, lab):
    secrets = written(LABS[lab])
    assert secrets
    student, worked = (
        " ".join(soup_of(built[f"{folder}{lab}.html"].decode()).get_text().split())
        for folder in ("", build.FOLDER)
    )
    hunts = [
        output.data["text/plain"]
        for cell in LABS[lab].cells
        if "checks.hunt(" in cell.source
        for output in cell.outputs
    ]
    shown = " ".join(" ".join(hunts).split())
    assert [line for line in secrets if line in student and line not in shown] == []
    assert [line for line in secrets if line not in worked] == []


def test_no_file_of_the_students_edition_has_a_line_of_a_solution(built):
    build.refuse(LABS, built)
    for path in "01_factorisation.html", "search-index.js":
        leaking = {path: built[f"{build.FOLDER}{path}"]}
        with pytest.raises(ValueError, match=f"^{path} holds a line of a solution"):
            build.refuse(LABS, leaking)


def test_no_file_of_the_students_edition_has_what_only_a_teachers_file_has(built):
    lines = [
        line
        for lab in LABS
        for each in lesson.read(labs.number(lab)).expect
        for line in each.answer.strip().split("\n")
    ]
    assert lines
    for name, content in built.items():
        assert name.startswith(build.FOLDER) or leaks.found(lines, content) == [], name


@pytest.fixture
def few_rooms(monkeypatch):
    rooms = {"linalg": "<h1>labhelpers.linalg</h1>"}
    monkeypatch.setattr(reference, "pages", lambda: rooms)


def test_a_solution_that_leaks_stops_the_build(few_rooms):
    secret = "step = gradient / (curvature + 1e-9)"
    leak = new_markdown_cell(f"You may want `{secret}`.", id="leak")
    with pytest.raises(ValueError, match="holds a line of a solution"):
        build.files({"99_lab": lab_of(answer(secret), leak)})


def test_a_site_that_is_too_large_is_refused(built):
    left = build.MOST - sum(map(len, built.values()))
    assert left > 0
    large = built | {f"{build.FOLDER}large.webp": bytes(left + 1)}
    with pytest.raises(ValueError, match="at most 15,000,000 bytes, and is 15,000,001"):
        build.refuse(LABS, large)
    build.refuse({}, {f"{build.FOLDER}large.webp": bytes(build.MOST)})


def test_what_is_open_to_students_needs_no_file_of_the_other_edition(built):
    for name, soup in pages_of(built).items():
        for tag in soup.find_all(href=True) + soup.find_all(src=True):
            assert name.startswith(build.FOLDER) or build.FOLDER not in str(tag)


# --- What is on the pages ------------------------------------------------------------


def test_an_exercise_is_a_section_that_ends_with_its_graded_cell():
    grader = {"grade_id": "b", "grade": True, "solution": False, "locked": True}
    grader |= {"points": 1, "schema_version": 3, "task": False}
    task = "## Exercise 1.1 · 5 min · ★☆☆\n\nDouble it."
    cells = [
        new_markdown_cell(f"Before.\n\n{task}"),
        answer("double = 2"),
        new_code_cell("checks.double(double)", metadata={"nbgrader": grader}),
        new_markdown_cell("After."),
        new_markdown_cell("## Question 1.2 · 5 min · ★☆☆\n\nAnd why?"),
        new_markdown_cell("The end."),
    ]
    html, _ = lab_page.inside(
        "01_lab", lab_of(*cells), solutions=True, folder=".", assets=""
    )
    assert html.count("<section") == html.count("</section>") == 2
    soup = soup_of(str(html))
    first, second = (section.get_text() for section in soup.select("section.exercise"))
    assert re.search("Double it.*double = 2.*checks.double", first, re.S)
    assert re.search("And why.*The end", second, re.S)
    for section in soup.select("section"):
        section.decompose()
    assert " ".join(soup.get_text().split()) == "01 A lab Before. After."


def test_solutions_are_folded_or_stubs():
    cell = answer("secret = 1 + 1")
    (fold,) = inside(cell, solutions=True).select("details.solution")
    assert "open" not in fold.attrs
    assert "secret = 1 + 1" in fold.get_text()
    assert "BEGIN" not in fold.get_text()
    student = inside(cell).get_text()
    assert "YOUR ANSWER HERE" in student
    assert "secret" not in student
    graded = {**cell.metadata.nbgrader, "grade": True, "points": 1}
    written = new_markdown_cell(cell.source, metadata={"nbgrader": graded})
    assert "secret = 1 + 1" in inside(written, solutions=True).details.get_text()
    assert inside(written).get_text().strip() == "01 A lab"


def test_a_cell_that_draws_is_folded():
    cell = new_code_cell("draw()", metadata={"jupyter": {"source_hidden": True}})
    (fold,) = inside(cell).select("details.drawing")
    assert "open" not in fold.attrs
    assert "draw()" in fold.get_text()
    assert not inside(new_code_cell("draw()")).details


def test_what_answers_a_prediction_is_folded_up_to_the_next_question():
    overleaf = {"tags": ["overleaf"]}
    soup = inside(
        new_markdown_cell("**Predict.** Up or down?"),
        new_code_cell("ran = 1", metadata=overleaf),
        new_markdown_cell("It went up.\n\n**Predict.** And now?"),
        new_code_cell("ran = 2", metadata=overleaf),
        new_markdown_cell("It went down."),
        new_markdown_cell("## On we go"),
    )
    first, second = (fold.get_text() for fold in soup.select("details.turn"))
    assert re.search("ran = 1.*It went up", first, re.S)
    assert re.search("ran = 2.*It went down", second, re.S)
    for fold in soup.select("details"):
        fold.decompose()
    text = " ".join(soup.get_text().split())
    assert text == "01 A lab Predict. Up or down? Predict. And now? On we go"


def test_what_checks_say_is_a_card_and_not_for_students():
    said = {"text/html": "<div>✓ right</div>", "text/plain": "Exercise 1.1: right"}
    cell = new_code_cell("checks.mine(f)", outputs=[new_output("display_data", said)])
    (card,) = inside(cell, solutions=True).select(".card")
    assert card.get_text() == "✓ right"
    assert not inside(cell).select(".card")


def test_students_see_what_came_out_of_an_experiment_but_no_verdict_on_a_guess():
    said = {"text/html": "<div>(b)</div>", "text/plain": "Prediction up, lab 01: (b)"}
    cell = new_code_cell('print(3)\nchecks.outcome("up")')
    cell.outputs = [
        new_output("stream", name="stdout", text="3\n"),
        new_output("execute_result", said),
    ]
    assert inside(cell).select_one(".output").get_text() == "3"
    assert not inside(cell).select(".card")
    assert inside(cell, solutions=True).select(".card")


def test_what_a_cell_printed_is_there_but_for_warnings_and_tracebacks():
    outputs = [
        new_output("stream", name="stderr", text="a warning"),
        new_output("stream", name="stdout", text="1 < 2\n"),
        new_output("execute_result", {"text/plain": "tensor(3)"}),
        new_output(
            "display_data",
            {"text/html": "<table><tr><td>4</td></tr></table>", "text/plain": "no"},
        ),
        new_output("error", ename="OSError", evalue="no disk", traceback=["/home/x"]),
    ]
    soup = inside(new_code_cell("run()", outputs=outputs))
    shown = [each.get_text() for each in soup.select(".output, table")]
    assert shown == ["1 < 2", "tensor(3)", "4", "OSError: no disk"]


def figure(colour):
    file = io.BytesIO()
    Image.new("RGB", (4, 3), colour).save(file, "PNG")
    image = {"image/png": base64.b64encode(file.getvalue()).decode()}
    about = {"image/png": {"alt": f"all {colour}"}}
    return new_output("display_data", image, metadata=about)


def test_each_figure_of_a_cell_is_a_file_of_its_own():
    cell = new_code_cell("draw()", outputs=[figure("red"), figure("blue")])
    html, pictures = lab_page.inside(
        "01_lab", lab_of(cell), solutions=False, folder=".", assets="../"
    )
    images = soup_of(str(html)).select("img")
    assert [image["alt"] for image in images] == ["all red", "all blue"]
    assert [image["src"] for image in images] == [f"../{path}" for path in pictures]
    seen = [Image.open(io.BytesIO(data)).getpixel((0, 0)) for data in pictures.values()]
    assert seen == [(255, 0, 0), (0, 0, 255)]


@pytest.mark.parametrize("source", [r"So $\nosuchcommand{x}$.", "![far](https://a.b)"])
def test_what_cannot_be_shown_is_refused_with_its_lab_and_cell(source):
    with pytest.raises(ValueError, match=r"^01_lab\.ipynb, cell 'here' must be print"):
        inside(new_markdown_cell(source, id="here"))


@pytest.mark.parametrize("lab", LABS)
def test_every_figure_is_there_with_its_text(built, lab):
    def alts(cell):
        outputs = cell.get("outputs", [])
        outputs = [o for o in outputs if "image/png" in o.get("data", {})]
        return [output.metadata["image/png"]["alt"] for output in outputs]

    wanted = [alt for cell in LABS[lab].cells for alt in alts(cell)]
    images = soup_of(built[f"{build.FOLDER}{lab}.html"].decode()).select("img")
    found = [image["alt"] for image in images]
    assert len(found) == len(wanted)
    differing = [pair for pair in zip(found, wanted) if pair[0] != pair[1]]
    assert len(differing) == (lab == LAB)  # it has a slider in place of a figure


@pytest.mark.parametrize("lab", LABS)
def test_formulas_are_drawn_by_the_browser(built, lab):
    soup = copy.copy(soup_of(built[f"{build.FOLDER}{lab}.html"].decode()))
    assert soup.select("math")
    for tag in soup.select("math, pre, code"):
        tag.decompose()
    assert "$" not in soup.get_text()


def test_the_index_says_what_the_first_cells_say():
    first = "# 01 Fall\n\n**What you will do.** Fall well.\n\n**Time.** 15 minutes.\n"
    cell = new_markdown_cell(f'{first}\n**It refutes.** "Up is down."')
    told = build.listed("01_fall", new_notebook(cells=[cell]))
    assert (told["number"], told["name"]) == ("01", "Fall")
    assert "Fall well." in told["about"]
    assert "15 minutes." in told["time"]
    assert '"Up is down."' in told["refutes"]
    assert build.listed("01_fall", lab_of())["refutes"] is None


def test_the_index_offers_every_file_with_its_kind_and_size(built):
    offered = soup_of(built["index.html"].decode()).select(".downloads li")
    assert {item.a["href"] for item in offered} == {
        path for path in built if path.startswith("downloads/")
    }
    for item in offered:
        path, title = item.a["href"], item.a.get_text()
        kind, size = item.small.get_text().removesuffix(" MB").split(", ")
        assert path.endswith(f".{kind}")
        assert float(size) == pytest.approx(len(built[path]) / 1e6, abs=0.06)
        number = re.search(r"Lab (\d\d) on paper", title)
        assert number[1] in path if number else "The labs" in title
    kinds = [item.small.get_text().partition(",")[0] for item in offered]
    assert sorted(kinds) == ["html"] * len(LABS) + ["zip"]


def test_headings_get_ids_and_what_stands_below_them_can_be_searched():
    html = """<h1>Fall &amp; rise</h1><p>It <b>falls</b> at <math><mi>g</mi></math>.</p>
    <section><h2>Exercise 1.1 · 5 min</h2>
    <p>Let it fall.</p></section><h2>Fall</h2><h3 id="own">Fall</h3><h2>Fall</h2>
    <h6>Returns</h6> <p>A <code>float</code>.</p>"""
    read = page.read(html)
    assert read.title == "Fall & rise"
    assert read.headings == [
        (1, "fall-rise", "Fall & rise", "It falls at …."),
        (2, "exercise-1-1", "Exercise 1.1", "Let it fall."),
        (2, "fall", "Fall", ""),
        (3, "own", "Fall", ""),
        (2, "fall-2", "Fall", "Returns A float."),
    ]
    soup = soup_of(str(read.html))
    assert [tag["id"] for tag in soup.select("h1, h2, h3")] == [
        heading.id for heading in read.headings
    ]
    assert soup.h2.small.get_text() == "5 min"
    assert soup.select_one("p.part").get_text() == "Returns"
    assert not soup.h6
    entries = searched(page.search_index({"01_a.html": read}))
    first = ["01_a.html#fall-rise", "Fall & rise", "Fall & rise", "It falls at …."]
    assert entries[0] == first
    assert [url for url, *_ in entries[1:3]] == [
        "01_a.html#exercise-1-1",
        "01_a.html#fall",
    ]


def test_a_heading_is_text_wherever_a_page_repeats_it():
    read = page.read("<h1>Is a &lt;b&gt;?</h1><h2>Yes: &lt;b&gt;</h2><h2>No</h2>")
    html = page.frame(read, root="", assets="", solutions=False, version="1", turns={})
    soup = soup_of(html)
    assert soup.title.get_text() == "Is a <b>? · Autograd labs"
    listed = [link.get_text() for link in soup.select("aside a")]
    assert listed == ["Yes: <b>", "No"]
    assert not soup.b


def test_labs_follow_each_other(built):
    names = [f"{lab}.html" for lab in LABS]
    for before, name, after in zip([None, *names], names, [*names[1:], None]):
        links = soup_of(built[name].decode()).select(".turn-page a")
        ways = {link["rel"][0]: link["href"] for link in links}
        assert (ways.get("prev"), ways.get("next")) == (before, after)
        for link in links:
            assert (
                soup_of(built[link["href"]].decode()).h1.get_text() in link.get_text()
            )


def test_a_link_to_a_lab_leads_to_its_page_and_others_are_refused():
    links = {"02_b.ipynb": "02_b.html"}
    html = '<h1>a</h1><a href="{}">b</a>'
    assert 'href="02_b.html#c"' in page.read(html.format("02_b.ipynb#c"), links).html
    assert "https://a.test" in page.read(html.format("https://a.test"), links).html
    with pytest.raises(ValueError, match=r"got \.\./docs/errors\.md"):
        page.read(html.format("../docs/errors.md"), links)


def resolved(name, link):
    """Return the path and the anchor that a link on a page leads to."""
    path, _, anchor = unquote(link).partition("#")
    parts = name.split("/")[:-1] if path else name.split("/")
    for part in filter(None, path.split("/")):
        parts = parts[:-1] if part == ".." else [*parts, part]
    return "/".join(parts), anchor


def broken(site):
    """Return the links and sources of the pages that lead nowhere."""
    found, pages = [], pages_of(site)
    links = [
        (name, tag.get("href") or tag.get("src"))
        for name, soup in pages.items()
        for tag in soup.find_all(["a", "link", "script", "img"])
    ]
    for name, soup in pages.items():
        for slider in soup.select("[data-paths]"):
            links += [(name, path) for path in json.loads(slider["data-paths"])]
    for prefix in "", build.FOLDER:
        index = site[f"{prefix}search-index.js"].decode()
        links += [(f"{prefix}x", url) for url, *_ in searched(index)]
    for name, link in links:
        if re.match("(https?|data):", link):
            continue
        path, anchor = resolved(name, link)
        if path not in site or (anchor and not pages[path].find(id=anchor)):
            found.append((name, link))
    return found


def searched(script):
    return json.loads(script.removeprefix("window.searchIndex = ").rstrip(";\n"))


def test_every_link_and_anchor_exists(built):
    assert broken(built) == []
    bad = b'<a href="#nowhere">a</a><img src="figures/none.webp"></main>'
    name = f"{LAB}.html"
    found = broken(built | {name: built[name].replace(b"</main>", bad)})
    assert found == [(name, "#nowhere"), (name, "figures/none.webp")]


def test_no_id_is_given_twice(built):
    for name, soup in pages_of(built).items():
        ids = [tag["id"] for tag in soup.find_all(id=True)]
        assert len(ids) == len(set(ids)), name


def test_no_page_names_a_folder_of_the_machine_that_built_it(built):
    assert [n for n, each in built.items() if str(labs.ROOT).encode() in each] == []


def test_the_reference_has_what_is_public_and_nothing_else(built):
    soup = soup_of(built["reference/linalg.html"].decode())
    names = {heading.get_text() for heading in soup.select("h2")}
    assert {"truncated_svd", "TruncatedSVD", "eckart_young_floor"} <= names
    assert not [name for name in names if name.startswith("_") or name == "np"]
    assert "reference/_require.html" not in built
    listed = soup_of(built["reference/index.html"].decode()).select(".rooms a")
    rooms = {f"reference/{link['href']}" for link in listed}
    assert rooms == {n for n in built if re.match("reference/(?!index)", n)}
    (line,) = [link.parent.span for link in listed if link["href"] == "linalg.html"]
    assert line.get_text() == linalg.__doc__.splitlines()[0]


def test_the_same_labs_give_the_same_site(few_rooms):
    # Without links to other labs, and of a lab without a lesson.
    few = {"99_lab": lab_of(*LABS[LAB].cells[1:20])}
    assert build.files(few) == build.files(few)


def test_make_site_says_what_it_did_and_how_to_go_on(monkeypatch, tmp_path, capsys):
    files = {"index.html": b"open", f"{build.FOLDER}index.html": b"worked"}
    monkeypatch.setattr(frames, "with_frames", lambda worked, folder: worked)
    monkeypatch.setattr(build, "files", lambda worked: files)
    arguments = ["site", f"--into={tmp_path}"]
    assert command.main(arguments) == 0
    assert "built: 2, unchanged: 0, removed: 0" in capsys.readouterr().out
    (tmp_path / "index.html").write_text("mine")
    assert command.main(arguments) == 1
    assert "make site SITE_ARGS=--force" in capsys.readouterr().out
    del files[f"{build.FOLDER}index.html"]
    assert command.main([*arguments, "--force"]) == 0
    assert not (tmp_path / build.FOLDER / "index.html").exists()


# --- Sliders -------------------------------------------------------------------------


def test_sliders_are_thinned_and_keep_both_ends_and_where_they_stand():
    for count in range(1, 80):
        for still in range(count):
            kept = frames.thinned(count, still, most=24)
            assert len(kept) <= 24
            assert {0, still, count - 1} <= set(kept)
            assert kept == sorted(set(kept))
            # As even as can be, where one position is taken by where it stands.
            gap = max((b - a for a, b in zip(kept, kept[1:])), default=0)
            assert gap <= (1 if count <= 24 else math.ceil((count - 1) / 22))
    slider = frames.slider(bundle(), most=5)
    assert slider.values[slider.still] == "0.007"
    assert slider.alts[-1] == "the curve at rate 29"
    assert base64.b64encode(slider.pictures[slider.still]).decode() == webp(7)


def test_frames_are_files_that_both_editions_share(built):
    paths = [n for n in built if n.startswith(f"figures/{LAB}-{CELL}/")]
    assert len(paths) in (frames.MOST, frames.MOST - 1)
    for prefix, way in ("", ""), (build.FOLDER, "../"):
        soup = soup_of(built[f"{prefix}{LAB}.html"].decode())
        (slider,) = soup.select("figure.scrub")
        assert json.loads(slider["data-paths"]) == [way + path for path in paths]
        assert slider.img["alt"] == "the curve at rate 7"
        assert slider.output.get_text() == "0.007"
        still = json.loads(slider["data-values"]).index("0.007")
        control = [slider.input[key] for key in ("min", "value", "max")]
        assert control == ["0", str(still), str(len(paths) - 1)]


SCRUB = """
from labhelpers import live

def draw(ax, i):
    ax.plot([0, i])

live.scrub([1, 2, 3], draw, label="rise", alt=lambda i: f"a line up to {i}")
print("three values")
"""


@pytest.fixture(scope="module")
def small_lab():
    """Return a lab as it is stored, and as it is when it was run for its frames."""
    lab, told = lab_of(new_code_cell(SCRUB, id="slide")), []
    execute(lab, ".")
    result = frames.with_frames({"01_lab": lab}, ".", say=told.append)
    assert told == ["executing 01_lab.ipynb, for what its sliders show"]
    return lab, result["01_lab"]


def test_labs_are_run_for_their_frames_and_else_stay_as_stored(small_lab):
    stored, ran = copy.deepcopy(small_lab)
    slider = frames.slider(ran.cells[1].outputs[0].data.pop(frames.FRAMES))
    assert ran == stored
    assert (slider.label, slider.values, slider.still) == ("rise", ["1", "2", "3"], 1)
    assert slider.alts[2] == "a line up to 2"
    assert (slider.width, slider.height) == (640, 360)
    sizes = {Image.open(io.BytesIO(picture)).size for picture in slider.pictures}
    assert sizes == {(1280, 720)}
    assert len(set(slider.pictures)) == 3


def test_a_lab_that_prints_something_else_is_refused_and_named(small_lab):
    stored, ran = copy.deepcopy(small_lab)
    ran.cells[1].outputs[1].text = "four values\n"
    with pytest.raises(ValueError, match=r"^01_lab\.ipynb, cell 'slide': must print"):
        frames.merged(stored, ran, lab="01_lab")
    for cell in stored.cells[1], ran.cells[1]:
        cell.metadata["tags"] = ["nbval-ignore-output"]
    assert frames.merged(stored, ran, lab="01_lab") == stored


def test_a_lab_that_fails_is_refused_and_named(monkeypatch):
    def execute(*_, **__):
        raise CellFailed("in slide, OSError: no disk")

    monkeypatch.setattr(frames, "execute", execute)
    lab = lab_of(new_code_cell(SCRUB, id="slide"))
    told = r"^01_lab\.ipynb must run: in slide, OSError: no disk"
    with pytest.raises(ValueError, match=told):
        frames.with_frames({"01_lab": lab}, ".", say=str)


def test_labs_without_sliders_are_not_run():
    worked = {"01_lab": lab_of(new_code_cell("1 / 0"))}
    assert frames.with_frames(worked, ".", say=pytest.fail) == worked


# --- In a real browser ---------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(built, tmp_path_factory):
    folder = tmp_path_factory.mktemp("a stick")
    assert careful_writing.write(folder, built).complete
    return folder


@pytest.fixture(scope="module")
def served(folder):
    """Return the address of a local server that serves the site."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(params=["file", "server"])
def place(request, folder):
    """Return the address of the site: on disk, or on a server."""
    if request.param == "file":
        return f"{folder.as_uri()}/"
    return request.getfixturevalue("served")


@pytest.fixture
def tab(chromium):
    """Return a tab that reaches this machine only, and what it asks for elsewhere."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    asked = []

    def route(route):
        url = route.request.url
        if url.startswith(("file:", "data:", "http://127.0.0.1:")):
            return route.continue_()
        asked.append(url)
        return route.abort()

    context.route("**/*", route)
    yield SimpleNamespace(page=context.new_page(), asked=asked)
    context.close()


def opened(tab, address):
    tab.page.goto(address)
    tab.page.evaluate("document.fonts.ready.then(() => true)")
    return tab.page


def test_the_slider_moves_by_keyboard(place, tab):
    page = opened(tab, f"{place}{build.FOLDER}{LAB}.html")
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    image, slider = page.locator(".scrub img"), page.get_by_label("learning rate")
    slider.focus()
    pictures = [image.screenshot()]
    assert page.locator(".scrub output").text_content() == "0.007"
    for _ in range(2):
        slider.press("ArrowRight")
        page.wait_for_function("document.querySelector('.scrub img').complete")
        pictures.append(image.screenshot())
    assert len(set(pictures)) == 3
    shown = frames.slider(bundle())
    assert image.get_attribute("alt") == shown.alts[shown.still + 2]
    assert slider.get_attribute("aria-valuetext") == shown.values[shown.still + 2]
    slider.press("End")
    assert page.locator(".scrub output").text_content() == "0.029"
    assert tab.asked == []


def rare_word(built):
    """Return a long word that stands below one heading of all labs, and its address."""
    entries = searched(built["search-index.js"].decode())
    for url, _, heading, text in entries:
        for word in re.findall(r"[a-z]{9,}", text):
            if url[:2].isdigit() and sum(word in str(e).lower() for e in entries) == 1:
                return word, url, heading
    raise AssertionError("no such word")


def test_search_finds_a_word_and_leads_to_its_heading(built, place, tab):
    word, url, heading = rare_word(built)
    page = opened(tab, f"{place}reference/index.html")
    page.keyboard.press("Control+k")
    page.keyboard.type(word.upper())
    found = page.locator("#found a")
    found.first.wait_for()
    assert found.count() == 1
    assert heading in found.first.text_content()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{url}")
    assert 0 <= page.locator(f"#{url.partition('#')[2]}").bounding_box()["y"] < 300
    page.locator("#search").fill("no such word")
    page.get_by_text("Found nowhere").wait_for()
    assert tab.asked == []


def test_the_theme_follows_the_system_until_somebody_chooses(place, tab):
    page = opened(tab, f"{place}index.html")
    shade = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(shade)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(shade)
    assert light != dark
    page.emulate_media(color_scheme="light")
    page.get_by_role("button", name=re.compile("theme")).press("Enter")
    assert page.evaluate(shade) == dark
    page = opened(tab, f"{place}{LAB}.html")
    assert page.evaluate(shade) == dark
    assert tab.asked == []


KINDS = [f"{build.FOLDER}{LAB}.html", "index.html", "reference/plots.html"]


def complaints(page):
    found = Axe().run(page).response["violations"]
    return [each["id"] for each in found if each["impact"] in ("serious", "critical")]


@pytest.mark.parametrize("name", KINDS)
def test_all_can_read_it(name, served, tab):
    page = opened(tab, served + name)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert complaints(page) == []
    page.emulate_media(color_scheme="dark")
    scope = {"runOnly": ["color-contrast"]}
    assert Axe().run(page, options=scope).response["violations"] == []
    for width in 640, 360:  # 1280 pixels at 200 %, and a phone
        page.set_viewport_size({"width": width, "height": 740})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("document.querySelector('h1').style.color = '#eee'")
    page.emulate_media(color_scheme="light")
    assert [e["id"] for e in Axe().run(page, options=scope).response["violations"]]


def test_the_keyboard_gets_everywhere(served, tab):
    page = opened(tab, f"{served}{LAB}.html")
    page.keyboard.press("Tab")
    focused = "document.activeElement"
    assert page.evaluate(f"{focused}.textContent") == "Skip to the text"
    assert page.locator(".skip").bounding_box()["y"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate(f"{focused}.id") == "main"
    page.keyboard.press("Tab")
    outline = page.evaluate(f"getComputedStyle({focused}).outlineStyle")
    assert outline == "solid"


def test_without_scripts_all_can_be_read(chromium, folder):
    context = chromium.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(f"{folder.as_uri()}/{build.FOLDER}{LAB}.html")
    for fold in page.locator("details.turn > summary").all():
        fold.click()
    assert page.locator(".scrub img").is_visible()
    assert not page.locator(".control, search, #theme").filter(visible=True).count()
    context.close()


def test_fonts_come_with_the_style(served, tab):
    page = opened(tab, f"{served}{LAB}.html")
    states = page.evaluate("[...document.fonts].map(f => [f.family, f.status])")
    states = {(family.strip('"'), state) for family, state in states}
    assert {("Sheet Math", "loaded"), ("Sheet Text", "loaded")} <= states
    assert "error" not in {state for _, state in states}
