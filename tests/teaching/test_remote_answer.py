"""Values cross from process to process, and answers are judged by what crosses.

Here both sides are in one process; ``test_run_notebook`` has kernels.
"""

import base64
import contextlib
import importlib
import inspect
import json
import queue
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from labchecks import hunts, lab01, lab02, lab05
from labchecks.cases import near
from labchecks.given import Waves
from labhelpers import descent, linalg
from teaching.marking import answering, mark_class, remote_answer, values
from tests import ROOT, answers

# --- Values --------------------------------------------------------------------------

CROSSING = [
    *(None, ..., True, "text", -3, 10**30, 0.1, float("inf"), np.float32(2.5)),
    *((1, [2.0, None]), np.arange(6.0).reshape(2, 3), np.zeros((0, 2)), np.array(7)),
    *(torch.eye(2), torch.zeros(0, 3), torch.tensor(3), torch.tensor([True, False])),
    *(np.int64(3), np.arange(6).reshape(2, 3).T[:, ::-1], torch.arange(6.0)[::2]),
    *(np.arange(6).reshape(2, 3).T, torch.arange(6).reshape(2, 3).T),
]


@pytest.mark.parametrize("value", CROSSING, ids=repr)
def test_values_cross_as_they_are(value):
    back = values.unpack(json.loads(json.dumps(values.pack(value))))
    assert type(back) is type(value)
    if isinstance(value, torch.Tensor | np.ndarray):
        assert back.dtype == value.dtype
        assert back.shape == value.shape
        assert (back == value).all()
    else:
        assert back == value


def test_what_is_too_long_does_not_cross(monkeypatch):
    monkeypatch.setattr(values, "MOST_ITEMS", 3)
    assert values.unpack(values.pack([1, 2, 3])) == [1, 2, 3]
    assert values.unpack(values.pack([1, 2, 3, 4])) == values.Other("list")
    assert values.unpack(values.pack(((1,) * 4, 5))) == (values.Other("tuple"), 5)
    four = {"is": "list", "items": [values.pack(1)] * 4}
    with pytest.raises(ValueError, match="packed must be"):
        values.unpack(four)


def nested(depth):
    value = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_what_is_too_deep_does_not_cross():
    most, packed = nested(values.MOST_DEPTH), {"is": "list", "items": []}
    assert values.unpack(values.pack(most)) == most
    assert "Other(kind='list')" in str(values.unpack(values.pack([most])))
    for _ in range(values.MOST_DEPTH):
        packed = {"is": "list", "items": [packed]}
    with pytest.raises(ValueError, match="at most 30 deep"):
        values.unpack(packed)


def test_a_reply_is_written_and_read():
    reply = {"value": values.pack(torch.eye(3)), "text": "'\"\\ü"}
    assert values.read(values.write(reply)) == reply


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"[" * 10**5, "nested so deeply"),
        (b"[" + b"[]," * values.MOST_PARTS + b"0]", "parts"),
        (b"{" + b'"a":1,' * values.MOST_PARTS + b"}", "parts"),
        (b"x" * values.MOST_TEXT, "characters"),
        (b"{'is': 'tuple'}", "Expecting"),
    ],
    ids=["deep", "items", "names", "long", "no JSON"],
)
def test_a_forged_reply_is_refused_before_it_fills_the_memory(raw, why):
    text = base64.b64encode(raw).decode()
    tracemalloc.start()
    with pytest.raises(ValueError, match=why):
        values.read(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * len(raw) + 10**6


def test_a_reply_that_is_no_text_of_ours_is_refused():
    for text in ["[" + "1," * 10**6 + "]", "{'a': 1}", "a b", "a\nb"]:
        with pytest.raises(ValueError, match="text must be what write returns"):
            values.read(text)


def test_names_that_a_kernel_forged_are_not_taken():
    names = ["training.factorise", "<script>", "a b", "x" * 101, ["y"], 3.5]
    names = remote_answer._names(names + ["z"] * 999)
    assert set(names) == {"training.factorise", "z", "3.5"}
    assert len(names) < 100


def test_a_graph_is_seen_and_a_generator_goes_on():
    leaf = torch.ones(2, requires_grad=True)
    assert values.unpack(values.pack(2 * leaf)).requires_grad
    draw = torch.Generator().manual_seed(3)
    other = values.unpack(values.pack(draw))
    assert torch.equal(torch.rand(3, generator=draw), torch.rand(3, generator=other))


@pytest.mark.parametrize(
    "forged",
    [
        {},
        {"is": "code", "value": "1"},
        {"is": "tensor", "dtype": "load", "shape": [1], "data": "", "grad": False},
        {"is": "array", "dtype": "O", "shape": [1], "data": "AAAAAAAAAAA="},
        {"is": "array", "dtype": "<f8", "shape": [9], "data": "AAAAAAAAAAA="},
        {"is": "int", "value": [1]},
        {"is": "int", "value": "0x" + "f" * 20_000},
        {"is": "plain", "value": [[[]]]},
        {"is": "plain", "value": 1e9},
        {"is": "list", "items": "abc"},
        {"is": "function", "parameters": [["a", 1, False]] * 31},
        {"is": "array", "dtype": "<f8", "shape": [0, 10**18], "data": ""},
        {"is": "array", "dtype": "<f8", "shape": [-1], "data": "AAAAAAAAAAA="},
        {"is": "tensor", "dtype": "uint8", "shape": [0, 10**18], "data": ""}
        | {"grad": False},
        {"is": "scalar", "dtype": "<f8", "shape": [1] * 31, "data": "AAAAAAAAAAA="},
    ],
)
def test_what_nobody_packed_is_refused(forged):
    with pytest.raises(ValueError, match="pack|reshape|buffer|array|shape"):
        values.unpack(forged)


# --- Answers -------------------------------------------------------------------------


def exercises():
    """Return pairs of a lab's number and one of its exercises on functions."""
    for path in sorted((ROOT / "tests" / "answers").glob("lab[0-9][0-9].py")):
        module = importlib.import_module(f"tests.answers.{path.stem}")
        for exercise in module.EXERCISES:
            if isinstance(exercise.right[0], str):
                yield path.stem[3:], exercise


class Here:
    """Asks in this process; ``names`` are those of a kernel. It counts what it asks."""

    silent = False

    def __init__(self, **names):
        self.names, self.requests, self.entered = names, [], set()

    def limit(self, seconds):
        pass

    def ask(self, request):
        self.requests.append(request)
        reply = values.read(answering.reply(self.names, json.dumps(request)))
        if "error" in reply:
            raise remote_answer._error(*reply["error"])
        return reply

    answer = remote_answer.Asker.answer


def judged(check, answer, given=(), seeds=(5,)):
    """Return the verdict on an answer that is asked for as if it were elsewhere."""
    question = remote_answer.Question("check", "answer", ())
    asker = Here(answer=answer)
    return remote_answer.judge(asker, check, question, given, seeds=seeds, seconds=60)


def cases():
    for number, exercise in exercises():
        check = getattr(remote_answer.checks_of(number), exercise.name)
        wrong = [changes for changes, _ in exercise.wrong][::4]
        for i, source in enumerate(exercise.right + wrong):
            right = i < len(exercise.right)
            name = f"{number}-{exercise.name}-{i}"
            source = answers.changed(exercise.right[0], source)
            yield pytest.param(check, source, exercise.given, right, id=name)


@pytest.mark.parametrize(("check", "source", "given", "right"), list(cases()))
def test_every_answer_is_judged_from_afar_as_it_is_near(check, source, given, right):
    assert bool(judged(check, answers.written(source), given)) is right


def broken(A, rank):
    return 1 / 0


def unwritten(A, rank):
    raise NotImplementedError


def calling(A, rank):
    return unwritten(A, rank)


@pytest.mark.parametrize("answer", [broken, unwritten, calling])
def test_an_error_is_told_from_afar_as_it_is_near(answer):
    assert repr(judged(lab01.svd_loss, answer)) == repr(lab01.svd_loss(answer, seed=5))


BY_PRODUCT = "def f(A, B, images):\n    rest = images - images @ (A @ B).T\n"
BY_PRODUCT += "    return (rest**2).sum() / (2 * len(images))"
WHOLE = "def f(U, V):\n    P, s, _ = np.linalg.svd(U @ V.T)\n    k = U.shape[1]\n"
WHOLE += "    return P[:, :k] * s[:k]"


@pytest.mark.parametrize(
    ("check", "source", "seen"),
    [
        (lab05.minibatch_loss, BY_PRODUCT, "multiplications for 5 pictures"),
        (lab02.scores_from_factors, WHOLE, "a matrix as large as the product"),
    ],
)
def test_what_an_answer_costs_is_measured_where_it_runs(check, source, seen):
    assert seen in judged(check, answers.written(source)).seen


def test_a_call_is_measured_only_if_that_is_asked_for():
    asker = Here(answer=lambda A: A @ A)
    remote = asker.answer("answer")
    assert torch.equal(remote(torch.eye(3)), torch.eye(3))
    assert not asker.requests[-1]["measure"]
    result, multiplications, peak = remote.measured(torch.eye(3))
    assert torch.equal(result, torch.eye(3))
    assert (multiplications, peak > 0) == (27, True)


def calls(answer, *args, measured=False):
    """Return the names of what an answer calls of the package."""
    asker = Here(answer=answer)
    remote = asker.answer("answer")
    (remote.measured if measured else remote)(*args)
    return asker.entered


def test_what_an_answer_calls_of_the_package_is_seen():
    A = np.arange(6.0).reshape(2, 3)

    def floor(A):
        return linalg.eckart_young_floor(A, 1)

    found = {"linalg.eckart_young_floor"}  # and nothing that this calls in turn
    assert calls(floor, A) == calls(floor, A, measured=True) == found
    assert calls(linalg.second_moment, A) == {"linalg.second_moment"}
    assert calls(lambda A: [*map(floor, [A])], A) == found
    assert calls(lambda A: near(A, A, 1, 1), A) == {"labchecks.cases.near"}
    assert calls(lambda A: descent.uniform(2, generator=torch.Generator()), A) == {
        "descent.uniform"
    }
    assert calls(lambda A: np.linalg.svd(A)[1], A) == set()
    assert calls(lambda f: f(torch.ones(2)), Waves([[1.0, 2.0]])) == set()
    assert sys.getprofile() is None


def test_what_a_loss_calls_within_the_package_is_the_answers():
    def answer(A):
        def loss(x):
            return (x**2).sum() + 0 * linalg.eckart_young_floor(A, 1)

        return descent.descend(loss, [torch.ones(2)], lr=0.1, steps=2).losses

    assert calls(answer, np.eye(2)) >= {"descent.descend", "linalg.eckart_young_floor"}


def test_a_thread_of_an_answer_is_watched():
    def answer(A):
        with ThreadPoolExecutor(1) as one:
            return one.submit(linalg.eckart_young_floor, A, 1).result()

    assert calls(answer, np.eye(2)) == {"linalg.eckart_young_floor"}


def test_an_answer_leaves_the_settings_of_its_kernel_alone():
    def answer():
        torch.set_default_dtype(torch.float64)
        return np.random.rand()  # noqa: NPY002

    remote, before = Here(answer=answer).answer("answer"), torch.get_rng_state()
    with pytest.raises(RuntimeError, match="changes torch's default dtype"):
        remote()
    assert torch.get_default_dtype() == torch.float32
    assert torch.equal(torch.get_rng_state(), before)


def test_an_answer_records_though_a_cell_has_turned_that_off():
    request = {"answer": "f", "args": [], "kwargs": {}, "seed": 0, "measure": False}
    with torch.no_grad():
        text = answering.reply({"f": torch.is_grad_enabled}, json.dumps(request))
    reply = values.read(text)
    assert (values.unpack(reply["value"]), reply["changed"]) == (True, [])


@pytest.mark.parametrize("passes", [(True, False), (False, True), (True, True)])
def test_an_answer_must_be_right_on_each_set_of_problems(passes):
    verdicts, seeds = list(passes), []

    def check(answer, *, seed, seconds):
        seeds.append(seed)
        return verdicts[len(seeds) - 1]

    assert judged(check, 1, seeds=[11, 12]) is all(passes)
    assert seeds == ([11, 12] if passes[0] else [11])


def test_answers_are_judged_on_problems_that_no_student_has_seen():
    for seed in range(50):
        seeds = mark_class._seeds(seed)
        assert len(set(seeds)) == mark_class.SEEDS
        assert 0 not in seeds  # that of a student's own checks


def test_what_is_replayed_from_other_problems_is_wrong():
    right = remote_answer.checks_of("01_").svd_loss
    results = []

    def record(A, rank):
        results.append(float((np.linalg.svd(A)[1][rank:] ** 2).sum()))
        return results[-1]

    assert right(record)
    replay = iter(results * 9)
    assert not judged(right, lambda A, rank: next(replay))


def test_checks_are_those_of_the_lab(monkeypatch):
    one, other = ModuleType("labchecks.lab97"), ModuleType("labchecks.lab98")
    monkeypatch.setitem(sys.modules, one.__name__, one)
    monkeypatch.setitem(sys.modules, other.__name__, other)
    assert remote_answer.checks_of("97_one") is one
    assert remote_answer.checks_of("98_other") is other
    with pytest.raises(ValueError, match="'96_none': there is no labchecks.lab96"):
        remote_answer.checks_of("96_none")


def test_an_error_within_checks_is_not_taken_for_missing_checks(monkeypatch):
    def fail(name):
        raise ModuleNotFoundError("No module named 'scipy'", name="scipy")

    fake = SimpleNamespace(import_module=fail)
    monkeypatch.setattr(remote_answer, "importlib", fake)
    with pytest.raises(ModuleNotFoundError, match="scipy"):
        remote_answer.checks_of("01_factorisation")


# --- Bug hunts -----------------------------------------------------------------------

FOUND_FIRST = "checks.bug_found([name, line, symptom]) and checks.evaluate(evaluate)"


@pytest.mark.parametrize("form", ["{}", "check = {}\ncheck", "checks.strict({})"])
def test_of_a_hunt_both_checks_are_asked_in_their_order(form):
    asked = [
        question
        for question in remote_answer.questions(form.format(FOUND_FIRST))
        if question.check != "strict"
    ]
    assert asked == [
        remote_answer.Question("bug_found", "[name, line, symptom]", ()),
        remote_answer.Question("evaluate", "evaluate", ()),
    ]


def hunted(**names):
    """Return which checks of lab 03's hunt pass, asked as if from elsewhere."""
    lab = remote_answer.checks_of("03_mlp_iris")
    return [
        bool(
            remote_answer.judge(
                Here(**names),
                getattr(lab, question.check),
                question,
                (),
                seeds=(11, 12),
                seconds=60,
            )
        )
        for question in remote_answer.questions(FOUND_FIRST)
    ]


def test_a_hunt_is_right_if_line_symptom_and_function_are():
    pool = remote_answer.checks_of("03_mlp_iris").hunt.pool
    name = "Ada Lovelace"
    bug = hunts.drawn("3", hunts.plain(name), pool.bugs)
    right, wrong = (
        answers.written("\n".join(lines) + "\n")
        for lines in (pool.code.split("\n"), pool.lines(bug))
    )
    found = {"name": name, "line": bug.line, "symptom": bug.symptom, "evaluate": right}
    other = next(letter for letter in "abcd" if letter != bug.symptom)
    assert hunted(**found) == [True, True]
    assert hunted(**found | {"line": f"Line {bug.line}"}) == [True, True]
    assert hunted(**found | {"line": bug.line - 1}) == [False, True]
    assert hunted(**found | {"symptom": other}) == [False, True]
    assert hunted(**found | {"name": ""}) == [False, True]
    assert hunted(**found | {"name": object()}) == [False, True]
    assert hunted(**found | {"line": np.int64(bug.line)}) == [True, True]
    assert hunted(**found | {"evaluate": wrong}) == [True, False]
    assert hunted() == [False, False]


@pytest.mark.parametrize("value", [np.float64(0.1), np.float32(0.1), np.bool_(True)])
def test_a_number_of_numpys_stays_one(value):
    """np.float64 is a float, too, and a check may tell them apart."""
    back = values.unpack(values.pack(value))
    assert (type(back), back) == (type(value), value)


def test_what_is_just_within_the_limits_crosses():
    most = 16**values.MOST_DIGITS - 1
    for value in (most, -most, np.ones((1,) * values.MOST_AXES)):
        assert np.array_equal(values.unpack(values.pack(value)), value)
    assert values.unpack(values.pack(most + 1)) == values.Other("int")
    many = ", ".join(f"a{i}" for i in range(values.MOST_PARAMETERS))
    function = values.unpack(values.pack(eval(f"lambda {many}=0: 0")))
    assert [name for name, _, _ in function.parameters] == many.split(", ")
    assert [default for _, _, default in function.parameters][-2:] == [False, True]
    assert values.unpack(values.pack(type("A" * 50, (), {})())).kind == "A" * 40


# --- A kernel that is slow, silent, dead, or says something else ----------------------


class Client:
    """Answers like a kernel, from a list of replies; a second goes by at each look.

    A reply is a dict, what a kernel says of an error in its own code, or None, for
    nothing in this second. ``others`` are messages that answer something else.
    """

    def __init__(self, *replies, others=0):
        self.replies, self.others, self.now, self.asked = list(replies), others, 0, []

    def clock(self):
        return self.now

    def execute(self, code, *, silent, user_expressions):
        assert (code, silent) == ("", True)
        self.asked.append(user_expressions["reply"])
        return f"message {len(self.asked)}"

    def get_shell_msg(self, *, timeout):
        assert 0 < timeout <= 1  # then it is looked whether the kernel is alive
        self.now += 1
        if self.others:
            self.others -= 1
            return {"parent_header": {"msg_id": "message 0"}, "content": {}}
        reply = self.replies.pop(0) if self.replies else None
        if reply is None:
            raise queue.Empty
        if "status" not in reply:
            text = repr(values.write(reply))
            reply = {"status": "ok", "data": {"text/plain": text}}
        return {
            "parent_header": {"msg_id": f"message {len(self.asked)}"},
            "content": {"user_expressions": {"reply": reply}},
        }


def asker_of(*replies, alive=True, **kwargs):
    client = Client(*replies, **kwargs)
    return remote_answer.Asker(client, lambda: alive, client.clock)


def test_a_reply_is_waited_for_and_told_from_others():
    asker = asker_of(None, {"value": values.pack(3.5)}, others=2)
    assert asker.answer("rate") == 3.5
    assert not asker.silent
    (asked,) = asker.client.asked
    assert "get_ipython().user_ns" in asked
    assert json.dumps({"answer": "rate"}) in asked


@pytest.mark.parametrize(("seconds", "comes"), [(4, True), (3, False)])
def test_a_kernel_is_silent_after_its_seconds(seconds, comes):
    asker = asker_of(None, None, None, {"value": values.pack(1)})
    asker.client.now = 100
    asker.limit(seconds)
    if comes:
        assert asker.answer("x") == 1
    else:
        for _ in range(2):
            with pytest.raises(remote_answer.Silent):
                asker.answer("x")
        assert len(asker.client.asked) == 1  # who was silent is asked no more
    assert asker.silent is not comes


def test_a_dead_kernel_is_silent_at_once():
    asker = asker_of({"value": values.pack(1)}, alive=False)
    with pytest.raises(remote_answer.Silent):
        asker.answer("x")
    assert asker.silent
    assert asker.client.now == 0


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ValueError", ValueError),
        ("Mine", RuntimeError),
        ("SystemExit", RuntimeError),
        ("UnicodeDecodeError", RuntimeError),
        ("print", RuntimeError),
    ],
)
def test_an_error_is_raised_as_in_the_kernel_if_all_know_it(name, kind):
    asker = asker_of({"error": [name, "no x"]})
    with pytest.raises(kind) as raised:
        asker.answer("x")
    assert type(raised.value) is kind
    assert str(raised.value).removeprefix(f"{name}: ") == "no x"


def test_what_hinders_asking_is_an_error_with_its_words():
    asker = asker_of({"status": "error", "ename": "NameError", "evalue": "no ipython"})
    with pytest.raises(RuntimeError, match="^NameError: no ipython$"):
        asker.answer("x")


@pytest.mark.parametrize("replies", [[None], [{"value": values.pack(1)}]])
def test_who_is_silent_gets_no_verdict(replies):
    """Before the check, or within it, whatever the check makes of it."""

    def check(answer, *, seed, seconds):
        with contextlib.suppress(remote_answer.Silent):
            asker.answer("x")
        return True

    asker = asker_of(*replies)
    question = remote_answer.Question("check", "x", ())
    with pytest.raises(remote_answer.Silent):
        remote_answer.judge(asker, check, question, (), seeds=[1], seconds=5)
    assert asker.client.now == 4 + len(replies)


def test_an_error_instead_of_an_answer_is_what_the_check_gets():
    def check(answer, *, seed, seconds):
        seen.append((answer, seed))
        return True

    seen, asker = [], asker_of(*[{"error": ["NameError", "no rate"]}] * 2)
    question = remote_answer.Question("check", "rate", ())
    assert remote_answer.judge(asker, check, question, (), seeds=[1, 2], seconds=9)
    assert seen == [(values.Other("NameError: no rate"), seed) for seed in (1, 2)]


def test_what_an_answer_does_to_its_arguments_is_done_here_too():
    def answer(items, array, tensor, wide):
        items.append(3)
        array[0] = 7
        tensor.requires_grad_()
        wide.resize_(4)

    given = [1, 2], np.zeros(2), torch.ones(2), torch.ones(2)
    Here(answer=answer).answer("answer")(*given)
    assert given[0] == [1, 2, 3]
    assert (given[1] == [7, 0]).all()
    assert given[2].requires_grad
    assert given[3].isnan().all()  # of another shape: it can't be followed


def test_a_function_keeps_its_signature():
    def answer(a, b=3, *rest, c, d=None, **more):
        return None

    mine = inspect.signature(Here(answer=answer).answer("answer"))
    theirs = inspect.signature(answer)
    assert [(p.name, p.kind) for p in mine.parameters.values()] == [
        (p.name, p.kind) for p in theirs.parameters.values()
    ]
    assert [p.name for p in mine.parameters.values() if p.default is not p.empty] == [
        "b",
        "d",
    ]
    mine.bind(1, c=2)


@pytest.mark.parametrize("broken", [3, "x"])
def test_a_signature_that_cannot_be_read_ends_nothing(broken):
    def answer(a):
        return a

    answer.__signature__ = broken
    assert values.pack(answer) == {"is": "function", "parameters": []}
    assert Here(answer=answer).answer("answer")


def test_the_gradient_of_a_loss_is_that_of_the_kernel():
    remote = Here(answer=lambda x, y: (x**2 * y).sum()).answer("answer")
    x, y = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([3.0, 4.0])
    (2 * remote(x, y)).backward()
    assert torch.equal(x.grad, 4 * x.detach() * y)
    assert not Here(answer=lambda x: x.sum()).answer("answer")(y).requires_grad
    # Of more than one number there is no gradient to hand over.
    assert Here(answer=lambda x: x * 2).answer("answer")(x).shape == (2,)
