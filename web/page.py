"""The page at `/`: Gradio lays it out and holds the settings; `static/page.js` holds the conversation."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from voicechat import voices
from voicechat.config import Config

STATIC = Path(__file__).parent / "static"
GRADIO = Path(gr.__file__).parent

# Plain names alone: a font of Gradio's own would be fetched.
SANS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
MONO = ["ui-monospace", "SF Mono", "Menlo", "Consolas", "monospace"]
THEME = gr.themes.Base(primary_hue="teal", neutral_hue="stone", font=SANS, font_mono=MONO, radius_size="md")

HEAD = """
<meta name="color-scheme" content="light dark">
<meta name="description" content="Talk to a machine that hears speech, sound and music.">
<link rel="icon" href="static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="static/page.css">
<link rel="modulepreload" href="static/page.js">
"""
BUILD = "import(new URL('static/page.js', document.baseURI).href).then((page) => page.build())"

# Voices that differ clearly, before the long list of languages.
VOICES = ("espeak:en-us", "espeak:en-us+f3", "espeak:en-us+m3", "espeak:en-gb", "espeak:en-gb+f3", "espeak:en-gb+m7")


def page(models: list[str], config: Config) -> gr.Blocks:
    """`models`: the first is the default; `config`: the voice and instructions that count without the page's own."""
    blocks = gr.Blocks(title="voicechat", analytics_enabled=False, fill_width=True)
    with blocks, gr.Row(elem_id="vc"):
        with gr.Column(elem_id="vc-stage", min_width=0):
            gr.HTML(_fragment("stage.html"), apply_default_css=False, js_on_load=BUILD)
            with gr.Accordion("Settings", open=False, elem_id="vc-settings"):
                _settings(models, config)
        with gr.Column(elem_id="vc-talk", min_width=0):
            gr.HTML(_fragment("talk.html"), apply_default_css=False, js_on_load=None)
    return blocks


def mount(app: FastAPI, models: list[str], config: Config) -> None:
    """Put the page at `/`, behind every route that `app` has by now."""
    # Gradio wants one script from a folder that is ours: its own folder lies in front of it.
    app.mount("/static/js", StaticFiles(directory=GRADIO / "templates/frontend/static/js"))
    app.router.routes.insert(0, app.router.routes.pop())
    gr.mount_gradio_app(
        app, page(models, config), "/", theme=THEME, head=HEAD, footer_links=[], run_history=False, ssr_mode=False
    )


def _settings(models: list[str], config: Config) -> None:
    chosen = voices.full(config.voice)
    with gr.Row(elem_id="vc-voice"):
        voice = gr.Dropdown(
            _voices(chosen), value=chosen, label="Voice", info="Counts from the next answer.",
            allow_custom_value=True, min_width=0, scale=1,
        )  # fmt: skip
        hear = gr.Button("Hear it", elem_id="vc-hear", min_width=0, scale=0)
    model = gr.Dropdown(
        models, value=models[0], label="Model", info="Another one is told the conversation so far.",
        interactive=len(models) > 1,
    )  # fmt: skip
    eagerness = gr.Radio(
        [("Relaxed", "low"), ("Normal", "auto"), ("Quick", "high")], value="auto", label="How soon it answers",
        info="Relaxed, if it answers before you are done; quick, if you wait for it.", elem_id="vc-eagerness",
    )  # fmt: skip
    instructions = gr.Textbox(
        config.instructions, label="Instructions", lines=2, max_lines=6, placeholder="How it should answer",
        info="Count from the next answer.",
    )  # fmt: skip
    noise = gr.Checkbox(
        False, label="Take background noise away", elem_id="vc-noise",
        info="By the browser, in a loud place. It then hears no music and no sounds.",
    )  # fmt: skip
    hear.click(None, voice, None, js="(voice) => { voicechat.hear(voice); }")
    # No function: these run in the browser, and the server hears of them over the wire.
    for component, event, name in (
        (voice, "change", "voice"),
        (model, "change", "model"),
        (instructions, "blur", "instructions"),
    ):
        getattr(component, event)(None, component, None, js=f"({name}) => {{ voicechat.update({{ {name} }}); }}")
    turns = "(eagerness) => { voicechat.update({ turnDetection: voicechat.semantic(eagerness) }); }"
    eagerness.change(None, eagerness, None, js=turns)
    noise.change(None, noise, None, js="(noise) => { voicechat.suppress(noise); }")


def _voices(chosen: str) -> list[tuple[str, str]]:
    """What the menu shows of each voice, and its name: first those that are most unlike each other."""
    listed = list(voices.listed())
    known = {voice.name: voice.label for voice in listed}
    here = [voice.name for voice in listed if voice.here]
    natural = [name for name in here if ":" in name and not name.startswith("espeak:")]
    named: dict[str, str] = {}
    for name in (chosen, *natural, *VOICES, *here, *known):
        named.setdefault(known.get(name) or voices.label(name), name)
    return list(named.items())


def _fragment(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")
