"""``make room``: what is counted, what is not believed, and what the page shows."""

import importlib
import json
import os
import re
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup

from labchecks import errors, predictions, room, verdicts, words
from labchecks import lab01 as checks
from teaching import __main__ as command
from teaching import labs, marking
from teaching.execute_notebook import AS_STORED
from teaching.room import lines, page, tally
from tests import ROOT

KNOWN = lines.labs(labs.read())
IDS = [f"{number:016x}" for number in range(40)]
NOW = int(time.time()) - 3600
FIRST, SECOND = "Exercise 1.1, gd_factorise_ad", "Exercise 1.2, svd_loss"
RIGHT, WRONG = "right", "not right yet"
HINT = "The loss is a sum, not a mean."


class Class:
    """A folder in which sessions write; each line is some minutes after the last."""

    def __init__(self, folder):
        self.folder, self.clock = folder, dict.fromkeys(IDS, NOW)

    def say(self, session, exercise, state, *, minutes=1, hint="", option=None):
        self.clock[IDS[session]] += round(60 * minutes)
        said = json.loads(room.line(exercise, state, hint=hint, option=option))
        said |= {"session": IDS[session], "time": self.clock[IDS[session]]}
        self.write(session, json.dumps(said) + "\n")

    def vote(self, session, question, option, *, lab="01", state="noted"):
        about = f"Prediction {question}, lab {lab}"
        self.say(session, about, state, option=option)

    def write(self, session, text):
        with (self.folder / f"{IDS[session]}.jsonl").open("a") as file:
            file.write(text)

    def here(self, lab="01"):
        return tally.sessions(lines.read(self.folder, KNOWN), lab)


@pytest.fixture
def class_(tmp_path):
    return Class(tmp_path)


# --- What is known of a lab ----------------------------------------------------------


@pytest.mark.parametrize("number", KNOWN)
def test_every_exercise_and_prediction_of_a_lab_is_known(number):
    lab = importlib.import_module(f"labchecks.lab{number}")
    exercises = {f"{k}, {name}" for k, (name, _) in KNOWN[number].exercises.items()}
    stated = [x for x in vars(lab).values() if hasattr(x, "stated")]
    places = {f"{x.place.split()[-1]}, {x.__name__}" for x in stated}
    assert exercises <= places  # a bug that is to be found has a check of its own
    assert {p.split(",")[0] for p in places} == KNOWN[number].exercises.keys()
    assert KNOWN[number].questions.keys() == lab.prediction.questions.keys()
    for title, _ in KNOWN[number].questions.values():
        assert title
        assert not re.search("^#|Predict: |[$]", title)
    assert all(0 < minutes < 60 for _, minutes in KNOWN[number].exercises.values())


def test_the_real_checks_are_understood(tmp_path, monkeypatch):
    for memory, empty in ("_noted", {}), ("_told", set()):
        monkeypatch.setattr(predictions, memory, empty)
    monkeypatch.setattr(verdicts, "_session", {})
    monkeypatch.setenv(room.VARIABLE, str(tmp_path))
    wrong = checks.svd_loss(lambda A, rank: 7.0)
    checks.prediction("starts", 198)
    checks.outcome("starts")
    checks.complete(None)
    found = [line[2:] for line in lines.read(tmp_path, KNOWN)]
    assert found == [
        ("01", "1.2", WRONG, words.key(wrong.hint), None),
        ("01", "starts", "noted", None, "200"),
        ("01", "starts", "right", None, "200"),
        ("01", "1.4", "not begun", None, None),
    ]


def test_the_words_of_each_slip_are_found_by_its_key():
    known, missing = words.by_key(), []
    for number in KNOWN:
        lab = importlib.import_module(f"labchecks.lab{number}")
        tested = importlib.import_module(f"tests.answers.lab{number}").EXERCISES
        for exercise in tested:
            check = getattr(lab, exercise.name)
            for _, items in check.stated(np.random.default_rng(1), exercise.given):
                for item in items:
                    hints = [key[0] for key, _, _ in item.known()]
                    hints += [getattr(item, "otherwise", ""), getattr(item, "hint", "")]
                    hints = {getattr(hint, "text", hint) for hint in hints} - {""}
                    missing += [h for h in hints if known.get(words.key(h)) != h]
    assert len(known) > 500
    assert missing == []


# --- Counting ------------------------------------------------------------------------


def test_the_last_state_of_each_session_counts(class_):
    class_.say(0, FIRST, WRONG)
    class_.say(0, FIRST, RIGHT)
    class_.say(1, FIRST, RIGHT)
    class_.say(1, FIRST, WRONG)
    class_.say(2, FIRST, "not begun")
    class_.say(3, SECOND, RIGHT)
    class_.say(4, "Exercise 2.1, pca_scores", RIGHT)  # of another lab
    assert tally.standing(class_.here(), "1.1")[:3] == (1, 1, 2)
    assert tally.standing(class_.here(), "1.2")[:3] == (1, 0, 3)
    assert tally.standing(class_.here("02"), "2.1")[:3] == (1, 0, 0)


def test_the_commonest_hint_is_that_of_those_who_are_not_right_now(class_):
    for session in range(4):
        class_.say(session, FIRST, WRONG, hint=HINT)
    for session in range(3):
        class_.say(session, FIRST, RIGHT)
    assert tally.standing(class_.here(), "1.1")[3:5] == (None, 0)  # of one alone
    for session in (4, 5):
        class_.say(session, FIRST, WRONG, hint="Square each difference, then add up.")
    standing = tally.standing(class_.here(), "1.1")
    assert words.by_key()[standing.hint] == "Square each difference, then add up."
    assert (standing.hints, standing.wrong) == (2, 3)


def test_a_vote_is_the_last_option_of_each_session(class_):
    for session, option in enumerate("aabbc"):
        class_.vote(session, "uncleared", option)
    class_.vote(0, "uncleared", "c")
    class_.vote(0, "uncleared", "c", state="right")
    count = tally.votes(class_.here(), "uncleared", ["a", "b", "c"])
    assert count == {"a": 1, "b": 2, "c": 2}


def test_minutes_are_the_median_of_those_who_are_right(class_):
    for session, minutes in enumerate([4, 6, 11]):
        class_.vote(session, "uncleared", "a")
        class_.say(session, FIRST, WRONG, minutes=minutes - 1)
        class_.vote(session, "converged", "a")  # its minute is not of the exercise
        class_.say(session, FIRST, RIGHT, minutes=1)
        class_.say(session, FIRST, RIGHT, minutes=9)  # checked once more
    class_.say(3, "Exercise 1.3, largest_lr_factorisation", WRONG)
    class_.say(3, FIRST, WRONG, minutes=1)  # not right
    assert tally.standing(class_.here(), "1.1").minutes == 6


@pytest.mark.parametrize(
    ("gaps", "known"),
    [
        ([10], 10),
        ([10, 25], 35),
        ([40], None),  # a break
        ([10, 40], None),
        ([30], 30),
        ([30.1], None),
        ([0.1], None),  # a lab that was run again
        ([19 / 60], None),
        ([20 / 60], 20 / 60),
        ([0.1, 0.1, 3], 3.2),
    ],
)
def test_neither_a_break_nor_a_second_run_counts_as_work(class_, gaps, known):
    class_.vote(0, "uncleared", "a")
    for gap in gaps[:-1]:
        class_.say(0, FIRST, WRONG, minutes=gap)
    class_.say(0, FIRST, RIGHT, minutes=gaps[-1])
    (found,) = class_.here().values()
    assert tally.minutes(found, "1.1") == (known and pytest.approx(known))


def test_minutes_need_a_line_before_and_three_sessions(class_):
    class_.say(0, FIRST, RIGHT)
    for session in range(2):
        class_.say(session, FIRST, RIGHT, minutes=5)
        class_.say(session, SECOND, RIGHT, minutes=5)
    assert [tally.minutes(each, "1.1") for each in class_.here().values()] == [None] * 2
    assert [tally.minutes(each, "1.2") for each in class_.here().values()] == [5, 5]
    assert tally.standing(class_.here(), "1.2").minutes is None


def test_the_median_is_that_of_all_who_are_right(class_):
    for session, minutes in enumerate([2, 4, 8, 16, 25]):
        class_.vote(session, "uncleared", "a")
        class_.say(session, FIRST, RIGHT, minutes=minutes)
    assert tally.standing(class_.here(), "1.1").minutes == 8


def test_the_page_opens_on_the_lab_that_most_are_at(class_):
    for session in range(3):
        class_.say(session, FIRST, RIGHT)
        class_.say(session, SECOND, RIGHT)
    for session in range(2, 6):
        class_.vote(session, "centre", "b", lab="02")
    found = lines.read(class_.folder, KNOWN)
    assert tally.liveliest(found) == "02"
    assert tally.liveliest([x for x in found if x.session in IDS[:3]]) == "01"
    assert tally.liveliest([]) is None
    assert "02 Compare it" in text_of(shown(class_))
    assert "01 Factorise" in text_of(shown(class_, lab="01"))


def test_of_two_checks_in_a_cell_the_last_one_counts():
    known = {"01": KNOWN["01"]._replace(exercises={"1.2": ("svd_loss", 5)})}
    first = room.line("Exercise 1.2, bug_found", RIGHT)
    second = room.line(SECOND, RIGHT)
    states = [lines.parsed(text, room.SESSION, known).state for text in (first, second)]
    assert states == [WRONG, RIGHT]


# --- Whatever lies in the folder -----------------------------------------------------

GOOD = json.loads(room.line(FIRST, WRONG, hint=HINT)) | {"session": IDS[0]}
VOTE = json.loads(room.line("Prediction uncleared, lab 01", "noted", option="a"))
VOTE["session"] = IDS[0]
SCRIPT = "<script>alert(1)</script>"
ODD = [
    "",
    "{",
    "[1, 2]",
    "null",
    "17",
    '"right"',
    "[" * 100_000,
    json.dumps(GOOD)[:40],
    json.dumps({k: v for k, v in GOOD.items() if k != "time"}),
    *(json.dumps(GOOD | {name: SCRIPT}) for name in GOOD if name != "hint"),
    *(json.dumps(VOTE | {name: SCRIPT}) for name in VOTE if name != "hint"),
    *(json.dumps(GOOD | {name: [1]}) for name in GOOD),
    json.dumps(GOOD | {"exercise": "Exercise 9.9, f"}),
    json.dumps(GOOD | {"exercise": "Exercise 1.1, <b>"}),
    json.dumps(GOOD | {"exercise": "Prediction nothing, lab 01", "option": "a"}),
    json.dumps(GOOD | {"session": IDS[1]}),
    json.dumps(GOOD | {"option": "a"}),
    json.dumps(GOOD | {"time": 1e400}),
    json.dumps(GOOD | {"time": True}),
    json.dumps(VOTE | {"option": "e"}),
    json.dumps(VOTE | {"option": None}),
]


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_a_line_that_no_check_wrote_is_passed_over(class_, text):
    class_.write(0, json.dumps(GOOD) + "\n" + text + "\n" + json.dumps(VOTE) + "\n")
    class_.write(0, json.dumps(GOOD)[:50])  # half a line: it is still being written
    found = lines.read(class_.folder, KNOWN)
    assert [line.about for line in found] == ["1.1", "uncleared"]
    assert "<script" not in shown(class_)


def test_other_files_are_passed_over(class_):
    class_.say(0, FIRST, RIGHT)
    text = (class_.folder / f"{IDS[0]}.jsonl").read_text()
    for name in ("notes.txt", "x.jsonl", f"{IDS[1]}.json", f"{IDS[1]}.jsonl.bak"):
        (class_.folder / name).write_text(text)
    (class_.folder / f"{IDS[2]}.jsonl").mkdir()
    (class_.folder / f"{IDS[3]}.jsonl").write_bytes(b"\xff\xfe\x00\n" * 9)
    (class_.folder / f"{IDS[4]}.jsonl").symlink_to("nowhere")
    if hasattr(os, "mkfifo"):
        os.mkfifo(class_.folder / f"{IDS[5]}.jsonl")
    assert len(lines.read(class_.folder, KNOWN)) == 1


def test_a_huge_file_is_not_read_to_its_end(class_):
    class_.say(0, FIRST, RIGHT)
    class_.write(0, "x" * lines.MOST_BYTES + "\n")
    class_.say(0, SECOND, RIGHT)
    assert len(lines.read(class_.folder, KNOWN)) == 1


def test_of_too_many_sessions_the_last_are_read(class_, monkeypatch):
    monkeypatch.setattr(lines, "MOST_FILES", 1)
    for number in range(4):
        class_.say(number, FIRST, RIGHT)
    later = time.time() + 60
    for last in range(4):
        os.utime(class_.folder / f"{IDS[last]}.jsonl", (later + last,) * 2)
        assert set(class_.here()) == {IDS[last]}


def test_a_long_session_is_read_whole(class_):
    """Somebody who runs a lab all day, with a hint each time: a thousand lines."""
    class_.write(0, (json.dumps(GOOD) + "\n") * 1000)
    assert len(lines.read(class_.folder, KNOWN)) == 1000


def test_no_more_files_are_read_than_a_course_has_sessions(class_, monkeypatch):
    monkeypatch.setattr(lines, "MOST_FILES", 3)
    for session in range(5):
        class_.say(session, FIRST, RIGHT)
    assert len(lines.read(class_.folder, KNOWN)) == 3


def test_a_file_that_cannot_be_opened_hides_no_other(class_, monkeypatch):
    for session in range(3):
        class_.say(session, FIRST, RIGHT)
    first, opened = f"{IDS[0]}.jsonl", Path.open

    def fail(path, *args, **kwargs):
        if path.name == first:
            raise PermissionError(path)
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", fail)
    monkeypatch.setattr(
        Path, "iterdir", lambda path: (path / f"{x}.jsonl" for x in IDS)
    )
    assert len(lines.read(class_.folder, KNOWN)) == 2


def test_the_lines_of_last_week_are_passed_over(class_):
    class_.say(0, FIRST, RIGHT)
    assert len(lines.read(class_.folder, KNOWN, since=NOW)) == 1
    assert lines.read(class_.folder, KNOWN, since=NOW + 3600) == []
    assert "1 session" in shown(class_)
    assert "No check has been run" in shown(class_, hours=0.1)


# --- The page ------------------------------------------------------------------------


def shown(class_, **options):
    return page.render(class_.folder, KNOWN, **options)


def text_of(html):
    return re.sub(r"\s+", " ", BeautifulSoup(html, "html.parser").body.get_text())


@pytest.fixture
def busy(class_):
    """Return a class of thirty in lab 01, and two sessions in lab 02."""
    for session in range(30):
        class_.vote(session, "uncleared", "abc"[session % 3])
        if session < 25:
            class_.say(session, FIRST, WRONG, minutes=3, hint=HINT)
        if session < 12:
            class_.say(session, FIRST, RIGHT, minutes=4)
    for session in (30, 31):
        class_.vote(session, "centre", "b", lab="02")
    return class_


def test_the_page_says_where_the_class_is(busy):
    text = text_of(shown(busy))
    assert "01 Factorise a matrix" in text
    assert "30 sessions" in text
    assert f"1.1 ✓ 12 ✗ 13 ○ 5 7 min (10) 13 of 13: {HINT}" in text
    assert "1.2 ✓ 0 ✗ 0 ○ 30 – (10)" in text
    assert "a descent that never clears show the answer a 10 b 10 c 10" in text
    assert "900 more epochs no votes yet" in text
    assert "02 Compare it" in text_of(shown(busy, lab="02"))


def test_the_right_answer_is_hidden_until_it_is_asked_for(busy):
    hidden = shown(busy)
    assert "✓" not in hidden.split("Votes")[1]
    (link,) = BeautifulSoup(hidden, "html.parser").select(".vote a")
    assert link["href"] == "?lab=01&show=uncleared"
    told = shown(busy, lab="01", shown=["uncleared"])
    assert "a 10 b 10 c ✓ 10" in text_of(told)
    (link,) = BeautifulSoup(told, "html.parser").select(".vote a")
    assert (link.get_text(), link["href"]) == ("hide the answer", "?lab=01")
    assert not re.search("uncleared.*class=.true", hidden)
    both = shown(busy, lab="01", shown=["converged", "uncleared"])
    links = [
        each["href"] for each in BeautifulSoup(both, "html.parser").select(".vote a")
    ]
    assert links == ["?lab=01&show=converged"]  # hides one, and not the other


def test_hints_without_a_key_are_not_counted_and_unknown_ones_called_so(class_):
    for session in range(5):
        class_.say(
            session, FIRST, WRONG, hint="It calls ada, which is not written yet."
        )
    assert " of 5" not in text_of(shown(class_))
    for session in range(2):
        class_.say(session, FIRST, WRONG, hint=HINT)
    assert f"2 of 5: {HINT}" in text_of(shown(class_))
    for session in range(2):
        text = room.line(FIRST, WRONG, hint=HINT).replace(room.SESSION, IDS[session])
        later = re.sub(r"\d+}", f"{NOW + 3000}}}", text)
        class_.write(session, later.replace(words.key(HINT), "0123456789"))
    assert "2 of 5: a hint that this copy of the pack" in text_of(shown(class_))


def test_what_is_asked_of_the_page_is_not_believed_either(busy):
    for options in {"lab": SCRIPT}, {"shown": [SCRIPT]}, {"lab": "99"}:
        html = shown(busy, **options)
        assert "<script" not in html
        assert "30 sessions" in html


@pytest.mark.parametrize("there", ["an empty folder", "no folder"])
def test_without_a_line_the_page_says_so(there, class_):
    if there == "no folder":
        class_.folder.rmdir()
    assert "No check has been run" in text_of(shown(class_))


# --- The server ----------------------------------------------------------------------


@pytest.fixture
def address(busy):
    server = page.server(busy.folder, KNOWN)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://{page.HOST}:{server.server_port}/"
    server.shutdown()
    server.server_close()


def get(address, **headers):
    try:
        with urllib.request.urlopen(
            urllib.request.Request(address, headers=headers)
        ) as it:
            return SimpleNamespace(status=it.status, headers=it.headers, text=it.read())
    except urllib.error.HTTPError as error:
        return SimpleNamespace(status=error.code)


def test_the_server_listens_to_this_machine_alone(busy):
    server = page.server(busy.folder, KNOWN)
    with server:
        assert server.server_address[0] == "127.0.0.1"
        with pytest.raises(ValueError, match="port must be a free one, got"):
            page.server(busy.folder, KNOWN, port=server.server_port)
    with pytest.raises(ValueError, match="got 70000"):
        page.server(busy.folder, KNOWN, port=70_000)


def test_the_page_may_load_nothing_and_run_nothing(address):
    answer = get(address)
    policy = answer.headers["Content-Security-Policy"]
    nonce = re.search("style-src 'nonce-([0-9a-f]+)'", policy)[1]
    assert policy.startswith("default-src 'none'; ")
    assert "script" not in policy
    soup = BeautifulSoup(answer.text, "html.parser")
    assert [tag["nonce"] for tag in soup.select("style")] == [nonce]
    assert not soup.select("script, link, img, iframe, [style], [src], [onclick]")
    assert answer.headers["Cache-Control"] == "no-store"


def test_another_address_or_another_name_is_not_served(address):
    assert get(address).status == 200
    assert get(address, Host="localhost:8000").status == 200
    assert get(address, Host="example.org").status == 404
    assert get(f"{address}../Makefile").status == 404
    assert get(f"{address}{IDS[0]}.jsonl").status == 404


@pytest.mark.parametrize("size", [(1440, 900), (1920, 1080)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_read_from_the_last_row(chromium, address, size, scheme):
    """All fits without scrolling; numbers and hints are a fortieth of the height."""
    view = {"width": size[0], "height": size[1]}
    context = chromium.new_context(viewport=view, color_scheme=scheme)
    tab, said = context.new_page(), []
    tab.on("console", lambda message: said.append(message.text))
    try:
        tab.goto(address)
        sizes = {
            name: tab.evaluate(
                "s => parseFloat(getComputedStyle(document.querySelector(s)).fontSize)",
                name,
            )
            for name in (".counts", ".hint", ".vote dd", ".minutes")
        }
        assert min(sizes.values()) >= size[1] / 40
        page_size = tab.evaluate(
            "() => [document.documentElement.scrollWidth,"
            " document.documentElement.scrollHeight]"
        )
        assert page_size == [*size]
        filled = tab.evaluate(
            "() => getComputedStyle(document.querySelector('rect.right')).fill"
        )
        assert filled != "rgb(0, 0, 0)"  # the style is let through
        found = Axe().run(tab, options={"rules": {"meta-refresh": {"enabled": False}}})
        assert [each["id"] for each in found.response["violations"]] == []
        tab.get_by_text("show the answer").click()
        tab.wait_for_selector("dt.true")
        assert tab.locator("dt.true").inner_text() == "c ✓"
        assert said == []
    finally:
        context.close()


@pytest.mark.parametrize("number", KNOWN)
def test_the_fullest_page_needs_no_scrolling(chromium, class_, number):
    """All votes are taken, and each exercise has one of the longest hints."""
    hint = errors.UNRECORDED.text
    assert words.by_key()[words.key(hint)] == hint
    for session in range(2):
        for exercise, (name, _) in KNOWN[number].exercises.items():
            class_.say(session, f"Exercise {exercise}, {name}", WRONG, hint=hint)
        for name, (_, question) in KNOWN[number].questions.items():
            class_.vote(session, name, question.options[0], lab=number)
    for width, height in (1440, 900), (1920, 1080):
        tab = chromium.new_page(viewport={"width": width, "height": height})
        tab.set_content(shown(class_, shown=KNOWN[number].questions))
        assert tab.locator(".hint").count() == len(KNOWN[number].exercises)
        assert tab.evaluate("() => document.documentElement.scrollHeight") == height
        tab.close()


def test_the_page_is_drawn_anew_by_itself(chromium, address, busy, monkeypatch):
    monkeypatch.setattr(page, "REFRESH", 1)
    context = chromium.new_context()
    tab = context.new_page()
    try:
        tab.goto(f"{address}?lab=01&show=uncleared")
        busy.vote(33, "uncleared", "c")
        tab.get_by_text("31 sessions").wait_for(timeout=15_000)
        assert tab.locator("dt.true").inner_text() == "c ✓"  # it stays shown
    finally:
        context.close()


# --- The command ---------------------------------------------------------------------


def test_without_a_folder_of_ones_own_one_is_made_that_git_and_clean_know(
    tmp_path, monkeypatch
):
    monkeypatch.delenv(room.VARIABLE, raising=False)
    made = page.folder(tmp_path)
    assert made.is_dir()
    assert made == page.folder(tmp_path)
    name = made.relative_to(tmp_path).as_posix()
    assert f"/{name}/" in (ROOT / ".gitignore").read_text().split()
    clean = (ROOT / "Makefile").read_text().split("\nclean:")[1].split("\n\n")[0]
    assert name in re.search("rm -rf (.*)", clean)[1].split()


def test_what_is_no_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv(room.VARIABLE, str(tmp_path))
    assert page.folder(ROOT) == tmp_path
    monkeypatch.setenv(room.VARIABLE, str(tmp_path / "none"))
    with pytest.raises(ValueError, match="AUTOGRAD_LABS_ROOM must name a folder, got"):
        page.folder(ROOT)


def test_the_command_says_what_to_set_and_where_to_look(tmp_path, monkeypatch, capsys):
    def stop(*_):
        raise KeyboardInterrupt  # Ctrl-C

    monkeypatch.setenv(room.VARIABLE, str(tmp_path))
    monkeypatch.setattr(page.ThreadingHTTPServer, "serve_forever", stop)
    assert command.main(["room"]) == 0
    said = capsys.readouterr().out
    assert f"\n    AUTOGRAD_LABS_ROOM={tmp_path}\n" in said
    assert re.search(r"\n    http://127\.0\.0\.1:\d+/\n", said)
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv(room.VARIABLE, str(tmp_path / "a file"))
    assert "Nothing is shown: AUTOGRAD_LABS_ROOM must name" in command.main(["room"])


# --- Who is no class at work ---------------------------------------------------------


def test_marking_forgets_the_room_in_each_of_its_processes(tmp_path, monkeypatch):
    """Each module of marking comes with its package, which a process imports first."""
    monkeypatch.setenv(room.VARIABLE, str(tmp_path))
    importlib.reload(marking)
    assert room.VARIABLE not in os.environ


def test_neither_tests_nor_what_is_stored_tell_of_a_class():
    assert room.VARIABLE not in os.environ  # conftest.py has taken it out
    assert AS_STORED[room.VARIABLE] == ""
    verbs = (ROOT / "teaching/verbs.mk").read_text(encoding="utf-8")
    assert re.search(rf"^AS_STORED := .* {room.VARIABLE}=$", verbs, re.M)
