"""Train `mini`, resumably.

    python -m training.train RUN --hours 2            warm-up, steady, decay, all within two hours
    python -m training.train RUN --hours 2 --steady   the same without the decay, to be continued

The hours count from the run's beginning: a run that was stopped goes on from its last checkpoint.

Two losses. CTC (Graves 2006) on phonemes from the encoder's 50-Hz states, before AF3's pooling,
where a phoneme has frames enough; and the language model's cross-entropy on the assistant's words,
over conversations of one to four turns: spoken, typed, and transcription requests. The CTC comes
first alone: a language model learns nothing from an encoder that hears nothing.

Hidden matrices are trained by Muon (Jordan 2024), everything else by AdamW. On a CPU without bfloat16
instructions, where that type is forty times slower, everything is float32 and AdamW.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface, AutoProcessor
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from streaming.encoder import embeddings_of, steps_of, tokens_of, tower_states
from training.augment import batch_of
from training.corpus import Utterance, read_shard, read_sounds
from training.curriculum import NOTHING, Line, a_line
from training.shape import SYSTEM, TRANSCRIBE, build_model, build_processor, save
from training.typed import as_typed
from training.voices import phonemes
from voicechat.verdict import unmarked
from voicechat.writable import new_folder

IGNORE = -100
TYPED = {"sums": 0.5, "digits": 0.1, "visitors": 0.25, "other": 0.15}  # the mixture of typed turns
BATCH = 96
RATE = 2e-3  # peak learning rate
HEARING = 90_000  # utterances that the encoder trains on alone before the language model joins
ROWS = (200, 300, 300, 900)  # tokens of a training conversation, about; 900 is what mini is to hold
SILENT = Line("nothing", "", NOTHING)


@dataclass(slots=True)
class Batch:
    mel: torch.Tensor
    lengths: torch.Tensor
    phones: torch.Tensor
    phone_counts: torch.Tensor
    ids: torch.Tensor  # [conversations, tokens]; `<sound>` stands where audio embeddings go
    labels: torch.Tensor


class Data:
    """Utterances in memory, dealt in batches of like length."""

    def __init__(self, run: Path, tokenizer, transcripts: float = 0.4) -> None:
        """`transcripts`: the share of clips that are to be written down, and not answered."""
        self.run, self.tokenizer, self.transcripts = run, tokenizer, transcripts
        self.rng = random.Random(time.time_ns())
        self.sounds = read_sounds(run / "corpus" / "sounds.pt")
        self.shards: set[Path] = set()
        self.utterances: list[Utterance] = []
        self.lexicon: dict[str, list[int]] = {}
        self.phone_ids = json.loads((run / "phones.json").read_text()) if (run / "phones.json").exists() else {}
        self.deck: list[list[Utterance]] = []
        self.known: dict[str, list[int]] = {}
        self.refresh()

    def refresh(self) -> None:
        """Take in the shards that have been made since the last time."""
        new = sorted(set((self.run / "corpus").glob("speech-*.pt")) - self.shards)
        for path in new:
            self.utterances += read_shard(path)
        self.shards |= set(new)
        words = sorted({w for u in self.utterances for w in u.line.words.split()} - set(self.lexicon))
        if words:
            for word, phones in phonemes(words).items():
                self.lexicon[word] = [self.phone_ids.setdefault(p, len(self.phone_ids) + 1) for p in phones]
            (self.run / "phones.json").write_text(json.dumps(self.phone_ids))

    def _deal(self, size: int) -> list[Utterance]:
        if not self.deck:
            self.refresh()
            pool = self.utterances + [
                Utterance(SILENT, s[a : a + 30 + int(370 * self.rng.random() ** 2)])  # the short ones are the hard ones
                for s in self.rng.choices(self.sounds, k=len(self.utterances) // 10)
                for a in [self.rng.randint(0, 150)]
            ]
            pool.sort(key=lambda u: len(u.mel) * self.rng.uniform(0.95, 1.05))
            self.deck = [pool[i : i + size] for i in range(0, len(pool) - size + 1, size)]
            self.rng.shuffle(self.deck)
        return self.deck.pop()

    def batch(self, size: int) -> Batch:
        clips = self._deal(size)
        self.rng.shuffle(clips)
        mel, lengths = batch_of([u.mel for u in clips], self.sounds)
        phones = [[p for w in u.line.words.split() for p in self.lexicon[w]] for u in clips]
        rows = self._conversations([u.line for u in clips], [tokens_of(n) for n in lengths.tolist()])
        ids = [[i for piece, _ in row for i in piece] for row in rows]
        labels = [[i if learn else IGNORE for piece, learn in row for i in piece] for row in rows]
        longest = -(-max(len(row) for row in ids) // 32) * 32
        pad = self.tokenizer.pad_token_id
        return Batch(
            mel, lengths,
            torch.tensor([p for row in phones for p in row], dtype=torch.long),
            torch.tensor([len(row) for row in phones]),
            torch.tensor([row + [pad] * (longest - len(row)) for row in ids]),
            torch.tensor([row + [IGNORE] * (longest - len(row)) for row in labels]),
        )  # fmt: skip

    def _conversations(self, lines: list[Line], counts: list[int]) -> list[list[tuple[list[int], bool]]]:
        """Deal the clips into conversations; each piece with whether it is learned."""
        say = self._tokens
        rows, room, longest, before = [], 0, self.rng.choice(ROWS), 0
        for number, (line, count) in enumerate(zip(lines, counts, strict=True), 1):
            if number < len(lines) and self.rng.random() < 0.05:
                before += count  # a clip that was not answered: the next one stands in the same message
                continue
            turn = []
            if self.rng.random() < 0.6:  # the sums themselves are learned from text: it costs a fraction of sound
                question = a_line(self.rng, TYPED)
                typed = as_typed(question, self.rng)
                turn += [
                    (say(f"<|im_start|>user\n{typed}<|im_end|>\n<|im_start|>assistant\n"), False),
                    (say(f"{unmarked(question.answer)}<|im_end|>"), True),
                    (say("\n"), False),
                ]
            transcribe = self.rng.random() < (min(0.1, self.transcripts) if line.skill == "other" else self.transcripts)
            turn += [
                (say("<|im_start|>user\n") + say("<sound>") * (before + count), False),
                (say(f"{TRANSCRIBE if transcribe else ''}<|im_end|>\n<|im_start|>assistant\n"), False),
                (say(f"{line.words if transcribe else line.answer}<|im_end|>"), True),
                (say("\n"), False),
            ]
            before = 0
            cost = sum(len(piece) for piece, _ in turn)
            if cost > room:
                rows.append([(say(f"<|im_start|>system\n{SYSTEM}<|im_end|>\n"), False)])
                room = longest
            rows[-1] += turn
            room -= cost
        return rows

    def _tokens(self, text: str) -> list[int]:
        known = self.known.get(text)
        if known is None:
            if len(self.known) > 200_000:
                self.known.clear()
            known = self.known[text] = self.tokenizer(text, add_special_tokens=False).input_ids
        return known


def wide_attention(module, query, key, value, mask, **options):
    """Attention in float32 under autocast: on a CPU its kernel is twice as fast as bfloat16's."""
    with torch.autocast("cpu", enabled=False):
        out, weights = sdpa_attention_forward(module, query.float(), key.float(), value.float(), mask, **options)
    return out.to(query.dtype), weights


AttentionInterface.register("wide", wide_attention)
AttentionMaskInterface.register("wide", sdpa_mask)


class Learner(torch.nn.Module):
    """The model and the CTC head that is thrown away after training."""

    def __init__(self, model, phones: int, frozen: bool = False) -> None:
        """`frozen`: the encoder stays as it is, and costs a third: only the language model learns."""
        super().__init__()
        self.model, self.frozen = model, frozen
        if model.device.type == "cpu":
            model.set_attn_implementation("wide")
        self.phone_norm = torch.nn.LayerNorm(model.config.audio_config.hidden_size)
        self.phone_head = torch.nn.Linear(model.config.audio_config.hidden_size, phones)
        if frozen:
            for part in (model.model.audio_tower, self.phone_norm, self.phone_head):
                part.requires_grad_(False)

    def forward(self, batch: Batch, talk: bool) -> dict[str, torch.Tensor]:
        model = self.model
        frames = batch.lengths.tolist()
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            states = tower_states(model.model.audio_tower, batch.mel, frames)
        losses = {} if self.frozen else self._phones(batch, states, frames)
        if talk:
            audio = embeddings_of(model.model, states)
            tokens = torch.tensor([tokens_of(f) for f in frames], device=audio.device)
            valid = torch.arange(audio.shape[1], device=audio.device) < tokens[:, None]
            embeds = model.get_input_embeddings()(batch.ids)
            embeds = embeds.masked_scatter(
                (batch.ids == model.config.audio_token_id)[..., None].expand_as(embeds),
                audio[valid].to(embeds.dtype),
            )
            states = model.model.language_model(inputs_embeds=embeds, use_cache=False).last_hidden_state
            learn = batch.labels[:, 1:] != IGNORE
            logits = model.lm_head(states[:, :-1][learn])
            losses["words"] = functional.cross_entropy(logits.float(), batch.labels[:, 1:][learn])
        return losses

    def _phones(self, batch: Batch, states: torch.Tensor, frames: list[int]) -> dict[str, torch.Tensor]:
        heard = self.phone_head(self.phone_norm(states)).float().log_softmax(-1)
        steps = torch.tensor([steps_of(f) for f in frames])
        loss = functional.ctc_loss(
            heard.transpose(0, 1), batch.phones, steps, batch.phone_counts, zero_infinity=True, reduction="sum"
        )  # fmt: skip
        with torch.no_grad():
            spikes = (heard.argmax(-1) != 0).float().mean()
        return {"ctc": loss / batch.phone_counts.sum().clamp(min=1), "spikes": spikes}


def has_bfloat16(device: str) -> bool:
    """Whether it computes in bfloat16, and not only knows it."""
    return device == "cuda" or torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def optimisers(learner: Learner, rate: float, narrow: bool) -> list[torch.optim.Optimizer]:
    """`narrow`: with bfloat16, which torch's Muon always uses."""
    hidden, rest = [], []
    for name, p in learner.named_parameters():
        if not p.requires_grad:
            continue
        inside = ".layers." in name or "multi_modal_projector" in name
        (hidden if p.ndim == 2 and inside else rest).append(p)
    if not narrow:
        return [torch.optim.AdamW(hidden + rest, lr=rate, weight_decay=0.01, betas=(0.9, 0.98))]
    return [
        torch.optim.Muon(hidden, lr=rate, weight_decay=0.02, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=rate, weight_decay=0.01, betas=(0.9, 0.98)),
    ]


def rate_at(done: float, steady: bool) -> float:
    """Share of the peak learning rate after `done` (0-1) of the time: warm-up, steady, decay."""
    if done < 0.01:
        return max(0.02, done / 0.01)
    return 1.0 if steady or done < 0.7 else max(0.02, (1 - done) / 0.3)


def train(
    run: Path,
    hours: float,
    size: int,
    rate: float,
    hearing: float,
    steady: bool,
    device: str,
    begin: Path | None = None,
    frozen: bool = False,
) -> None:
    """`hearing`: utterances before the language model joins. `steady`: leave the decay to a later call.
    `begin`: a model directory whose weights a new run begins with, `frozen` those of its encoder."""
    processor = _processor(run / "mini", begin)
    data = Data(run, processor.tokenizer)
    torch.manual_seed(0)
    learner = Learner(build_model(processor.tokenizer), 80, frozen).to(device)
    narrow = has_bfloat16(device)
    optims = optimisers(learner, rate, narrow)
    seen, spent = 0, 0.0
    state = run / "state.pt"
    if state.exists():
        saved = torch.load(state, map_location=device)
        learner.load_state_dict(saved["learner"])
        for optim, values in zip(optims, saved["optims"], strict=True):
            optim.load_state_dict(values)
        seen, spent = saved["seen"], saved["spent"]
    elif begin:
        learner.model.load_state_dict(type(learner.model).from_pretrained(begin, dtype=torch.float32).state_dict())
        seen = int(hearing)
    torch.manual_seed(time.time_ns() % 2**31)
    start, step, sums = time.monotonic() - spent, 0, {}
    lap = time.monotonic()
    leaving = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: leaving.set())  # with a checkpoint: the run can go on later
    while (spent := time.monotonic() - start) < hours * 3600 and not leaving.is_set():
        batch = data.batch(size)
        batch = Batch(*(getattr(batch, f).to(device) for f in Batch.__slots__))
        share = rate_at(spent / (hours * 3600), steady)
        for optim in optims:
            for group in optim.param_groups:
                group["lr"] = rate * share
        with torch.autocast(device, torch.bfloat16, enabled=narrow):
            losses = learner(batch, talk=seen >= hearing)
        loss = losses.get("ctc", torch.zeros(())) * 0.5 + losses.get("words", torch.zeros(()))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
        for optim in optims:
            optim.step()
            optim.zero_grad(set_to_none=True)
        seen, step = seen + size, step + 1
        for name, value in losses.items():
            sums.setdefault(name, []).append(value.item())
        if step % 50 == 0:
            row = {"seen": seen, "minutes": round(spent / 60, 1), "rate": share * rate}
            row |= {name: round(sum(values) / len(values), 4) for name, values in sums.items()}
            row["per_second"] = round(50 * size / (time.monotonic() - lap))
            lap = time.monotonic()
            sums = {}
            with (run / "log.jsonl").open("a") as log:
                log.write(json.dumps(row) + "\n")
            print(row, flush=True)
        if step % 200 == 0:
            _checkpoint(state, learner, optims, seen, spent)
    _checkpoint(state, learner, optims, seen, spent)
    save(learner.model, processor, run / "mini")


def _processor(folder: Path, begin: Path | None):
    """The run's own: the tokenizer is trained on the curriculum, and must not change when that does."""
    for known in (folder, begin):
        if known and known.is_dir():
            return AutoProcessor.from_pretrained(known, local_files_only=True)
    processor = build_processor()
    processor.save_pretrained(folder)
    return processor


def _checkpoint(path: Path, learner: Learner, optims, seen: int, spent: float) -> None:
    part = path.with_suffix(".part")
    torch.save(
        {
            "learner": learner.state_dict(),
            "optims": [o.state_dict() for o in optims],
            "seen": seen,
            "spent": spent,
        },
        part,
    )
    part.rename(path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=new_folder)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--hearing", type=float, default=HEARING)
    parser.add_argument("--begin", type=Path, help="a model directory to go on from, in a new run")
    parser.add_argument("--frozen", action="store_true", help="leave the encoder as it is: only the answers change")
    parser.add_argument("--steady", action="store_true")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    a = parser.parse_args()
    train(a.run, a.hours, a.batch, a.rate, a.hearing, a.steady, a.device, a.begin, a.frozen)
