"""The fair test of teachers: students from each at several temperatures, the student alone, several seeds.

Which temperature is a teacher's best is decided on validation; results are given on test. Every student is a
run of its own beside the others, so that a stopped test goes on where it was, and each can be looked at.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from penviz.metrics.calibration.temperature import softmax
from penviz.metrics.information import equivalent_smoothing
from penviz.store.directory_lock import locked
from penviz.store.pilots import Condition, Pilot, Row, conditions, read_pilot, write_pilot
from penviz.store.run_config import RunConfig, RunError
from penviz.store.runs import Run, read_run
from penviz.training import checkpoints, data, data_set, defaults, erasure, evaluate, students
from penviz.training import train as training
from penviz.training.data_set import DataSet, Split
from penviz.training.network import Network
from penviz.training.pilot_request import Request
from penviz.training.progress import Progress
from penviz.training.sweep import Member, is_trained
from penviz.training.train_options import TrainOptions
from penviz.training.trainer import Training

TIMED_STEPS = 8
MOST_SMOOTHING = 0.95


@dataclass(frozen=True)
class Student:
    """One network to be trained: its row of the results, and how it is made."""

    role: str
    name: str
    config: RunConfig
    teacher: Run
    label_smoothing: float


class Test:
    """A test under way. `run` is all of it; `expected_seconds` is said before."""

    __test__ = False  # no test of pytest

    def __init__(
        self,
        request: Request,
        say: Callable[[str], None] = lambda sentence: None,
        load: checkpoints.Loader = students.own_network,
    ):
        self.request, self.say, self.load = request, say, load
        self.device = checkpoints.choose_device(request.device)
        self.seconds = 0.0
        self.rows: list[Row] = []
        self._data: dict[int, DataSet] = {}
        self._gammas: dict[str, dict[float, float]] = {}

    def run(
        self,
        report: Callable[[Progress], None] = lambda progress: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Pilot:
        """Train every student that is not yet trained, writing the results after each.

        Raises:
            Stopped: asked to stop; the same request goes on.
            RunError: teachers and student that do not fit, or a directory of another test or process.
        """
        request = self.request
        before = read_pilot(request.out)
        if before is not None and (before.student, before.kind) != (request.student, request.kind):
            raise RunError(f"{request.out} holds another test (of {before.student}): choose another --out.")
        for teacher in sorted(request.teachers, key=lambda run: run.config.held_out_seed):
            self._own_share(teacher)  # before anything is written; by seed, so that each split is read once
        request.out.mkdir(parents=True, exist_ok=True)
        with locked(request.out):
            return self._run(report, stopped)

    def _run(self, report: Callable[[Progress], None], stopped: Callable[[], bool]) -> Pilot:
        request = self.request
        self.rows = [self._teacher_row(run) for group in request.groups.values() for run in group]
        for student in self._distilled():
            self._train(student, report, stopped)
        for student in self._alone(self.rows):
            self._train(student, report, stopped)
        return self._write(finished=True)

    def n_students(self) -> int:
        """How many students the whole test has, those that are trained already included."""
        return len(self._distilled()) + self._n_alone()

    def n_left(self) -> int:
        """How many students are still to be trained.

        Those alone have the smoothings that the distilled ones decide: until all of these are in the
        results, every one alone counts.
        """
        distilled = self._distilled()
        left = sum(not self._is_trained(student) for student in distilled)
        names, before = {student.name for student in distilled}, read_pilot(self.request.out)
        rows = [row for row in before.rows if row.run in names] if before is not None else []
        if left or len(rows) < len(names):
            return left + self._n_alone()
        return sum(not self._is_trained(student) for student in self._alone(rows))

    def _is_trained(self, student: Student) -> bool:
        return is_trained(Member(student.config, self.request.out / student.name))

    def _n_alone(self) -> int:
        groups = self.request.groups
        levels = 1 + len(groups) if self.request.kind == "pilot" else len({0.0, *groups})
        return len(self._alone_seeds()) * levels

    def expected_seconds(self) -> float:
        """Time that the students still to be trained take, from a few steps of one on this machine.

        Those alone have no teacher to wait for, so this is rather too long than too short.
        """
        left = self.n_left()
        if not left:
            return 0.0
        alpha = max(self.request.groups)
        teacher, seed = self.request.pairs(alpha)[0]
        config = self._config(teacher, seed, self.request.tried(alpha)[0])
        dataset = self._dataset(teacher)
        own = self._own_share(teacher)
        with TemporaryDirectory() as nowhere:
            network = self.load(teacher, dataset.class_names)
            options = TrainOptions(device=self.request.device)
            one = Training(config, dataset, Path(nowhere), options, teacher=network)
            one.network.train()
            plan = one.plan()
            n = min(TIMED_STEPS, one.n_steps - 1)
            one.run_step(plan)  # the first step prepares much that later ones need not
            start = time.monotonic()
            for _ in range(n):
                one.run_step(plan)
            self._wait()
            step = (time.monotonic() - start) / max(1, n)
            start = time.monotonic()
            few = dataset.splits["validation"]
            few = Split(few.images[:500], few.labels[:500], few.indices[:500], few.hashes[:500], "")
            evaluate.evaluate(one.network, few, config.crop)
            image = (time.monotonic() - start) / len(few)
        seen = sum(len(split) for split in own.splits.values())
        epochs = config.epochs * (one.n_steps * step + image * len(dataset.splits["validation"]))
        return left * (epochs + image * seen)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def _dataset(self, teacher: Run) -> DataSet:
        config = teacher.config
        seed = config.held_out_seed
        if seed not in self._data:
            self._data = {  # one at a time: a data set can be large
                seed: data.load(
                    self.request.dataset or config.dataset,
                    seed=seed,
                    n_hold_out=config.hold_out,
                    data_dir=self.request.data_dir,
                    image_size=self._config(teacher, seed, 1.0).image_size,
                )
            }
        return self._data[seed]

    def _config(self, teacher: Run, seed: int, temperature: float) -> RunConfig:
        request = self.request
        return students.student_config(
            teacher, request.student, request.dataset, seed=seed, temperature=temperature, **request.chosen
        )

    def _own_share(self, teacher: Run) -> DataSet:
        """The data with the share of the training split that a teacher, and so its students, see.

        Raises:
            RunError: they are not those that it was trained on.
        """
        whole = self._dataset(teacher)
        students.check_fit(teacher, self._config(teacher, teacher.config.seed, 1.0), whole)
        own = data_set.first_share(whole, teacher.config.data_share)
        if not teacher.adopted:
            checkpoints.check_data(teacher, own, ("train",))
        return own

    def _gamma(self, teacher: Run, temperature: float) -> float:
        """Equivalent smoothing of a teacher on its plain training images, kept for all temperatures."""
        if teacher.name not in self._gammas:
            dataset = self._own_share(teacher)
            network, split = self._network(teacher, dataset), dataset.splits["train"]
            features, _ = evaluate.features_and_predictions(network, split, teacher.config.crop)
            logits = erasure.logits_of(network, features)
            self._gammas[teacher.name] = {
                t: equivalent_smoothing(softmax(logits, t), split.labels) for t in self.request.temperatures
            }
        return self._gammas[teacher.name][temperature]

    def _distilled(self) -> list[Student]:
        found = []
        for alpha in self.request.groups:
            for teacher, seed in self.request.pairs(alpha):
                for t in self.request.tried(alpha):
                    name = f"{self.request.student}-from-{teacher.name}-T{t:g}-seed{seed}"
                    config = self._config(teacher, seed, t)
                    found.append(Student("distilled", name, config, teacher, alpha))
        return found

    def _alone_seeds(self) -> list[tuple[Run, int]]:
        return self.request.pairs(min(self.request.groups))

    def _alone(self, rows: Sequence[Row]) -> list[Student]:
        """The student on labels: hard ones, and smoothed as much as each teacher's best targets are.

        Args:
            rows: all distilled students; a sweep needs none.
        """
        if self.request.kind == "sweep":
            levels = {0.0, *self.request.groups}
        else:
            tuned = [c for c in conditions(replace(self._pilot(False), rows=tuple(rows))) if c.tuned]
            levels = {0.0, *(_level(c) for c in tuned)}
        found = []
        for level in sorted(levels):
            for teacher, seed in self._alone_seeds():
                dropped = ("distillation_weight", "distillation_loss", "student_temperature")
                chosen = {k: v for k, v in self.request.chosen.items() if k not in dropped}
                dataset = self.request.dataset or teacher.config.dataset
                config = defaults.default_config(
                    dataset,
                    self.request.student,
                    students.image_shape_of(teacher),
                    **students.as_of(teacher, dataset),
                    label_smoothing=level,
                    seed=seed,
                    **chosen,
                )
                name = f"{self.request.student}-alone-{level:g}-seed{seed}"
                found.append(Student("alone", name, config, teacher, level))
        return found

    def _train(
        self, student: Student, report: Callable[[Progress], None], stopped: Callable[[], bool]
    ) -> None:
        out = self.request.out / student.name
        options = TrainOptions(
            resume=True,
            device=self.request.device,
            validate_every=student.config.epochs,
            report=report,
            stopped=stopped,
            command=self.request.command,
        )
        dataset = self._dataset(student.teacher)
        if student.role == "distilled":
            students.distil(student.config, dataset, student.teacher, out, options, load=self.load)
        else:
            training.train(student.config, dataset, out, options)
        run = read_run(out)
        self.seconds += float(run.record["seconds"])
        alpha, t = student.label_smoothing, student.config.temperature
        if student.role == "distilled":
            of, gamma = student.teacher.name, self._gamma(student.teacher, t)
        else:
            of, gamma = "", alpha
        self.rows.append(_row(run, student.role, of, alpha, t, gamma))
        self._write(finished=False)
        shown = ", ".join(f"{s} {v:.4f}" for s, v in self.rows[-1].accuracy.items())
        self.say(f"{student.name}: accuracy {shown}")

    def _teacher_row(self, run: Run) -> Row:
        alpha = run.config.label_smoothing or 0.0
        if not run.adopted:
            return _row(run, "teacher", "", alpha, 1.0, alpha)
        dataset = self._dataset(run)
        name = "test" if "test" in dataset.splits else "validation"
        if name == "validation":
            self.say(f"{run.name} may have been trained on the validation images that it is measured on.")
        scores = evaluate.evaluate(self._network(run, dataset), dataset.splits[name], run.config.crop)
        return _row(replace(run, metrics={name: scores}), "teacher", "", alpha, 1.0, alpha)

    def _network(self, teacher: Run, dataset: DataSet) -> Network:
        return self.load(teacher, dataset.class_names).to(self.device)

    def _pilot(self, finished: bool) -> Pilot:
        request = self.request
        teacher, seed = request.pairs(min(request.groups))[0]
        config = self._config(teacher, seed, 1.0)
        return Pilot(
            request.out,
            request.kind,
            request.dataset or teacher.config.dataset,
            teacher.config.model,
            request.student,
            config.epochs,
            config.distillation_loss,
            config.distillation_weight,
            finished,
            round(self.seconds, 1),
            tuple(self.rows),
            request.command,
        )

    def _write(self, finished: bool) -> Pilot:
        pilot = self._pilot(finished)
        write_pilot(pilot)
        return pilot


def _level(condition: Condition) -> float:
    """Smoothing of the student alone that answers a teacher's: gamma to three places."""
    return round(min(condition.gamma or 0.0, MOST_SMOOTHING), 3)


def _row(run: Run, role: str, teacher: str, alpha: float, temperature: float, gamma: float) -> Row:
    kept: dict[str, dict[str, float]] = {
        name: run.metrics[name] for name in ("validation", "test") if name in run.metrics
    }
    accuracy = {name: scores["accuracy"] for name, scores in kept.items()}
    nll = {name: scores["nll"] for name, scores in kept.items()}
    return Row(role, run.name, teacher, alpha, temperature, gamma, run.config.seed, accuracy, nll)
