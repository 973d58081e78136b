"""Printed sheets as HTML: nothing is given away, nothing is missing, all can read them.

The second half needs a real browser; set REQUIRE_BROWSER to fail where it is skipped.
"""

import base64
import copy
import functools
import io
import re
from types import SimpleNamespace

import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from fontTools.ttLib import TTFont
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image, ImageChops

from teaching import labs, lesson
from teaching.handing_out import fonts, html_of, sheets
from teaching.handing_out.student_copy import student_copy

LABS = {labs.number(name): notebook for name, notebook in labs.read().items()}
KINDS = [(lab, kind) for lab in LABS for kind in sheets.KINDS]
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAA"
PNG += "SUVORK5CYII="


@functools.cache
def soup_of(page):
    """Parse a page, once, without the long data of fonts and figures."""
    return BeautifulSoup(re.sub('base64,[^"]{200,}', "", page), "html.parser")


def lab_of(*cells):
    return new_notebook(cells=[new_markdown_cell("# A lab"), *cells])


def text_of(page):
    return soup_of(page).main.get_text()


def answer(source, *, cell_id="answer", **metadata):
    grader = {"grade_id": "a", "grade": False, "solution": True, "locked": False}
    grader |= {"schema_version": 3, "task": False}
    source = f"### BEGIN SOLUTION\n{source}\n### END SOLUTION"
    return new_code_cell(source, id=cell_id, metadata={"nbgrader": grader, **metadata})


def graded(source, *, points=1):
    grader = {"grade_id": "b", "grade": True, "solution": False, "locked": True}
    grader |= {"points": points, "schema_version": 3, "task": False}
    return new_code_cell(source, metadata={"nbgrader": grader})


# --- What is on them -----------------------------------------------------------------


def leaks(lab, page):
    """Return what a page shows of the solutions: lines of 12 characters or more."""
    copied = "\n".join(cell.source for cell in student_copy(lab).cells)
    shown = re.sub(r"\s+", " ", text_of(page))
    secrets = []
    for cell in lab.cells:
        if "checks.hunt(" in cell.source:  # the name that a bug is drawn for
            continue
        for region in labs.SOLUTION.findall(cell.source):
            if cell.cell_type == "markdown":
                region = soup_of(html_of.text(region, folder=".")).get_text()
                region = region.replace(". ", ".\n")
            lines = [re.sub(r"\s+", " ", line.strip()) for line in region.splitlines()]
            secrets += [s for s in lines if len(s) >= 12 and s not in copied]
    assert secrets
    return [secret for secret in secrets if secret in shown], secrets


def hunted(lab):
    """Return what a lab's hunt shows: a function, but for one line as it should be."""
    return "\n".join(
        output.data["text/plain"]
        for cell in lab.cells
        if "checks.hunt(" in cell.source
        for output in cell.outputs
    )


@pytest.mark.parametrize("lab", LABS)
def test_students_see_no_line_of_a_solution(pages, lab):
    found, _ = leaks(LABS[lab], pages[f"{lab}_student.html"])
    shown = re.sub(r"\s+", " ", hunted(LABS[lab]))
    assert [line for line in found if line not in shown] == []


@pytest.mark.parametrize("lab", [lab for lab in LABS if hunted(LABS[lab])])
def test_a_hunt_shows_its_function_and_leaves_space_for_what_is_found(pages, lab):
    page = soup_of(pages[f"{lab}_student.html"])
    (shown,) = [pre for pre in page("pre") if "bug hunt, drawn" in pre.get_text()]
    assert shown.get_text() == hunted(LABS[lab])
    (space,) = shown.find_parent("section").select(".space")
    assert len(space.select(".rule")) == 3
    assert "Line, symptom" in space.get_text()
    assert [box.get_text().strip() for box in space.select(".choice")] == [*"abcd"]
    given = shown.find_next("pre").get_text()
    assert "line = None" in given
    assert "Ada" not in given


@pytest.mark.parametrize("lab", LABS)
def test_teachers_see_every_line_of_the_solutions(pages, lab):
    found, secrets = leaks(LABS[lab], pages[f"{lab}_solutions.html"])
    assert found == secrets


@pytest.mark.parametrize(
    ("between", "label"),
    [("between = 2", "Your code"), ("checks.bug_found(between)", "Line, symptom")],
)
def test_what_stands_around_solutions_is_given_and_a_second_one_no_leak(between, label):
    cell = answer("first = 1", tags=["lines-2"])
    cell.source = f"given = 0\n{cell.source}\n{between}\n"
    cell.source += "### BEGIN SOLUTION\nsecret = 3\n### END SOLUTION\nafter = 4"
    page = sheets.sheet(lab_of(cell))
    assert re.search(f"given.*{label}.*between.*after", text_of(page), re.S)
    assert not re.search("first|secret", text_of(page))
    page = sheets.sheet(lab_of(cell), solutions=True)
    assert re.search("given.*first.*between.*secret.*after", text_of(page), re.S)
    solved = [each.pre.get_text() for each in soup_of(page).select(".solution")]
    assert solved == ["first = 1\n", "secret = 3\n"]
    assert text_of(page).count("secret") == 1


def test_folded_answers_are_on_the_teachers_sheet_alone():
    text = "1. Why?\n\n<details><summary>Answers</summary>\n\n1. Because.\n\n"
    cell = new_markdown_cell(text + "</details>\n\n**Go further**")
    student, teacher = (
        text_of(sheets.sheet(lab_of(cell), solutions=kind)) for kind in (False, True)
    )
    assert "Why?" in student
    assert "Go further" in student
    assert not re.search("Answers|Because", student)
    assert re.search("Answers.*Because", teacher, re.S)


@pytest.mark.parametrize("lab", LABS)
def test_links_to_other_labs_are_left_out(pages, lab):
    assert "START.md" in LABS[lab].cells[-1].source
    for kind in sheets.KINDS:
        assert not soup_of(pages[f"{lab}_{kind}.html"]).select("a[href$='.ipynb']")
        assert "START.md" not in pages[f"{lab}_{kind}.html"]


@pytest.mark.parametrize("lab", LABS)
def test_answers_to_recall_are_unfolded_on_the_teachers_sheet_alone(pages, lab):
    (folded,) = soup_of(pages[f"{lab}_solutions.html"])("details")
    assert folded.has_attr("open")
    assert "Recall" in text_of(pages[f"{lab}_student.html"])
    assert not soup_of(pages[f"{lab}_student.html"])("details")


@pytest.mark.parametrize(("lab", "kind"), KINDS)
def test_every_exercise_says_its_points(pages, lab, kind):
    wanted = [
        cell.metadata.nbgrader.points
        for cell in LABS[lab].cells
        if cell.metadata.get("nbgrader", {}).get("grade")
    ]
    heads = soup_of(pages[f"{lab}_{kind}.html"]).select(".exercise h2")
    said = [re.search(r" · (\d+) points?$", head.get_text()) for head in heads]
    assert [int(found[1]) for found in said] == wanted


TASK = "## Exercise 1.1 · 5 min · ★☆☆\n\nDouble it."


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (graded("1"), " · 5 min · ★☆☆ · 1 point"),
        (graded("1", points=2), " · 5 min · ★☆☆ · 2 points"),
        (new_code_cell("1"), " · 5 min · ★☆☆"),
    ],
)
def test_points_are_counted_in_words_where_there_are_any(cell, said):
    page = sheets.sheet(lab_of(new_markdown_cell(TASK), cell))
    assert soup_of(page).h2.get_text() == f"Exercise 1.1{said}"


@pytest.mark.parametrize("solutions", [False, True])
def test_an_exercise_ends_with_its_graded_cell(solutions):
    cells = [
        new_markdown_cell(f"Before.\n\n{TASK}"),
        answer("double = 2", tags=["lines-2"]),
        graded("check(double)"),
        new_markdown_cell("After."),
    ]
    page = soup_of(sheets.sheet(lab_of(*cells), solutions=solutions))
    (section,) = page.main.select("section")
    assert section["class"] == ["exercise"]
    shown = section.get_text()
    assert re.search("Exercise 1.1.*Double it.*check", shown, re.S)
    assert ("Your code" in shown) is not solutions
    assert not re.search("Before|After", shown)
    assert "Before" in page.main.get_text()
    assert section.find_next_sibling().get_text() == "After."


def test_what_is_a_solution_and_what_a_prediction_is_said():
    guess = answer('checks.prediction("up", "a")', cell_id="guess")
    guess.metadata["nbgrader"]["grade_id"] = "b"
    guess.source = f"before = 1\n{guess.source}\nafter = 3"
    page = soup_of(sheets.sheet(lab_of(guess, answer("y = 4")), solutions=True))
    said = [
        (each.p.get_text(), each.pre.get_text()) for each in page.select(".solution")
    ]
    guessed = 'checks.prediction("up", "a")\n'
    assert said == [("Prediction", guessed), ("Solution", "y = 4\n")]
    assert not re.search("before|after", page.get_text())


def test_a_sheet_that_cannot_be_made_is_named():
    with pytest.raises(
        ValueError, match=r"^99_lab\.ipynb: cell 'answer' must be print"
    ):
        sheets.pages({"99_lab": lab_of(answer("x = 1"))})


def test_the_title_is_text_and_the_fonts_are_put_in_once():
    lab = new_notebook(cells=[new_markdown_cell("# Is `a <b> c`?\n\n`/* fonts */`")])
    page = sheets.sheet(lab)
    assert "&lt;b&gt;" in page.partition("</title>")[0]
    assert "<title>Is `a" in page
    assert page.count("@font-face") == len(fonts.FACES)
    assert "/* fonts */" in text_of(page)


@pytest.mark.parametrize("lab", LABS)
def test_teachers_see_what_each_point_of_a_written_answer_is_for(pages, lab):
    rubric = lesson.read(lab).rubric
    shown = soup_of(pages[f"{lab}_solutions.html"]).select(".rubric")
    assert [len(each("li")) for each in shown] == [len(r) for r in rubric.values()]
    for number, each in zip(rubric, shown):
        assert f" {number} · " in each.find_parent("section").h2.get_text()
    words = {w for lines in rubric.values() for line in lines for w in line.split()}
    assert all(
        w in "".join(each.get_text() for each in shown) for w in words if w.isalpha()
    )
    assert not soup_of(pages[f"{lab}_student.html"]).select(".rubric")


@pytest.mark.parametrize("lab", LABS)
def test_what_checks_say_is_not_on_a_students_sheet(pages, lab):
    verdict = r"(Exercise|Prediction) [\w.-]+, [\w ]+: right"
    assert not re.search(verdict, text_of(pages[f"{lab}_student.html"]))
    assert re.search(verdict, text_of(pages[f"{lab}_solutions.html"]))


CARD = "Prediction x, lab 01: right, it is (c).\n  (c):      Because."


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("print(1)\nchecks.outcome('x')", True),
        ("display(checks.outcome('x'))\nprint(1)", True),
        ("checks.f(f)\nchecks.outcome('x')", False),
        ("if checks.f(f): print(1)", False),
    ],
)
def test_an_experiment_is_on_a_students_sheet_without_its_verdict(source, shown):
    printed = new_output("stream", name="stdout", text="loss 0.25\n")
    kind = "display_data" if "display" in source else "execute_result"
    verdict = new_output(kind, data={"text/plain": CARD})
    lab = lab_of(new_code_cell(source, outputs=[printed, verdict]))
    student, teacher = (text_of(sheets.sheet(lab, solutions=k)) for k in (False, True))
    assert ("loss 0.25" in student) is shown
    assert "Because" not in student
    assert "loss 0.25" in teacher
    assert "Because" in teacher


@pytest.mark.parametrize("solutions", [False, True])
def test_of_a_folded_cell_the_outputs_are_printed(solutions):
    image = {"image/png": PNG, "text/plain": "<Figure>"}
    size = {"image/png": {"alt": "a line", "width": 640, "height": 360}}
    figure = new_output("display_data", data=image, metadata=size)
    folded = {"jupyter": {"source_hidden": True}}
    cell = new_code_cell("plots.show(ax)", outputs=[figure], metadata=folded)
    page = soup_of(sheets.sheet(lab_of(cell), solutions=solutions))
    assert "plots.show" not in page.get_text()
    assert not page.select("main pre")
    (drawn,) = page.select("img")
    assert (drawn["width"], drawn["height"]) == ("640", "360")
    cell.metadata.jupyter = {"outputs_hidden": True}
    again = text_of(sheets.sheet(lab_of(cell), solutions=solutions))
    assert "plots.show" in again


@pytest.mark.parametrize(("lab", "kind"), KINDS)
def test_no_mark_is_printed(pages, lab, kind):
    assert not re.search(
        "BEGIN|END (SOLUTION|HIDDEN|MARK)", text_of(pages[f"{lab}_{kind}.html"])
    )


@pytest.mark.parametrize("solutions", [False, True])
def test_hidden_tests_are_not_printed(solutions):
    cell = graded(
        "seen = 1\n### BEGIN HIDDEN TESTS\nhidden = 2\n### END HIDDEN TESTS\n"
    )
    text = text_of(sheets.sheet(lab_of(cell), solutions=solutions))
    assert "seen" in text
    assert "hidden" not in text.lower()


def given_away(page):
    """Return the predictions whose answer is on the same page, or further up."""
    asked, found = None, []
    for tag in soup_of(page).main.find_all(True):
        kinds = set(tag.get("class", []))
        if "space" in kinds and "prediction" in tag.get_text():
            asked = tag.find_previous(string=re.compile("Predict"))
        elif "turn" in kinds:
            asked = None
        elif asked and (tag.name in {"img", "table"} or "output" in kinds):
            found.append(asked.find_parent().parent.get_text())
            asked = None
    return found


@pytest.mark.parametrize("lab", LABS)
def test_what_answers_a_prediction_is_overleaf(pages, lab):
    page = pages[f"{lab}_student.html"]
    assert given_away(page) == []
    assert given_away(re.sub('<p class="turn">.*?</p>', "", page))


@pytest.mark.parametrize("lab", LABS)
def test_every_prediction_and_answer_has_the_space_that_its_tag_says(pages, lab):
    wanted = []
    for cell in LABS[lab].cells:
        wanted += re.findall(r"lines-(\d+)", " ".join(cell.metadata.get("tags", [])))
    spaces = soup_of(pages[f"{lab}_student.html"]).select(".space")
    assert [str(len(space.select(".rule"))) for space in spaces] == wanted
    assert not soup_of(pages[f"{lab}_solutions.html"]).select(".space")


@pytest.mark.parametrize("lab", LABS)
def test_every_request_to_predict_has_space(pages, lab):
    asked = sum("**Predict" in cell.source for cell in LABS[lab].cells)
    labels = soup_of(pages[f"{lab}_student.html"]).select(".space .label")
    assert sum("prediction" in label.get_text() for label in labels) == asked


def test_lettered_answers_get_boxes_to_tick():
    ask = new_markdown_cell(
        "**Predict.** Is it (a) up, (b) down?", metadata={"tags": ["lines-1"]}
    )
    choices = soup_of(sheets.sheet(lab_of(ask))).select(".choice")
    assert [choice.get_text().strip() for choice in choices] == ["a", "b"]


def test_what_is_asked_ends_with_its_space_and_where_to_turn():
    ask = "Before.\n\n### Predict: signs\n\n**Predict.** Is it (a) up, (b) down?"
    ask = new_markdown_cell(ask, metadata={"tags": ["lines-2"]})
    told = new_markdown_cell("It is (a).", metadata={"tags": ["overleaf"]})
    page = soup_of(sheets.sheet(lab_of(ask, told)))
    (section,) = page.select(".prediction")
    assert "Before" not in section.get_text()
    assert section.h3.get_text() == "Predict: signs"
    assert section.find_all(recursive=False)[-1]["class"] == ["turn"]
    assert section.find_next_sibling().get_text() == "It is (a)."
    with pytest.raises(ValueError, match="must follow a prediction or an exercise"):
        sheets.sheet(lab_of(told))


def test_what_gives_an_answer_away_may_ask_the_next_question():
    tags = {"tags": ["lines-2"]}, {"tags": ["overleaf", "lines-3"]}
    first = new_markdown_cell("**Predict.** Up?", metadata=tags[0])
    both = new_markdown_cell("Up it is.\n\n**Predict.** And now?", metadata=tags[1])
    page = soup_of(sheets.sheet(lab_of(first, both)))
    one, other = page.select(".prediction")
    assert one.select(".turn")
    assert len(one.select(".rule")) == 2
    assert one.find_next_sibling().get_text() == "Up it is."
    assert not other.select(".turn")
    assert len(other.select(".rule")) == 3


def test_an_answer_without_space_is_refused():
    with pytest.raises(ValueError, match="cell 'sum' .* tag the cell lines-8"):
        sheets.sheet(lab_of(answer("x = 1", cell_id="sum")))


# --- Formulas, code, outputs ---------------------------------------------------------


def formulas(lab):
    """Return the formulas of a lab, found without a Markdown parser."""
    found = []
    for cell in lab.cells:
        if cell.cell_type == "markdown":
            text = re.sub(r"`[^`]*`", "", cell.source)
            found += re.findall(r"\$\$.+?\$\$|\$[^$]+\$", text, re.S)
    return found


@pytest.mark.parametrize("lab", LABS)
def test_every_formula_is_converted(pages, lab):
    soup = copy.copy(soup_of(pages[f"{lab}_solutions.html"]))
    for rubric in soup.select(".rubric"):  # not from the lab
        rubric.decompose()
    wanted = formulas(LABS[lab])
    assert len(soup.select("math")) == len(wanted) > 0
    assert len(soup.select("math[display=block]")) == sum(f[1] == "$" for f in wanted)
    for tag in soup.select("math, pre, code, style"):
        tag.decompose()
    assert "$" not in soup.get_text()
    assert not soup.select("merror, mtext:-soup-contains('\\\\')")


def test_a_formula_that_cannot_be_converted_is_refused_with_its_cell():
    cell = new_markdown_cell(r"So $\nosuchcommand{x}$.", id="here")
    with pytest.raises(
        ValueError, match=r"cell 'here' must be printable: .*nosuchcommand"
    ):
        sheets.sheet(lab_of(cell))


@pytest.mark.parametrize(
    ("source", "shown", "count"),
    [
        ("`$x$` and `$y`", ["$x$", "$y"], 0),
        ("    price = '$x$'", ["price = '$x$'"], 0),
        ("```python\nprice = '$x$'\n```", ["price = '$x$'"], 0),
        ("| a | b |\n|---|---|\n| $x$ | $y_1$ |\n", [], 2),
        ("- in a list $x$\n\n> quoted $$y$$", [], 2),
        ("\\begin{aligned} a &= b \\\\ c &= d \\end{aligned}", [], 1),
        ("# $x$ in a heading", [], 1),
        ("it costs \\$5 and $x < y$", ["$5"], 1),
    ],
)
def test_formulas_are_told_from_dollars(source, shown, count):
    soup = soup_of(sheets.sheet(lab_of(new_markdown_cell(source)))).main
    assert len(soup.select("math")) == count
    assert [text for text in shown if text in soup.get_text()] == shown


@pytest.mark.parametrize("lab", LABS)
def test_code_is_printed_as_it_is_but_for_empty_lines(pages, lab):
    shown = soup_of(pages[f"{lab}_solutions.html"]).select("pre.code")
    shown = "".join(pre.get_text() for pre in shown)
    wanted = [
        line
        for cell in LABS[lab].cells
        if cell.cell_type == "code"
        and not re.search(r"checks\.(prediction|hunt)\(", cell.source)
        and not cell.metadata.get("jupyter", {}).get("source_hidden")
        for line in cell.source.splitlines()
        if line.strip() and not re.match(r"\s*### (BEGIN|END)", line)
    ]
    assert [line for line in shown.splitlines() if line in wanted] == wanted


def outputs_of(*outputs):
    page = sheets.sheet(lab_of(new_code_cell("1", outputs=list(outputs))))
    return [pre.get_text() for pre in soup_of(page).select("main .output")]


def test_code_keeps_its_indents_and_colours_and_other_fences_are_plain():
    text = "```python\ndef f():\n    return 1\n```\n\n```\ndef g():\n```"
    page = soup_of(sheets.sheet(lab_of(new_markdown_cell(text))))
    code, plain = page.select("main pre")
    assert (code["class"], plain["class"]) == (["code"], ["output"])
    assert [line["style"] for line in code.select(".line")] == ["--in: 0", "--in: 4"]
    assert code.get_text() == "def f():\n    return 1\n"
    assert plain.get_text() == "def g():\n"


def test_neither_bars_nor_widgets_nor_tracebacks_are_printed():
    bar = new_output("stream", name="stderr", text="100%|███| 5/5 [00:01<00:00]\n")
    redrawn = new_output("stream", name="stdout", text="10 %\r50 %\rdone\nnext\r\n")
    widget = {
        "application/vnd.jupyter.widget-view+json": {},
        "text/plain": "IntSlider()",
    }
    error = new_output(
        "error",
        ename="RuntimeError",
        evalue="no graph",
        traceback=["\x1b[31m/home/x.py"],
    )
    coloured = new_output("stream", name="stdout", text="\x1b[1mbold\x1b[0m <b>")
    shown = outputs_of(
        bar, redrawn, new_output("display_data", data=widget), error, coloured
    )
    assert shown == ["done\nnext", "RuntimeError: no graph", "bold <b>"]


@pytest.mark.parametrize(
    ("html", "headers", "cells"),
    [
        ("<tr><th></th><th>a</th></tr>", ["col"], 1),
        (
            "<tr><th></th><th>a</th></tr><tr><th>name</th><th></th></tr>",
            ["col", "col"],
            0,
        ),
        (
            "<tr><th>name</th><th></th></tr>" + "<tr><th>b</th><th></th></tr>" * 2,
            ["col"] * 3,
            3,
        ),
    ],
)
def test_tables_have_headers(html, headers, cells):
    html = (
        f"<style>td {{}}</style><table border=1 class=dataframe><thead>{html}</thead>"
    )
    html += "<tbody><tr><th>1</th><td>2</td></tr></tbody></table>"
    output = new_output("display_data", data={"text/html": html, "text/plain": "no"})
    page = sheets.sheet(lab_of(new_code_cell("1", outputs=[output])))
    table = soup_of(page).table
    assert [th["scope"] for th in table.thead.select("th")] == headers
    assert len(table.thead.select("td")) == cells
    assert table.tbody.th["scope"] == "row"
    assert all(th.get_text() for th in table.select("th"))
    assert not table.select("[border], [style]")


@pytest.mark.parametrize("lab", LABS)
def test_every_figure_of_the_worked_lab_is_there_with_its_text(pages, lab):
    alts = [
        output.metadata["image/png"]["alt"]
        for cell in LABS[lab].cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    for kind in sheets.KINDS:
        images = soup_of(pages[f"{lab}_{kind}.html"]).select("img")
        assert [image["alt"] for image in images] == alts


def test_a_figure_without_text_is_refused():
    output = new_output("display_data", data={"image/png": PNG})
    with pytest.raises(ValueError, match="a figure needs an alt text"):
        outputs_of(output)


@pytest.mark.parametrize(
    "source",
    ["![far](https://example.org/a.png)", "<script>1</script>", "<img src='a.png'>"],
)
def test_what_lies_elsewhere_is_refused(source):
    with pytest.raises(ValueError, match="complete in itself"):
        sheets.sheet(lab_of(new_markdown_cell(source)))


def test_a_picture_beside_the_lab_is_taken_in(tmp_path):
    (tmp_path / "a.png").write_bytes(base64.b64decode(PNG))
    page = sheets.sheet(lab_of(new_markdown_cell("![dot](a.png)")), folder=tmp_path)
    assert soup_of(page).img["src"] == f"data:image/png;base64,{PNG}"


@pytest.mark.parametrize(("lab", "kind"), KINDS)
def test_headings_are_in_order_and_the_language_is_named(pages, lab, kind):
    soup = soup_of(pages[f"{lab}_{kind}.html"])
    levels = [int(tag.name[1]) for tag in soup.find_all(re.compile("^h[1-6]$"))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:]))
    assert soup.html["lang"] == "en-GB"
    assert soup.h1.get_text() in soup.title.get_text()


@pytest.mark.parametrize(("lab", "kind"), KINDS)
def test_the_fonts_have_every_character(pages, lab, kind):
    held = frozenset().union(*(fonts.covered(*face) for face in fonts.FACES.values()))
    missing = {c for c in text_of(pages[f"{lab}_{kind}.html"]) if ord(c) not in held}
    assert {c for c in missing if c.isprintable()} == set()


def test_formulas_have_the_letters_that_a_browser_slants_and_no_others():
    """They are not in the page: a browser draws 𝑥 for x, and the root of <msqrt>."""
    text = "AzΑxhπ"
    held = dict(re.findall('"(Sheet .+?)".*?normal.*?base64,(.+?)"', fonts.css(text)))
    held = {
        family: TTFont(io.BytesIO(base64.b64decode(data))).getBestCmap()
        for family, data in held.items()
    }
    assert set(map(chr, held["Sheet Math"])) == {*text, *"𝐴𝑧𝛢𝑥ℎ𝜋𝜛√"}
    assert ord("𝑥") not in held["Sheet Text"]


@pytest.mark.parametrize(("family", "weight", "style"), fonts.FACES)
def test_a_face_is_as_heavy_and_as_slanted_as_its_file_says(family, weight, style):
    with TTFont(fonts.path(*fonts.FACES[family, weight, style])) as font:
        assert font["OS/2"].usWeightClass == weight
        assert bool(font["head"].macStyle & 2) == (style == "italic")


def test_of_a_tables_attributes_only_spans_stay():
    html = (
        '<table style="a"><tr class="b"><td colspan="2" style="c">1</td></tr></table>'
    )
    soup = BeautifulSoup(html_of.tidied(html), "html.parser")
    assert [tag.attrs for tag in soup.table.find_all()] == [{}, {"colspan": "2"}]
    assert soup.table.attrs == {}


# --- In a real browser ---------------------------------------------------------------


@pytest.fixture
def tab(chromium):
    """Return a tab without a network, and the addresses that it asks for."""
    context = chromium.new_context(
        viewport={"width": 1280, "height": 900}, offline=True
    )
    tab, asked = context.new_page(), []
    context.on("request", lambda request: asked.append(request.url))
    yield SimpleNamespace(page=tab, asked=asked)
    context.close()


def opened(tab, tmp_path, page):
    path = tmp_path / "sheet.html"
    path.write_text(page, encoding="utf-8")
    tab.page.goto(path.as_uri())
    tab.page.evaluate("document.fonts.ready.then(() => true)")
    return tab.page


@pytest.mark.parametrize(("lab", "kind"), KINDS)
def test_it_opens_offline_and_fits_when_zoomed(pages, tab, tmp_path, lab, kind):
    page = opened(tab, tmp_path, pages[f"{lab}_{kind}.html"])
    assert [url for url in tab.asked if not url.startswith("data:")] == [page.url]
    states = page.evaluate("[...document.fonts].map(f => [f.family, f.status])")
    assert ["Sheet Math", "loaded"] in [[f.strip('"'), state] for f, state in states]
    assert "error" not in {state for _, state in states}
    assert small_formulas(page) == []
    page.set_viewport_size({"width": 640, "height": 450})
    assert page.evaluate("document.documentElement.scrollWidth") <= 640


def small_formulas(page):
    script = """[...document.querySelectorAll("math")].map(m => [m.textContent,
        m.getBoundingClientRect()]).filter(([_, b]) => b.width < 3 || b.height < 5)"""
    return page.evaluate(script)


def complaints(page):
    found = Axe().run(page).response["violations"]
    return [each["id"] for each in found if each["impact"] in ("serious", "critical")]


# Students' sheets are made of the same parts, so one of them will do: axe is slow.
@pytest.mark.parametrize("name", ["01_student", *(f"{lab}_solutions" for lab in LABS)])
def test_axe_has_no_complaint(pages, tab, tmp_path, name):
    assert complaints(opened(tab, tmp_path, pages[f"{name}.html"])) == []


def test_axe_complains_of_a_figure_without_text(pages, tab, tmp_path):
    page = re.sub(' alt="[^"]*"', "", pages["01_student.html"], count=1)
    assert complaints(opened(tab, tmp_path, page)) == ["image-alt"]


def test_a_request_would_be_seen(pages, tab, tmp_path):
    page = pages["01_student.html"].replace(
        "</main>", "<img src='http://a.test/b'></main>"
    )
    opened(tab, tmp_path, page)
    assert "http://a.test/b" in tab.asked


def test_the_cut_font_draws_every_formula_as_the_whole_font_does(pages, tab):
    found = set(re.findall("<math.*?</math>", "".join(pages.values()), re.S))
    maths = "".join(f"<p>{each}</p>" for each in sorted(found))
    whole = fonts.path(*fonts.FACES["Sheet Math", 400, "normal"]).read_bytes()
    source = f"data:font/ttf;base64,{base64.b64encode(whole).decode()}"
    face = f'@font-face {{ font-family: "Sheet Math"; src: url("{source}"); }}'
    cut, wanted, none = (
        picture(tab.page, f"{css} math {{ font: 20px 'Sheet Math'; }}", maths)
        for css in (fonts.css(maths), face, "")
    )
    # Hints for small sizes differ a little; a missing sign would be black on white.
    assert cut.size == wanted.size
    assert most_different(cut, wanted) < 100
    assert none.size != wanted.size or most_different(none, wanted) > 200


def picture(page, css, body):
    page.set_content(f"<style>{css}</style>{body}")
    page.evaluate("document.fonts.ready.then(() => true)")
    return Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("L")


def most_different(one, other):
    return ImageChops.difference(one, other).getextrema()[1]


@pytest.mark.parametrize("lab", LABS)
def test_a4_is_wide_enough_and_no_line_of_code_is_wrapped(pages, tab, tmp_path, lab):
    page = opened(tab, tmp_path, pages[f"{lab}_solutions.html"])
    page.emulate_media(media="print")
    page.set_viewport_size({"width": round((210 - 2 * 18) / 25.4 * 96), "height": 900})
    script = """[...document.querySelectorAll(".line")].filter(line =>
        line.offsetHeight > 1.5 * parseFloat(getComputedStyle(line).lineHeight)
    ).map(line => line.textContent)"""
    assert page.evaluate(script) == []
    # Else Chromium would print everything smaller.
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
