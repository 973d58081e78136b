"""The way of a submission from its folder to its mark, one module a step.

1. ``submissions``: whose file it is, and of which lab.
2. ``restore_cells``: it gets the shape of the lab back, and keeps what is answered.
3. ``run_notebook``: it runs from top to bottom in a kernel of its own (``kernels``),
   ``one_kernel`` within ``walls``, which is forked from the process ``warm`` and kept
   by a ``keeper``; ``cell_client`` stops what writes too much, or works too long by the
   ``clock``. Cells that no answer depends on are left out (``needed_cells``, after
   ``read_cells``); what the others change was watched in the worked lab
   (``watch_cells``, and in its kernel ``watched_values``). ``cell_outputs`` have the
   verdicts, and say what was asked for in vain.
4. ``remote_answer``: each answer is asked for in that kernel, by ``answering``, and is
   judged outside of it by the checks of its lab (``values`` are what crosses).
5. ``gradebook``: its points are entered, and written into ``points.csv``; the student's
   page comes from ``feedback``.

``mark_class`` leads a whole class along this way, with several ``workers`` at once.
"""

import os

# What is marked is no class at work: neither here nor in a kernel started from here do
# checks write where `make room` looks.
os.environ.pop("AUTOGRAD_LABS_ROOM", None)
