"""All runs of all scenarios: in sample time in as many processes as there are cores, in real time one after another."""

from __future__ import annotations

import asyncio
import multiprocessing
from argparse import Namespace
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bench import report
from bench.cast import Cast
from bench.record import Run
from bench.scenarios import TRANSIT_S
from bench.score import Row, scored
from bench.served import Served
from bench.stage import Partner, Stage
from bench.targets import SCENARIO
from bench.timeline import save, timeline

if TYPE_CHECKING:
    from bench.rehearsal import Rehearsal

SAMPLE, REALTIME = "sample_time", "real_time"
_chat: Rehearsal | None = None  # of this process


@dataclass(frozen=True, slots=True)
class Task:
    scenario: str
    number: int
    seed: int

    def cast(self) -> Cast:
        return Cast(f"{self.seed} {self.scenario} {self.number}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """How runs are made, for another process."""

    model: str
    voice: str
    keep: bool


def begin(model: str, voice: str) -> Rehearsal:
    """The model and the voice of this process. Raises VoiceChatError."""
    global _chat
    import torch

    from bench.rehearsal import Rehearsal
    from voicechat import Config

    torch.set_num_threads(1)
    if _chat is None or (_chat.config.model, _chat.config.voice) != (model, voice):
        _chat = Rehearsal(Config(model=model, voice=voice, greedy=True))
    return _chat


def rehearse(task: Task, wanted: Wanted) -> tuple[Row, Run]:
    """One run in sample time."""
    from bench.rehearsal import Here

    stage = Stage(SCENARIO[task.scenario], task.cast(), task.number)
    run = asyncio.run(stage.perform(Here(begin(wanted.model, wanted.voice)), wanted.keep))
    return scored(stage.scenario, run), run


def in_sample_time(tasks: Sequence[Task], options: Namespace, console: Console) -> list[Row]:
    wanted = Wanted(options.model, options.voice, options.keep is not None)
    jobs = min(options.jobs, len(tasks))
    with _telling(len(tasks), "in sample time", options, console) as tell:
        if jobs == 1:
            return _in_order(tasks, (tell(task, *rehearse(task, wanted)) for task in tasks))
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(jobs, context, begin, (options.model, options.voice)) as pool:
            running = {pool.submit(rehearse, task, wanted): task for task in tasks}
            try:
                return _in_order(tasks, (tell(running[one], *one.result()) for one in as_completed(running)))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


def in_real_time(tasks: Sequence[Task], options: Namespace, console: Console) -> list[Row]:
    from bench.overwire import OverWire

    async def perform(task: Task, partner: Partner) -> tuple[Row, Run]:
        scenario = SCENARIO[task.scenario]
        stage = Stage(scenario, task.cast(), task.number, scenario.transit_s - TRANSIT_S)
        run = await stage.perform(partner, options.keep is not None)
        return scored(scenario, run), run

    served = Served(["--model", options.model, "--voice", options.voice, "--greedy"])
    with served, _telling(len(tasks), "in real time", options, console) as tell:
        asyncio.run(perform(tasks[0], OverWire(served.url)))  # what happens only once is not counted
        return [tell(task, *asyncio.run(perform(task, OverWire(served.url)))) for task in tasks]


def _in_order(tasks: Sequence[Task], rows: Iterable[Row]) -> list[Row]:
    """As the tasks are, whichever came first."""
    places = {(task.scenario, task.number): place for place, task in enumerate(tasks)}
    return sorted(rows, key=lambda row: places[row.scenario, row.run])


class _Teller:
    """The progress bar, and the timelines of what went wrong."""

    def __init__(self, progress: Progress, count: int, name: str, options: Namespace) -> None:
        self._progress, self._options, self._name = progress, options, report.slug(name)
        self._bar = progress.add_task(name, total=count, scenario="", faulty=0)
        self._shown, self._faulty = Counter[str](), 0

    def __call__(self, task: Task, row: Row, run: Run) -> Row:
        wrong = bool(row.faults or row.void)
        self._faulty += wrong
        if (wrong or self._options.show_all) and self._shown[row.scenario] < self._options.show:
            self._shown[row.scenario] += 1
            self._progress.console.print(timeline(row, run))
            if self._options.keep is not None:
                save(run, self._options.keep / f"{self._name}-{report.slug(row.scenario)}-{row.run}.wav")
        self._progress.update(self._bar, advance=1, scenario=task.scenario, faulty=self._faulty)
        return row


@contextmanager
def _telling(count: int, name: str, options: Namespace, console: Console) -> Iterator[_Teller]:
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        TextColumn("[red]{task.fields[faulty]} not as wanted[/]  [dim]{task.fields[scenario]}[/]"),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as progress:
        yield _Teller(progress, count, name, options)
