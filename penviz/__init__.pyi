from penviz.captured_run import CapturedRun as CapturedRun
from penviz.captured_run import load as load
from penviz.captured_run import save as save
from penviz.load.capture import capture as capture
from penviz.load.recorder import Recorder as Recorder
from penviz.notebook.checkpoint_verbs import adopt as adopt
from penviz.notebook.checkpoint_verbs import extract as extract
from penviz.notebook.checkpoint_verbs import train as train
from penviz.notebook.comparison_figure import ComparisonFigure as ComparisonFigure
from penviz.notebook.comparison_figure import compare as compare
from penviz.notebook.draw_plane import draw_plane as draw_plane
from penviz.run_from_arrays import from_arrays as from_arrays
from penviz.stored_study import open_study as open_study
from penviz.study.comparison import Comparison as Comparison
from penviz.study.comparison import ComparisonOptions as ComparisonOptions
from penviz.study.study import Study as Study

__version__: str
PUBLIC: dict[str, str]

class InputError(ValueError): ...
