"""What the server counts, as a Prometheus server would read it."""

import asyncio
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from voicechat.events import Speculated, TurnEnded
from voicechat.timing import Timing
from web.metrics import LOOK_S, Metrics


def read(metrics):
    """Every sample by name, with its labels behind it."""
    body, kind = metrics.exposition()
    assert kind.startswith("text/plain")
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def test_every_name_is_ours_and_turns_begin_at_nought():
    values = read(Metrics())
    assert values and all(name.startswith("voicechat_") for name in values)
    for outcome in ("completed", "interrupted", "failed", "withdrawn"):
        assert values[f"voicechat_turns_total {outcome}"] == 0
    assert values["voicechat_process_resident_memory_bytes"] > 1e6


def test_sessions_are_counted_while_they_are_open_and_ever_after():
    metrics = Metrics()
    for _ in range(3):
        metrics.session_opened()
    metrics.session_closed()
    metrics.refused("server_full")
    values = read(metrics)
    assert values["voicechat_sessions"] == 2 and values["voicechat_sessions_opened_total"] == 3
    assert values["voicechat_refused_total server_full"] == 1


def test_a_turn_leaves_its_latencies_in_seconds():
    metrics = Metrics()
    metrics.observe_turn(TurnEnded(1, "what", "that", Timing(500, 30, 60, 900)))
    metrics.observe_turn(TurnEnded(2, "typed", "that", Timing(None, 30, None, 900)))
    values = read(metrics)
    assert values["voicechat_turns_total completed"] == 2
    assert values["voicechat_first_token_seconds_count"] == 2
    assert values["voicechat_first_audio_seconds_count"] == values["voicechat_voice_to_voice_seconds_count"] == 1
    assert values["voicechat_first_token_seconds_sum"] == pytest.approx(0.06)
    assert values["voicechat_voice_to_voice_seconds_sum"] == pytest.approx(0.56)
    assert values["voicechat_voice_to_voice_seconds_bucket 0.5"] == 0
    assert values["voicechat_voice_to_voice_seconds_bucket 0.6"] == 1


def test_what_speculation_wastes():
    metrics = Metrics()
    metrics.speculated(Speculated("finished", True, 40.0))
    metrics.speculated(Speculated("unfinished", False, 30.0))
    metrics.speculated(Speculated("", False, 20.0))
    metrics.resumed()
    values = read(metrics)
    assert values["voicechat_speculations_total true"] == 1 and values["voicechat_speculations_total false"] == 2
    assert values["voicechat_speculation_wasted_seconds_total"] == pytest.approx(0.05)
    assert values["voicechat_resumed_total"] == 1


def test_what_goes_wrong_and_what_is_sent():
    metrics = Metrics()
    for outcome in ("interrupted", "failed", "withdrawn"):
        metrics.turn_cut(outcome)
    metrics.interruption()
    metrics.interruption()
    metrics.error("invalid_value")
    metrics.lagging_closed()
    metrics.received(100)
    metrics.sent(1000, depth=3)
    metrics.sent(500, depth=0, ahead_s=1.95)
    values = read(metrics)
    assert values["voicechat_turns_total withdrawn"] == values["voicechat_turns_total interrupted"] == 1
    assert values["voicechat_interruptions_total"] == 2
    assert values["voicechat_errors_total invalid_value"] == values["voicechat_lagging_closed_total"] == 1
    assert values["voicechat_received_bytes_total"] == 100 and values["voicechat_sent_bytes_total"] == 1500
    assert values["voicechat_outbox_depth_bucket 0.0"] == 1 and values["voicechat_outbox_depth_count"] == 2
    assert values["voicechat_audio_ahead_seconds_count"] == 1 and values["voicechat_audio_ahead_seconds_sum"] == 1.95


async def test_a_blocked_event_loop_is_seen():
    metrics = Metrics()
    watching = asyncio.create_task(metrics.watch_loop())
    await asyncio.sleep(LOOK_S / 2)
    time.sleep(LOOK_S)  # noqa: ASYNC251 - this is what is looked for
    await asyncio.sleep(0.05)
    watching.cancel()
    assert 0.3 * LOOK_S < read(metrics)["voicechat_event_loop_lag_seconds"] < 20 * LOOK_S


def test_two_servers_in_one_process_count_apart():
    first, second = Metrics(), Metrics()
    first.session_opened()
    assert read(second)["voicechat_sessions"] == 0
