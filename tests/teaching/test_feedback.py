"""A page of feedback says what somebody got, and runs nothing that a student wrote."""

import base64
import re

import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_markdown_cell, new_output

from labchecks.student import kind
from teaching.marking import feedback, values
from tests.teaching import made_up_class as made

LAB = "02_pca_comparison"
COPY = made.empty(LAB)
PNG = base64.b64encode(b"\x89PNG and so on").decode()
ACTIVE = (
    "script, link, iframe, object, embed, form, input, button, svg, base, video, audio"
)


def page(notebook, **changes):
    given = {"student": "Zoë <Ünal>", "grades": {}, "comments": {}} | changes
    return BeautifulSoup(feedback.page(notebook, COPY, **given), "html.parser")


@pytest.mark.parametrize(
    "text",
    [
        '<meta http-equiv="refresh" content="0;url=http://a.test">',
        "<META/content='0;url=//a.test?>' HTTP-EQUIV=refresh>",
        "<me<script></script>ta http-equiv=refresh content=0>",
        "<style>body {display: none}</style>",
        "<div style='position: fixed'>Score 10.0 / 10.0</div>",
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<form action=//a.test><button>Go</button></form>",
        "<svg onload=alert(1)></svg>",
        "</main></body><h1>Points</h1>",
        "![](http://a.test/x.png)",
        "![](//a.test/x.png)",
        "![x](data:image/svg+xml;base64,PHN2Zy8+)",
        "<iframe srcdoc='<p>'></iframe>",
        "[go](javascript:alert(1))",
        "a <b onclick='x()'>b</b>",
        "$x$ <style>*{}</style> `<base href=//a.test>`",
    ],
)
def test_nothing_that_a_student_writes_is_active(text):
    plain = page(made.empty(LAB))
    notebook = made.replaced(made.empty(LAB), "claim-answer", f"My answer.\n\n{text}\n")
    html = {"text/html": text, "text/plain": text, "image/svg+xml": text}
    outputs = [
        new_output("display_data", data=html),
        new_output("stream", name="stdout", text=text),
        new_output("error", ename=text, evalue=text, traceback=[text]),
    ]
    notebook.cells[made.at(notebook, "scores-check")].outputs = outputs
    notebook.cells.append(new_markdown_cell(text))
    seen = page(notebook, comments={"claim-answer": text})
    assert "My answer." in seen.get_text()
    assert not seen.select(ACTIVE + ", [onerror], [onload], [onclick], [srcdoc]")
    for tag in ("style", "meta", "h1", "img"):
        assert len(seen.select(tag)) == len(plain.select(tag))
    styled = [each for each in seen.select("[style]") if each.find_parent("main")]
    assert len(styled) == len(plain.select("main [style]"))
    links = [each["href"] for each in seen.select("[href]")]
    assert not any(link.startswith("javascript") for link in links)
    policy = seen.select_one("meta[http-equiv]")
    assert policy["http-equiv"] == "Content-Security-Policy"
    assert "default-src 'none'" in policy["content"]


def test_a_page_has_the_name_the_numbers_of_exercises_and_points():
    grades = {
        "scores-check": feedback.Grade(1.5, 2, waits=False),
        "claim-answer": feedback.Grade(0.0, 2, waits=True),
    }
    seen = page(
        made.filled(LAB),
        grades=grades,
        comments={"scores-solution": "Short **&** good."},
    )
    text = re.sub(r"\s+", " ", seen.get_text())
    assert "Zoë <Ünal>: 1.5 of 4 points; 2 more are to be marked" in text
    rows = [[cell.get_text() for cell in row.select("td")] for row in seen.select("tr")]
    assert rows[1:] == [
        ["Exercise 2.1", "1.5 of 2"],
        ["Question 2.2b", "to be marked, of 2"],
    ]
    heads = [each.get_text() for each in seen.select("section > h3")]
    assert "Exercise 2.1: 1.5 of 2" in heads
    assert "Question 2.2b: to be marked, of 2" in heads
    assert "Comment Short & good." in text
    assert not re.search(r"\b0(\.0)? (of|/) 2", text)


def test_every_graded_cell_has_the_number_of_its_exercise():
    for lab in made.LABS:
        tasks = feedback.tasks_of(made.empty(lab))
        number = str(int(lab[:2]))
        for cell in made.empty(lab).cells:
            if cell.metadata.get("nbgrader", {}).get("grade"):
                kind, where = tasks[cell.metadata["nbgrader"]["grade_id"]].split()
                assert kind in ("Exercise", "Question")
                assert where.startswith(f"{number}.")


def test_figures_of_the_run_are_shown_and_no_other_pictures():
    notebook = made.filled(LAB)
    cell = notebook.cells[made.at(notebook, "scores-check")]
    figure = {"image/png": PNG + "\n", "text/plain": "<Figure>"}
    fake = {"image/png": '"><script>alert(1)</script>', "text/plain": "fake"}
    cell.outputs = [new_output("display_data", data=each) for each in (figure, fake)]
    seen = page(notebook)
    assert [img["src"] for img in seen.select("img")] == [
        f"data:image/png;base64,{PNG}"
    ]
    assert "fake" in seen.get_text()


def test_what_is_endless_is_cut():
    notebook = made.replaced(made.empty(LAB), "claim-answer", "word " * 10**6)
    out = new_output("stream", name="stdout", text="x" * 10**7)
    notebook.cells[made.at(notebook, "scores-check")].outputs = [out]
    html = feedback.page(notebook, COPY, student="a", grades={}, comments={})
    assert len(html) < 3 * feedback.MOST + 10**5
    assert html.count("cut here") == 2


def test_what_is_just_short_enough_is_not_cut():
    notebook = made.replaced(made.empty(LAB), "claim-answer", "w" * feedback.MOST)
    html = feedback.page(notebook, COPY, student="a", grades={}, comments={})
    assert "w" * feedback.MOST in html
    assert "cut here" not in html


def test_outputs_are_shown_as_text_without_their_colours():
    notebook = made.filled(LAB)
    cell = notebook.cells[made.at(notebook, "scores-check")]
    cell.outputs = [
        new_output("stream", name="stdout", text="\x1b[31mred\x1b[0m\n\n"),
        new_output("error", ename="E", evalue="went \x1b[1;4mwrong", traceback=["-"]),
        new_output("execute_result", data={"text/plain": "2 < 3"}),
        new_output("display_data", data={}),
    ]
    outputs = [each.get_text() for each in page(notebook).select("pre.output")]
    assert outputs == ["red", "went wrong", "2 < 3", ""]


def test_answers_have_a_heading_and_other_cells_have_none():
    seen = page(made.filled(LAB), grades={"ghost": feedback.Grade(0, 1, waits=True)})
    solutions = [c.id for c in COPY.cells if _is_solution(c)]
    headed = [h.find_parent("section") for h in seen.select("section > h3")]
    assert [each["id"] for each in headed] == solutions
    assert {h.get_text() for h in seen.select("section > h3")} == {"Your answer"}


def _is_solution(cell):
    return cell.metadata.get("nbgrader", {}).get("solution")


def test_the_title_is_that_of_the_lab_and_of_nothing_after_it():
    title = COPY.cells[0].source.split("\n")[0].removeprefix("# ")
    assert title in page(made.empty(LAB)).title.get_text()
    nameless = made.empty(LAB)
    nameless.cells[:1] = [new_markdown_cell("No heading"), new_markdown_cell("# Two")]
    html = feedback.page(nameless, nameless, student="a", grades={}, comments={})
    assert "Feedback" in BeautifulSoup(html, "html.parser").title.get_text()


@pytest.mark.parametrize(
    ("url", "leads"),
    [
        ("https://a.test/x", True),
        ("HTTP://a.test", True),
        ("mailto:a@b.test", True),
        ("#here", True),
        ("file:///etc/passwd", False),
        ("data:text/html,x", False),
        ("//a.test", False),
    ],
)
def test_a_link_leads_to_a_page_or_nowhere(url, leads):
    notebook = made.replaced(made.empty(LAB), "claim-answer", f"[there]({url})")
    (link,) = page(notebook).select("section#claim-answer a[href]")
    assert link.get_text() == "there"
    assert link["href"] == (url if leads else "#")


def test_formulas_are_mathml_and_what_is_none_stays_as_it_was_written():
    notebook = made.replaced(made.empty(LAB), "claim-answer", r"$x^2$, $\nonsense{$")
    grades = {"claim-answer": feedback.Grade(0.0, 2, waits=True)}
    answer = page(notebook, grades=grades).select_one("section#claim-answer")
    assert len(answer.select("math")) == 1
    assert answer.select_one("code").get_text() == r"\nonsense{"


@pytest.mark.parametrize(
    ("text", "display"),
    [
        ("so $x^2$ is", None),
        ("$$x^2$$", "block"),
        (r"\begin{align}x^2\end{align}", "block"),
    ],
)
def test_a_formula_stands_in_the_line_or_by_itself(text, display):
    notebook = made.replaced(made.empty(LAB), "claim-answer", text)
    (formula,) = page(notebook).select("section#claim-answer math")
    assert formula.get("display") == display


def test_a_typo_in_a_name_is_told_in_words():
    """The marking judges what stands for the value, which is a tuple."""
    assert kind(values.Other("list")) == "a list"
    words = "NameError: name 'scors' is not defined"
    assert kind(values.Other(words)) == f"an error: {words}"
    assert kind((1, 2)) == "a tuple of 2"
