"""nbgrader on a JupyterHub: it releases and collects; `make grade` marks.

`make handouts` fills the course. As its labs are cut already, nothing is cut here.
"""

from pathlib import Path

c = get_config()  # noqa: F821

c.CourseDirectory.course_id = "autograd-labs"
c.CourseDirectory.root = str(Path(__file__).resolve().parent / "handouts" / "course")
c.GenerateAssignment.preprocessors = [
    "nbgrader.preprocessors.ComputeChecksums",
    "nbgrader.preprocessors.SaveCells",
    "nbgrader.preprocessors.CheckCellMetadata",
]
