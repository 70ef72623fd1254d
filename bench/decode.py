"""The language model: one token after another, and the prefill before them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import torch

from bench.fullsize import Subject
from bench.report import one_line, spread
from voicechat.flamingo.cache import KeyValues
from voicechat.flamingo.graph import StaticKeyValues
from voicechat.flamingo.prompt import Prompt
from voicechat.flamingo.sampling import Sampler

WARMUPS = 4
SAMPLING = SimpleNamespace(do_sample=True, temperature=0.7, top_p=0.8, top_k=20, repetition_penalty=1.05)  # AF3's own


def words(subject: Subject, length: int, seed: int = 0) -> Prompt:
    """A prompt of random text tokens, special ones left out."""
    ids = torch.randint(300, len(subject.processor.tokenizer), (length,), generator=torch.Generator().manual_seed(seed))
    prompt = Prompt()
    prompt.add_tokens(ids.tolist())
    return prompt


def caches(subject: Subject, context: int) -> dict[str, Callable[[], KeyValues]]:
    """Our ways to decode, fastest first. `tight` holds no more than is needed; the others, a conversation."""
    model, room = subject.model, subject.sizes.room
    needed = -(-(context + WARMUPS + subject.sizes.tokens + 1) // 64) * 64
    return {
        "graph": lambda: StaticKeyValues(model, room),
        "graph, tight cache": lambda: StaticKeyValues(model, needed),
        "static cache, no graph": lambda: StaticKeyValues(model, room, capture=False),
        "growing cache": lambda: KeyValues(model, room),
    }


@torch.inference_mode()
def own_steps(subject: Subject, cache: KeyValues, prompt: Prompt, sampler: Sampler) -> list[float]:
    """ms a token: the step, the choice, and the token's way back to the host."""
    logits, ids, stamps = cache.logits(prompt), list(prompt.ids), []
    for _ in range(WARMUPS + subject.sizes.tokens + 1):
        token = sampler.choose(ids, logits)  # waits for the step before
        stamps.append(perf_counter())
        ids.append(token)
        logits = cache.step(token)
    subject.clock.settle()
    return [(b - a) * 1e3 for a, b in zip(stamps[WARMUPS:], stamps[WARMUPS + 1 :], strict=False)]


def generate_steps(subject: Subject, prompt: Prompt, **options: Any) -> list[float]:
    """ms a token of transformers' `generate`, its prefill taken off: what further tokens cost after the first."""
    ids = torch.tensor([prompt.ids], device=subject.device)
    few = {"input_ids": ids, "attention_mask": torch.ones_like(ids), **options}
    waited, tokens = subject.clock.waited, subject.sizes.tokens
    with torch.inference_mode():
        first = waited(lambda: subject.model.generate(**few, max_new_tokens=1), 3)
        whole = waited(lambda: subject.model.generate(**few, max_new_tokens=1 + tokens), 3)
    return [(ms - spread(first)["median"]) / tokens for ms in whole]


def guarded(work: Callable[[], list[float]]) -> dict[str, Any]:
    try:
        return spread(work())
    except Exception as error:
        return {"error": one_line(error)}


def own(subject: Subject, make: Callable[[], KeyValues], prompt: Prompt, sampler: Sampler) -> dict[str, Any]:
    """The spread of `own_steps`, and whether they ran as a CUDA graph: without one they go on, more slowly."""
    try:
        cache = make()
        spread_ = spread(own_steps(subject, cache, prompt, sampler))
    except Exception as error:
        return {"error": one_line(error)}
    return spread_ | {"captured": getattr(cache, "_graph", None) is not None}


def decode(subject: Subject) -> dict[str, Any]:
    """ms a token, by context and way."""
    greedy = Sampler(SAMPLING, subject.device, greedy=True)
    greedy._processors.clear()  # no penalty: `generate` is timed without one too
    sampled = Sampler(SAMPLING, subject.device, seed=0)
    found: dict[str, Any] = {}
    for context in subject.sizes.contexts:
        prompt = words(subject, context)
        ways = caches(subject, context)
        rows = {name: own(subject, make, prompt, greedy) for name, make in ways.items()}
        rows["graph, AF3's sampling"] = own(subject, ways["graph"], prompt, sampled)
        rows["transformers generate"] = guarded(partial(generate_steps, subject, prompt))
        found[str(context)] = rows
    return found


def generate_static(subject: Subject) -> dict[str, Any]:
    """transformers with its own static cache: apart, because it may compile for minutes."""
    return {
        str(context): guarded(partial(generate_steps, subject, words(subject, context), cache_implementation="static"))
        for context in subject.sizes.contexts
    }


def replay(subject: Subject) -> dict[str, Any]:
    """ms of the step alone, by the device's clock: nothing is chosen, nothing comes back."""
    found = {}
    for context in subject.sizes.contexts:
        for name, make in caches(subject, context).items():
            cache = make()
            cache.logits(words(subject, context))
            steps = subject.sizes.tokens
            found[f"{name} at {context}"] = spread(subject.clock.queued(partial(cache.step, 400), steps, WARMUPS))
    return found


@torch.inference_mode()
def agreement(subject: Subject) -> dict[str, Any]:
    """||logits - reference|| / ||reference||, the worst of a few steps: the reference reads it all in one pass."""
    prompt, after = words(subject, min(200, subject.sizes.room // 4)), words(subject, 8, seed=1).ids
    ids = torch.tensor([prompt.ids + after], device=subject.device)
    expected = subject.model(input_ids=ids, logits_to_keep=len(after) + 1).logits[0].float()
    found = {}
    for name, make in caches(subject, len(prompt.ids)).items():
        cache = make()
        logits = [cache.logits(prompt), *map(cache.step, after)]
        worst = max(distance(got.float(), row) for got, row in zip(logits, expected, strict=True))
        found[name] = float(f"{worst:.3g}")
    return found


def distance(got: torch.Tensor, expected: torch.Tensor) -> float:
    relative = float((got - expected).norm() / expected.norm())
    if not relative < float("inf"):
        raise ValueError("the output is not finite")
    return relative


def prefill(subject: Subject) -> dict[str, Any]:
    """Reading a prompt of n positions into an empty cache. FLOP: 2 x layer weights x n; attention is not counted."""
    found = {}
    for length in subject.sizes.prefills:
        prompt = words(subject, length)
        for name, kind in {"static cache": StaticKeyValues, "growing cache": KeyValues}.items():
            cache = kind(subject.model, subject.sizes.room)

            def read(cache: KeyValues = cache, prompt: Prompt = prompt) -> None:
                cache.roll_back(0)
                cache.follow(prompt)

            times = spread(subject.clock.queued(read, subject.sizes.repeats))
            flop = 2 * subject.layer_weights * length
            found[f"{name}, {length}"] = times | {"tflops": round(flop / times["median"] / 1e9, 3)}
    return found
