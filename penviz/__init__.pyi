from penviz.figures.open_study import open_study as open_study
from penviz.own_code.capture import capture as capture
from penviz.own_code.checkpoint_verbs import adopt as adopt
from penviz.own_code.checkpoint_verbs import extract as extract
from penviz.own_code.checkpoint_verbs import train as train
from penviz.own_code.comparison_figure import ComparisonFigure as ComparisonFigure
from penviz.own_code.comparison_figure import compare as compare
from penviz.own_code.draw_plane import draw_plane as draw_plane
from penviz.own_code.recorder import Recorder as Recorder
from penviz.store.captured_run import CapturedRun as CapturedRun
from penviz.store.captured_run import load as load
from penviz.store.captured_run import save as save
from penviz.store.run_from_arrays import from_arrays as from_arrays
from penviz.study.comparison import Comparison as Comparison
from penviz.study.comparison import ComparisonOptions as ComparisonOptions
from penviz.study.study import Study as Study

__version__: str
PUBLIC: dict[str, str]

class InputError(ValueError): ...
