"""`penviz extract`: penultimate activations of runs, or of a checkpoint of one's own."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from penviz.cli.options import (
    DataDir,
    Device,
    HoldOut,
    ImageSize,
    PerClass,
    ProgressKind,
    Threads,
    Thumbnails,
    check_progress,
    data_of,
    not_options,
    set_threads,
)
from penviz.exit_codes import n_ranks, say
from penviz.store.run_config import RunError
from penviz.store.runs import read_run


def extract(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(help="Directories of finished runs, or a checkpoint of your own."),
    ] = None,
    per_class: PerClass = 1000,
    split: Annotated[
        list[str] | None, typer.Option(help="Splits to extract; train and validation if not given.")
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            help="The data, if they moved since the training; for a checkpoint, the data to run it on."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="For a checkpoint: directory of the new run.")] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help=(
                "For a checkpoint: its network, as resnet20, cifar:resnet18, torchvision:resnet50, "
                "timm:NAME, hf:DIR or package.module:factory; the only one that fits if not given."
            )
        ),
    ] = None,
    classes: Annotated[
        tuple[str, str, str] | None,
        typer.Option(
            callback=not_options, help="For a checkpoint: a quick look at these three classes only."
        ),
    ] = None,
    preprocessing: Annotated[
        str | None,
        typer.Option(help="For a checkpoint: its preprocessing, a row of the printed table or a JSON file."),
    ] = None,
    mean: Annotated[
        str | None,
        typer.Option(
            help=(
                "For a checkpoint: mean subtracted from the pixels, '0.5' or one per channel, '0.49 "
                "0.48 0.45'."
            )
        ),
    ] = None,
    std: Annotated[
        str | None, typer.Option(help="For a checkpoint: std that pixels are divided by, written as --mean.")
    ] = None,
    pixels: Annotated[
        str | None,
        typer.Option(help="For a checkpoint: range of the pixels before --mean: 0..1, 0..255 or -1..1."),
    ] = None,
    body: Annotated[
        str | None,
        typer.Option(help="For a checkpoint: variant of its body from the printed table, 'max pooling', ..."),
    ] = None,
    expected_accuracy: Annotated[
        float | None, typer.Option(help="For a checkpoint: the accuracy you expect, in percent.")
    ] = None,
    label_smoothing: Annotated[
        float | None, typer.Option(help="For a checkpoint: alpha of its training; 0 for hard targets.")
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="A published network on an ImageNet directory: imagenet-resnet50-v1, imagenet-resnet50-v2, "
            "imagenet-inception-v4 (give its file)."
        ),
    ] = None,
    all_classes: Annotated[
        bool,
        typer.Option(
            "--all-classes", help="With --preset: all of ImageNet, not only the paper's two triples."
        ),
    ] = False,
    class_names: Annotated[
        str | None,
        typer.Option(
            help="For a checkpoint: names of its classes: cifar10, cifar100, mnist, imagenet or a text file."
        ),
    ] = None,
    image_size: ImageSize = 0,
    hold_out: HoldOut = 0,
    trust: Annotated[
        bool,
        typer.Option(
            "--trust", help="Unpickle the file, which may run any code in it: only for files that you trust."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Take the best preprocessing without asking.")] = False,
    thumbnails: Thumbnails = True,
    thumbnail_quality: Annotated[
        int, typer.Option(min=1, max=100, help="Quality of the thumbnails, lossy WebP.")
    ] = 35,
    sharded: Annotated[
        bool,
        typer.Option(
            "--sharded", help="Write shards in place of one file; the default from 1 GiB of features on."
        ),
    ] = False,
    half: Annotated[
        bool, typer.Option("--half", help="Store features as float16: half as many bytes, fewer digits.")
    ] = False,
    data_dir: DataDir = Path("data"),
    device: Device = "auto",
    threads: Threads = None,
    progress: ProgressKind = "bar",
) -> None:
    """Write the penultimate activations of a run, or of a checkpoint of your own."""
    progress = check_progress(progress)
    from penviz.cli import terminal
    from penviz.external.importing import import_checkpoint
    from penviz.external.importing.import_options import Request

    quality = thumbnail_quality if thumbnails else 0
    if preset:
        _preset(
            preset,
            runs or [],
            dataset,
            out,
            all_classes=all_classes,
            splits=tuple(split or ()),
            per_class=per_class,
            quality=quality,
            sharded=sharded,
            half=half,
            device=device,
            threads=threads,
            progress=progress,
        )
        return
    if not runs:
        raise RunError("Name a run, a checkpoint, or a --preset.")
    if all_classes:
        raise RunError("--all-classes goes with --preset only.")
    if missing := [str(path) for path in runs if not path.exists()]:
        raise RunError(f"There is no directory or file {missing[0]}.")
    if odd := [str(path) for path in runs if not (path.is_dir() or path.is_file())]:
        raise RunError(f"{odd[0]} is neither a file nor a directory.")
    if any(import_checkpoint.is_foreign(path) for path in runs):
        if sharded or half or n_ranks() > 1:
            raise RunError(
                "A checkpoint of your own is extracted by one process, into one float32 file: "
                "leave out torchrun, --sharded and --half."
            )
        request = Request(
            model=model or "",
            dataset=dataset or "",
            out=out,
            data_dir=data_dir,
            image_size=image_size,
            hold_out=hold_out,
            class_names=class_names or "",
            preprocessing=preprocessing or "",
            mean=_numbers(mean, "--mean"),
            std=_numbers(std, "--std"),
            pixels=pixels or "",
            body=body or "",
            expected=None if expected_accuracy is None else expected_accuracy / 100,
            label_smoothing=label_smoothing,
            classes=classes or (),
            per_class=per_class,
            splits=tuple(split or ()),
            thumbnail_quality=quality,
            device=device,
            trust=trust,
            yes=yes,
        )
        set_threads(threads)
        with terminal.ExtractionProgress(progress) as report:
            path = import_checkpoint.extract_files(
                runs, request, say=say, progress=lambda done, n, left: report("images", done, n)
            )
        if sentence := import_checkpoint.head_sentence(path):
            say(sentence)
        say(f"Wrote {path}. Next: {shlex.join(['penviz', 'measure', str(path)])}")
        return
    of_a_checkpoint = {
        "--out": out,
        "--model": model,
        "--classes": classes,
        "--preprocessing": preprocessing,
        "--mean": mean,
        "--std": std,
        "--pixels": pixels,
        "--body": body,
        "--expected-accuracy": expected_accuracy,
        "--label-smoothing": label_smoothing,
        "--class-names": class_names,
        "--image-size": image_size or None,
        "--hold-out": hold_out or None,
        "--trust": trust or None,
        "--yes": yes or None,
    }
    found = [read_run(path) for path in runs]
    if given := [name for name, value in of_a_checkpoint.items() if value is not None]:
        raise RunError(f"Leave out {', '.join(given)}: for a checkpoint of your own only, not for a run.")
    from penviz.training import data
    from penviz.training import extract as extraction
    from penviz.training.ranks import Ranks
    from penviz.training.split_files import ExtractOptions, Storage

    set_threads(threads)
    ranks = Ranks.of_torchrun()
    stored = ExtractOptions(
        tuple(dict.fromkeys(split or ("train", "validation"))),
        per_class,
        quality,
        device,
        Storage(ranks, sharded, half),
    )
    with ranks.joined(device):
        for run in found:
            config = run.config
            with ranks.one_first((dataset or config.dataset) in data.BUILT_IN):
                loaded = data_of(config, data_dir, dataset)
            with terminal.ExtractionProgress(progress) as report:
                written = extraction.extract(run, loaded, stored, report=report)
            for path in written:
                say(f"Wrote {path}")


def _numbers(words: str | None, option: str) -> tuple[float, ...]:
    """Numbers of an option, with spaces or commas between."""
    try:
        return tuple(float(word) for word in (words or "").replace(",", " ").split())
    except ValueError:
        raise RunError(f"{option} takes numbers, one a channel: '0.49 0.48 0.45'.") from None


def _preset(
    name: str,
    files: list[Path],
    directory: str | None,
    out: Path | None,
    *,
    all_classes: bool,
    splits: tuple[str, ...],
    per_class: int,
    quality: int,
    sharded: bool,
    half: bool,
    device: str,
    threads: int | None,
    progress: str,
) -> None:
    if directory is None or out is None:
        raise RunError("A preset needs the ImageNet directory as --dataset, and --out.")
    if len(files) > 1:
        raise RunError("Give one file of weights at a time.")
    from penviz.cli import terminal
    from penviz.external.importing.adopt import AdoptOptions
    from penviz.external.networks.presets import extract_preset
    from penviz.training.imagenet import SYNSETS
    from penviz.training.ranks import Ranks
    from penviz.training.split_files import Storage

    set_threads(threads)
    ranks = Ranks.of_torchrun()
    with ranks.joined(device), terminal.ExtractionProgress(progress) as report:
        path = extract_preset(
            name,
            Path(directory),
            out,
            AdoptOptions(
                splits,
                per_class,
                quality,
                device,
                Storage(ranks, sharded, half),
                () if all_classes else tuple(SYNSETS.values()),
            ),
            file=files[0] if files else None,
            say=say,
            progress=lambda done, n, left: report("images", done, n),
        )
    say(f"Wrote {path}. Next: {shlex.join(['penviz', 'measure', str(path)])}")
