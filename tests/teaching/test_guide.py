"""The teacher's guide: on the clock, with all that is tested, and for nobody else."""

import copy
import functools
import importlib
import re
from types import SimpleNamespace

import numpy as np
import pypdfium2
import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from labchecks.student import Hint
from teaching import labs, lesson
from teaching.handing_out import fonts, guide, handouts, leaks, pdf, students_zip
from teaching.handing_out.outline import Task, Text, Vote, outline, timed
from teaching.handing_out.student_copy import student_copies
from tests import ROOT

WORKED = labs.read()
EACH = pytest.mark.parametrize("name", WORKED)


@functools.cache
def pages():
    return guide.pages(WORKED)


@functools.cache
def text_of(name):
    """Return what a guide says, formulas aside, with single blanks."""
    soup = BeautifulSoup(re.sub('base64,[^"]{200,}', "", pages()[name]), "html.parser")
    return " ".join(soup.main.get_text(" ").split())


def dense(text):
    return re.sub(r"\s", "", text)


def checks_of(name):
    return importlib.import_module(f"labchecks.lab{labs.number(name)}")


# --- On the clock --------------------------------------------------------------------


@EACH
def test_minutes_are_those_that_the_lab_states(name):
    notebook = WORKED[name]
    source = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    (reading,) = re.findall(r"(\d+) minutes to read", source)
    tasks = re.findall(r"^## (?:Exercise|Question) [\d.b]+ · (\d+) min", source, re.M)
    votes = len(re.findall(r"\*\*Predict[.,]", source))
    lab = outline(notebook)
    assert len(lab.tasks) == len(tasks)
    assert len(lab.votes) == votes
    assert lab.minutes == int(reading) + sum(map(int, tasks)) + 2 * votes


@EACH
def test_points_are_those_of_the_graded_cells(name):
    cells = [cell.metadata.get("nbgrader", {}) for cell in WORKED[name].cells]
    points = [about["points"] for about in cells if about.get("grade")]
    tasks = outline(WORKED[name]).tasks
    assert [task.points for task in tasks] == points
    graded = [
        c for c in WORKED[name].cells if c.metadata.get("nbgrader", {}).get("grade")
    ]
    written = [cell.cell_type == "markdown" for cell in graded]
    assert [task.is_written for task in tasks] == written


def lab_of(*sources, reading=10):
    head = f"# 07 A lab\n\n**Time.** {reading} minutes to read, and 9 for exercises."
    return outline(new_notebook(cells=list(map(new_markdown_cell, [head, *sources]))))


TASK = "## Exercise 7.1 · 9 min · ★☆☆\n\nWrite it."
PREDICT = "### Predict: what comes\n\n**Predict, then run.** Up or down?"


def test_a_lab_is_cut_into_its_parts():
    lab = lab_of("## One\n\nsome words", PREDICT, "It is up.", "## Two\n\nmore", TASK)
    kinds = [(type(part), part.section, part.name) for part in lab.parts]
    vote, task = "Predict: what comes", "Exercise 7.1"
    assert kinds == [
        (Text, "Opening", "Opening"),
        (Text, "One", "One"),
        (Vote, "One", vote),
        (Text, "One", ""),
        (Text, "Two", "Two"),
        (Task, "Two", task),
    ]
    assert lab.title == "07 A lab"
    assert lab.votes[0].question == "Up or down?"
    assert lab.votes[0].after == "It is up."
    assert lab.tasks[0].text.strip() == "Write it."


@pytest.mark.parametrize(
    ("sources", "after"),
    [
        (["It is up.\n\nOf course.", "More."], ["It is up."]),
        (["And why?", "It is up."], ["It is up."]),
        (["And why?", PREDICT, "It is down."], ["", "It is down."]),
        (["## Two\n\nIt is up."], [""]),
        (["## Alone\n\nIt is up."], [""]),
    ],
)
def test_what_a_section_says_of_an_outcome_is_its_next_statement(sources, after):
    lab = lab_of("## One\n\nsome words", PREDICT, *sources)
    assert [vote.after for vote in lab.votes] == after


def test_a_vote_shows_what_the_next_cell_printed():
    outputs = [
        new_output("stream", name="stdout", text="1 of 2\n"),
        new_output("display_data", data={"image/png": "", "text/plain": "<Figure>"}),
        new_output("execute_result", data={"text/plain": "a  b"}),
    ]
    later = new_output("stream", name="stdout", text="later")
    head = new_markdown_cell("# 07 A lab\n\n**Time.** 1 minutes to read.")
    ask = new_markdown_cell("**Predict.** It was 3. How large is it now?")
    cells = [new_code_cell("1", outputs=each) for each in (outputs, [later])]
    one = new_markdown_cell("## One\n\nsome words")
    lab = outline(new_notebook(cells=[head, one, ask, *cells]))
    assert [part.name for part in lab.parts[:2]] == ["Opening", "One"]
    (vote,) = lab.votes
    assert vote.shown == "1 of 2\na  b"
    assert vote.name == "Predict: how large is it now?"
    assert vote.question == "It was 3. How large is it now?"


WORDS = 25 * "word ", 57 * "word "
LONG = f"## One\n\n{WORDS[0]}", PREDICT, "So it is.", TASK, f"## Two\n\n{WORDS[1]}"


def test_the_minutes_of_reading_are_shared_by_the_number_of_words():
    lab = lab_of(*LONG, reading=100)  # and of 100 words
    assert [part.minutes for part in lab.parts] == [9, 31, 2, 3, 9, 57]


def test_the_plan_has_a_line_for_each_section_vote_and_task():
    lab = lab_of(*LONG, reading=100)
    ways = guide.schedules(lab, lesson.Lesson(cut_for_45=("One",)))
    assert [way.name for way in ways] == ["45 minutes", "90 minutes"]
    assert guide.lines(lab, ways) == [
        ("section", "Opening", "", 9, ["0:00–0:09", "0:00–0:09"]),
        ("section", "One", "", 34, ["", "0:09–0:54"]),
        ("vote", "Predict: what comes", "", 2, ["", "0:40–0:42"]),
        ("task", "Exercise 7.1", "★☆☆", 9, ["0:09–0:18", "0:45–0:54"]),
        ("section", "Two", "", 57, ["0:18–1:15", "0:54–1:51"]),
    ]


@pytest.mark.parametrize(
    ("reading", "plan", "lengths"),
    [
        (36, {}, {"45 minutes": [45], "90 minutes": [45]}),
        (37, {}, {"90 minutes": [46]}),
        (
            37,
            {"cut_for_45": ("Exercise 7.1",), "second_half": "Exercise 7.1"},
            {"45 minutes": [37], "90 minutes": [46], "2 × 45 minutes": [37, 9]},
        ),
    ],
)
def test_a_lab_has_the_schedules_that_it_has_time_or_a_plan_for(reading, plan, lengths):
    ways = guide.schedules(lab_of(TASK, reading=reading), lesson.Lesson(**plan))
    assert {way.name: way.lengths for way in ways} == lengths


def test_a_vote_without_a_heading_has_the_name_of_its_question_and_what_came_out():
    notebook = WORKED["04_ab_autoencoder"]
    (vote,) = [vote for vote in outline(notebook).votes if "0.00265" in vote.name]
    assert vote.name.startswith("Predict: how must the place where 0.00265 ended")
    (text,) = [i for i, c in enumerate(notebook.cells) if vote.question in c.source]
    printed = notebook.cells[text + 1].outputs[0].text
    assert "stable" in vote.shown
    assert vote.shown.startswith(printed.strip())
    assert dense(printed) in dense(text_of("04_ab_autoencoder.html"))


def test_a_section_that_is_cut_keeps_its_exercises():
    lab = lab_of("## One\n\nsome words", PREDICT, TASK, "## Two\n\nmore")
    spans = timed(lab, cut=["One"])
    stay = [lab.parts[i].name for i in spans]
    assert stay == ["Opening", "Exercise 7.1", "Two"]
    clock = [(span.begin, span.end) for span in spans.values()]
    assert clock[0][0] == 0
    assert all(end == begin for (_, end), (begin, _) in zip(clock, clock[1:]))
    spans = timed(lab, cut=["Exercise 7.1", "Predict: what comes"])
    assert [lab.parts[i].name for i in spans if lab.parts[i].name] == [
        "Opening",
        "One",
        "Two",
    ]


def test_a_second_session_has_a_clock_of_its_own():
    lab = lab_of("## One\n\nsome words", TASK, "## Two\n\nmore")
    spans = timed(lab, second_half="Exercise 7.1")
    assert [span.session for span in spans.values()] == [0, 0, 1, 1]
    assert [span.begin for span in spans.values()][2] == 0
    ends = sum(max(s.end for s in spans.values() if s.session == n) for n in (0, 1))
    assert ends == lab.minutes == 19
    with pytest.raises(ValueError, match="must name a part of the lab, got 'Three'"):
        timed(lab, second_half="Three")
    with pytest.raises(ValueError, match="can't begin with what is cut: 'Two'"):
        timed(lab, cut=["Two"], second_half="Two")


def test_a_lab_without_its_minutes_is_named():
    notebook = copy.deepcopy(WORKED["03_mlp_iris"])
    notebook.cells[0].source = notebook.cells[0].source.replace("minutes to", "min. to")
    with pytest.raises(ValueError, match="guide of 03_x: the first cell .* must say"):
        guide.pages({"03_x": notebook})


# --- All that is tested is in it -----------------------------------------------------


@EACH
def test_each_reason_is_in_it_and_the_right_option_is_marked(name):
    soup = BeautifulSoup(pages()[f"{name}.html"], "html.parser")
    questions = checks_of(name).prediction.questions
    rights = [row.th.get_text() for row in soup.select("tr.right")]
    assert sorted(rights) == sorted(f"{q.right} ✓" for q in questions.values())
    for question in questions.values():
        for reason in question.reasons.values():
            assert " ".join(reason.split()) in text_of(f"{name}.html")


def test_each_hint_that_a_check_has_is_in_it():
    missing, count = [], 0
    for name in WORKED:
        tested = importlib.import_module(f"tests.answers.lab{labs.number(name)}")
        for exercise in tested.EXERCISES:
            check = getattr(checks_of(name), exercise.name)
            rng = np.random.default_rng(7)
            for _, items in check.stated(rng, exercise.given):
                for hint in [hint for item in items for _, hint, _ in item.known()]:
                    text = hint.text if isinstance(hint, Hint) else hint
                    count += 1
                    if " ".join(text.split()) not in text_of(f"{name}.html"):
                        missing.append((exercise.name, text))
    assert count > 400
    assert missing == []


def test_an_answer_that_is_a_number_stands_beside_what_the_check_says_to_it():
    check = checks_of("03_mlp_iris").predicted_gradient
    said = {slip.says: slip.answers for slip in guide.slips(check)}
    (text,) = [text for text in said if "gradient of b1" in text]
    assert said[text] == "4.182"


@pytest.mark.parametrize("name", ["svd_loss", "largest_lr_factorisation"])
def test_no_answer_stands_beside_what_a_check_says_of_functions_and_own_numbers(name):
    found = guide.slips(getattr(checks_of("01_factorisation"), name))
    assert found
    assert not any(slip.answers for slip in found)


@EACH
def test_each_solution_is_in_it(name):
    shown = dense(text_of(f"{name}.html"))
    for cell in WORKED[name].cells:
        if "checks.prediction(" in cell.source or cell.cell_type != "code":
            continue
        for solution in labs.SOLUTION.findall(cell.source):
            for line in map(dense, solution.splitlines()):
                assert line in shown


@EACH
def test_each_question_to_recall_has_its_answer(name):
    both = guide.recall(WORKED[name])
    asked = re.findall(r"^\d\. ", WORKED[name].cells[-1].source, re.M)
    assert 2 * len(both) == len(asked)
    assert all(re.search(r"[.?]$", text) for pair in both for text in pair)


def test_a_question_to_recall_has_the_answer_with_its_number():
    asked = "**Recall**\n\n1. What is up?\n2. And what\n   is down?\n\n"
    told = "<details>\n\n2. The sea.\n1. The sky.\n\n</details>\n\n"
    for answers, wanted in (told, ["The sky.", "The sea."]), ("", ["", ""]):
        cells = [new_markdown_cell("1. first"), new_markdown_cell(asked + answers)]
        both = guide.recall(new_notebook(cells=cells))
        assert both == [*zip(["What is up?", "And what\n   is down?"], wanted)]
    assert guide.recall(new_notebook(cells=cells[:1])) == []


def test_a_term_stands_with_its_sentence_and_with_what_that_leans_on():
    nine = "The **rank** of a matrix counts its independent rows."
    eight = "A **big one** has all of them, always."
    leans = "It is a **small one** too."
    last = "Then **`Zeros`** fill what is left of the whole matrix."
    terms = "Here we see **three word terms** for what has none."
    texts = [
        "# 07 A lab\n\nThe **opening** is no part of it, as everybody knows.",
        "The **answer** of a student is no part of it, either.",
        f"{nine} {eight}\n\n{leans} The rest of it says nothing that anybody needs.",
        f"{terms} It has **long bold words here**, a **new** one, and **rank 1**.",
        f"The **Rank** is told again here, and nobody needs it twice. {last}",
        "The **end** is no part of it, as everybody knows.",
    ]
    cells = list(map(new_markdown_cell, texts))
    cells[1].metadata["nbgrader"] = {"solution": True}
    cells.insert(1, new_code_cell("# A **comment** is no text that students read."))
    assert guide.glossary(new_notebook(cells=cells)) == [
        ("big one", f"{nine} {eight}"),
        ("rank", nine),
        ("small one", leans),
        ("three word terms", terms),
        ("`Zeros`", last),
    ]


def grader(**about):
    about = {"schema_version": 3, "task": False, "locked": False, **about}
    return {"nbgrader": about}


def test_of_code_a_task_is_told_in_short_and_a_written_one_in_full():
    solved = "### BEGIN SOLUTION\n{}\n### END SOLUTION"
    head = "# 07 Is `<b>` a tag?\n\n**Time.** 1 minutes to read."  # and no more
    code = "## Exercise 7.1 · 9 min · ★☆☆\n\nAdd all.\n\n`total(x)` returns it.\n\n"
    code += "Mind the sign.\n\n<details>\n\n`sum(x)`\n\n</details>"
    cells = [
        new_markdown_cell(head),
        new_markdown_cell(code),
        new_code_cell(
            solved.format("total = sum"),
            metadata=grader(grade_id="a", grade=False, solution=True),
        ),
        new_code_cell(
            "checks.total(total)",
            metadata=grader(grade_id="b", grade=True, solution=False, points=1),
        ),
        new_markdown_cell("## Question 7.2 · 3 min · ★☆☆\n\nWhy?\n\nSay it in short."),
        new_markdown_cell(
            solved.format("**Answer.** *So* it is."),
            metadata=grader(grade_id="c", grade=True, solution=True, points=2),
        ),
        new_markdown_cell("The end."),
    ]
    notebook, checks = new_notebook(cells=cells), SimpleNamespace()
    page = guide.guide(notebook, lesson.Lesson(), checks, folder=".")
    assert "&lt;b&gt;" in page.partition("</title>")[0]
    soup = BeautifulSoup(page, "html.parser")
    told = [" ".join(each.get_text(" ").split()) for each in soup.select(".asked")]
    assert told == [
        "Exercise 7.1 · 9 min · ★☆☆ · 1 point Add all. total(x) returns it."
        " Model answer total = sum",
        "Question 7.2 · 3 min · ★☆☆ · 2 points Why? Say it in short."
        " Model answer So it is.",
    ]
    assert "3, of which 2 for written answers" in " ".join(soup.dl.get_text().split())


def test_a_glossary_has_terms_and_no_phrases():
    found = dict(guide.glossary(WORKED["03_mlp_iris"]))
    assert found["softmax"].startswith("The **softmax** turns a row $z$")
    assert "weights, biases" in found
    assert "variance, single number" not in found  # bold, and not defined
    assert "rank 1" not in dict(guide.glossary(WORKED["01_factorisation"]))
    told = " ".join(found)
    assert "Predict" not in told
    assert "Answer" not in told


@pytest.mark.parametrize("number", [p.stem for p in lesson.LESSONS.glob("*.toml")])
def test_the_teachers_own_file_is_in_it(number):
    (name,) = [name for name in WORKED if labs.number(name) == number]
    shown = dense(text_of(f"{name}.html"))
    for line in secrets(number):
        plain = re.sub(r"[`*]", "", re.sub(r"^1: ", "", line))
        for piece in re.split(r"\$.+?\$", plain):
            assert dense(piece) in shown
    assert "left out" in text_of(f"{name}.html")


def test_a_lab_without_a_lesson_gets_a_guide():
    page = guide.guide(WORKED["03_mlp_iris"], lesson.Lesson(), checks_of("03_mlp_iris"))
    assert "Exercise 3.1" in page
    assert "Students ask" not in page


def test_bugs_stand_in_it_those_held_back_with_their_whole_code():
    notebook = copy.deepcopy(WORKED["03_mlp_iris"])
    (cell,) = [cell for cell in notebook.cells if cell.id == "evaluate-solution"]
    code = "def evaluate(x, y):\n    z = x + 1\n    return z - y\n"
    cell.source = f"evaluate = None\n### BEGIN SOLUTION\n{code}### END SOLUTION"
    old, new, other = "x + 1", "x - 1", "x * 1"
    bugs = [
        lesson.Bug(old, new, "d", "It is two too small."),
        lesson.Bug(old, other, "b", "It is not there.", held=True),
    ]
    plan = lesson.Lesson(hunt=lesson.Hunt(cell.id, ("p", "q", "r", "s"), bugs))
    page = guide.guide(notebook, plan, checks_of("03_mlp_iris"))
    (part,) = BeautifulSoup(page, "html.parser").select("#hunt")
    (row,) = part.select("tbody tr")
    cells = [" ".join(cell.get_text(" ").split()) for cell in row.select("td")]
    assert cells == ["2", "(d)", f"z = {new} It is two too small."]
    assert row.code.get_text() == f"    z = {new}"
    (held,) = part.select(".held")
    assert f"1  def evaluate(x, y):\n 2      z = {other}" in held.pre.get_text()
    assert old not in held.pre.get_text()
    assert held.p.get_text() == "Line 2, symptom (b). It is not there."


def test_the_overview_has_every_objective_and_every_exercise():
    soup = BeautifulSoup(pages()["index.html"], "html.parser")
    links = {link["href"] for link in soup.select("a")}
    assert links == {f"{name}.html" for name in WORKED}
    tables = iter(soup.select("table.grid"))
    for name, notebook in WORKED.items():
        plan, lab = lesson.read(labs.number(name)), outline(notebook)
        if plan.objectives:
            head, *rows = next(tables).select("tr")
            numbers = [task.number for task in lab.tasks]
            assert [th.get_text() for th in head.select("th")[1:]] == numbers
            shown = [[td.get_text() for td in row.select("td")] for row in rows]
            assert shown == [
                ["●" if number in names else "" for number in numbers]
                for names in plan.objectives
            ]
            assert all(any(column) for column in zip(*shown))
    assert next(tables, None) is None


# --- And for nobody else -------------------------------------------------------------


def secrets(number):
    """Return the longer texts that only a teacher's file has, a list."""
    plan = lesson.read(number)
    texts = [text for each in plan.expect for text in each]
    texts += [line for lines in plan.rubric.values() for line in lines]
    return [
        line.strip() for text in texts for line in text.split("\n") if len(line) > 30
    ]


def test_students_get_nothing_of_it():
    lines = [line for lab in WORKED for line in secrets(labs.number(lab))]
    assert lines
    copies = handouts.written(student_copies(WORKED))
    files = students_zip.contents(ROOT, copies)
    assert [name for name in files if "teach" in name or "lesson" in name] == []
    for content in files.values():
        assert leaks.found(lines, content) == []
    assert leaks.found(lines, pages()["03_mlp_iris.html"].encode()) != []


# --- As pages ------------------------------------------------------------------------


def test_each_page_brings_its_fonts():
    for page in pages().values():
        assert page.count("@font-face") == len(fonts.FACES)
        assert "/* fonts */" not in page


@pytest.fixture
def tab(chromium):
    context = chromium.new_context(offline=True)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("name", ["03_mlp_iris.html", "index.html"])
def test_axe_has_no_complaint(tab, name):
    tab.set_content(pages()[name])
    found = Axe().run(tab).response["violations"]
    assert [each["id"] for each in found] == []


@pytest.mark.parametrize("name", ["03_mlp_iris.html", "index.html"])
def test_it_fits_a_narrow_screen(tab, name):
    tab.set_viewport_size({"width": 400, "height": 800})
    tab.set_content(pages()[name])
    assert tab.evaluate("document.documentElement.scrollWidth") <= 400


def test_it_prints_on_a_few_pages_and_nothing_is_cut_off(chromium):
    data = pdf.print_page(chromium, pages()["03_mlp_iris.html"])
    document = pypdfium2.PdfDocument(data)
    assert 4 <= len(document) <= 12
    for page in document:
        grey = page.render(scale=1, grayscale=True).to_numpy().squeeze()
        assert (grey[:, :45] > 250).all()
        assert (grey[:, -45:] > 250).all()
        assert (grey[45:-60] < 128).any()
    document.close()
