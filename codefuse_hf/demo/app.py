"""The app: one tab for each thing to try, one repository for each visitor."""

import functools
import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd

from ..files import readable_size
from .completion import complete, load
from .repositories import INCLUDED, MAX_ARCHIVE, OpenRepository

PROMPTS = ["import os\n\n\ndef read_file(path", "class Stack:\n    def __init__(self", "for key, value in"]
QUESTIONS = ["where are strings escaped", "how is an error reported", "what opens a connection"]
CSS = "iframe.graph { width: 100%; height: 75vh; border: 0 } footer { display: none !important }"


def build_app(language_model: str | None = None, graph_model: str | None = None) -> gr.Blocks:
    """Make the app; `.launch()` starts it.

    Args:
        language_model: folder or repository of a causal language model (Rodimus) to complete code with; None: that tab
            says how to get one.
        graph_model: folder or repository of a CGM to ask; None: that tab shows what a CGM would read.

    Raises:
        OSError: there is no such model.
    """
    model = None if language_model is None else load(language_model)
    reader = None if graph_model is None else _load_reader(graph_model)
    with gr.Blocks(title="codefuse-hf", analytics_enabled=False) as app:
        gr.Markdown("# codefuse-hf\nCode models on the Hugging Face stack: complete, search, look, ask.")
        with gr.Tab("Complete code"):
            _completion_tab(model, language_model)
        with gr.Tab("Look into a repository"):
            _repository_tab(reader)
    app.queue(default_concurrency_limit=2, max_size=32)
    return app


def launch(app: gr.Blocks, **options: Any):
    """Start the app as it is meant to look; returns what `Blocks.launch` does."""
    return app.launch(css=CSS, max_file_size=MAX_ARCHIVE, footer_links=[], **options)


def _completion_tab(model: tuple | None, name: str | None) -> None:
    if model is None:
        gr.Markdown(
            "No language model was given. `codefuse-hf quickstart` trains a small Rodimus+ in about three minutes; then "
            "`codefuse-hf demo --model codefuse-hf-quickstart/model`."
        )
        return
    gr.Markdown(f"`{name}` goes on with your code. Its memory of the text does not grow; that of a Llama does.")
    with gr.Row():
        with gr.Column(scale=3):
            prompt = gr.Textbox(PROMPTS[0], lines=6, label="Code to complete", elem_id="prompt")
            with gr.Row():
                length = gr.Slider(16, 1024, 160, step=16, label="Tokens to add")
                temperature = gr.Slider(0, 1.5, 0.5, step=0.1, label="Temperature (0: the likeliest token)")
            with gr.Row():
                start = gr.Button("Complete", variant="primary", elem_id="complete")
                stop = gr.Button("Stop", elem_id="stop")
            gr.Examples(PROMPTS, prompt)
            out = gr.Code(language="python", label="Completion", elem_id="completion")
        with gr.Column(scale=2):
            speed = gr.Markdown("", elem_id="speed")
            plot = gr.LinePlot(
                x="tokens", y="KiB", color="cache of", height=280, title="Memory for the text so far", elem_id="plot"
            )

    def run(prompt: str, length: int, temperature: float):
        for progress in complete(*model, prompt, int(length), temperature):
            yield progress.text, _speed(progress), _curves(progress)

    def generate(*args):
        try:
            yield from run(*args)
        except ValueError as error:
            raise gr.Error(str(error), print_exception=False) from error

    event = start.click(generate, [prompt, length, temperature], [out, speed, plot])
    stop.click(None, cancels=[event])


def _speed(progress) -> str:
    if not progress.cache:
        return f"{progress.tokens_per_second:.1f} tokens/s"
    times = progress.llama[-1] / progress.cache[-1]
    return (
        f"**{progress.tokens_per_second:.1f} tokens/s**, {progress.lengths[-1]} tokens of text. Cache: "
        f"**{readable_size(progress.cache[-1])}**; keys and values of a Llama of this depth and width (with a quarter of the "
        f"heads for them): {readable_size(progress.llama[-1])}, {times:.2g} times as much, and growing."
    )


def _curves(progress) -> pd.DataFrame:
    rows = [
        {"tokens": length, "KiB": size / 1024, "cache of": name}
        for name, sizes in (("this model", progress.cache), ("a Llama", progress.llama))
        for length, size in zip(progress.lengths, sizes, strict=True)
    ]
    return pd.DataFrame(rows, columns=["tokens", "KiB", "cache of"])


def _repository_tab(reader: tuple | None) -> None:
    opened = gr.State(None, time_to_live=3600, delete_callback=_close)
    gr.Markdown(
        "Choose a repository, or upload one as a ZIP archive (at most "
        f"{readable_size(MAX_ARCHIVE)}). Nothing of it is run, and it is deleted when you leave."
    )
    with gr.Row():
        choice = gr.Dropdown(
            INCLUDED, value=INCLUDED[0], label="A package of Python's standard library", elem_id="choice"
        )
        upload = gr.File(label="Or a ZIP archive", file_types=[".zip"], type="filepath", height=140, elem_id="upload")
    state = gr.Markdown("", elem_id="state")
    with gr.Tab("Search"):
        query = gr.Textbox(label="What are you looking for?", placeholder=QUESTIONS[0], elem_id="query")
        find = gr.Button("Search", variant="primary", elem_id="find")
        gr.Examples(QUESTIONS, query)
        hits = gr.Markdown("", elem_id="hits")
    with gr.Tab("Graph"):
        draw = gr.Button("Draw the code graph", variant="primary", elem_id="draw")
        page = gr.HTML("", elem_id="page")
    with gr.Tab("Ask"):
        question = gr.Textbox(label="A question that names functions or classes", elem_id="question")
        ask = gr.Button("Ask", variant="primary", elem_id="ask")
        answer = gr.Markdown("", elem_id="answer")

    def choose(current: OpenRepository | None, source: Path | str):
        _close(current)
        repository = OpenRepository(source)
        return repository, f"Open: **{html.escape(repository.name)}**", "", "", ""

    cleared = [opened, state, hits, page, answer]
    choice.change(explained(lambda current, name: choose(current, name)), [opened, choice], cleared)
    upload.upload(explained(lambda current, path: choose(current, Path(path))), [opened, upload], cleared)
    gr.on(
        [find.click, query.submit],
        explained(lambda r, name, q: _search(_or_open(r, name), q)),
        [opened, choice, query],
        [opened, hits],
    )
    draw.click(explained(lambda r, name: _draw(_or_open(r, name))), [opened, choice], [opened, page])
    gr.on(
        [ask.click, question.submit],
        explained(lambda r, name, q: _ask(_or_open(r, name), reader, q)),
        [opened, choice, question],
        [opened, answer],
    )


def _or_open(current: OpenRepository | None, name: str) -> OpenRepository:
    return current or OpenRepository(name)


def _close(current: OpenRepository | None) -> None:
    if current is not None:
        current.close()


def _search(repository: OpenRepository, query: str) -> tuple[OpenRepository, str]:
    if not query.strip():
        raise ValueError("say in words what to look for")
    results = repository.index.search(query, k=8)
    if not results:
        return repository, "Nothing found."
    return repository, "\n\n".join(
        f"**{result.kind} {_plain(result.name)}** in {_plain(result.path)}, line {result.line}\n\n{_fenced(result.snippet)}"
        for result in results
    )


def _draw(repository: OpenRepository) -> tuple[OpenRepository, str]:
    # Repository texts are shown in a frame of their own, which reaches neither this page nor its origin.
    page = html.escape(repository.page, quote=True)
    return repository, f'<iframe class="graph" sandbox="allow-scripts" srcdoc="{page}"></iframe>'


def _ask(repository: OpenRepository, reader: tuple | None, question: str) -> tuple[OpenRepository, str]:
    graph = repository.graph
    words = dict.fromkeys(re.findall(r"[A-Za-z_][\w.]*\w", question))
    anchors = list(dict.fromkeys(node for word in words for node in graph.find(word)))
    if not anchors:
        raise ValueError("the question names no function, class or file of this repository: name one as the code does")
    named = ", ".join(_plain(graph.qualified_name(node)) for node in anchors[:8])
    if reader is None:
        neighbours = [f"* {_plain(graph.qualified_name(node))}: {_relations(graph, node)}" for node in anchors[:8]]
        text = "No CGM was given (`codefuse-hf demo --cgm FOLDER`). From these nodes it would begin to read:"
        return repository, "\n".join([text, "", *neighbours])
    model, processor = reader
    prepared = processor.prepare_graph(graph, anchors=anchors)
    has_template = processor.chat_template is not None
    prompt = [{"role": "user", "content": question}] if has_template else f"{question}\n"
    inputs = processor(text=prompt, graph=prepared, encode=model.encode_segments)
    tokens = model.generate(**inputs.to(model.device), max_new_tokens=128, do_sample=False)
    said = processor.decode(tokens[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return (
        repository,
        f"{_fenced(said, 'text')}\n\nNamed in the question: {named}. Read: {_plain(str(prepared.report))}",
    )


def _relations(graph, node: int) -> str:
    parts = []
    for label, found in (
        ("calls", graph.neighbors(node, "calls", "out")),
        ("called by", graph.neighbors(node, "calls", "in")),
    ):
        if found:
            parts.append(f"{label} " + ", ".join(_plain(graph.qualified_name(other)) for other in found[:6]))
    return "; ".join(parts) or "no calls from or to it were found"


def _plain(text: str) -> str:
    """Text of a repository as inline code that Markdown cannot take for anything else."""
    return "<code>" + html.escape(text).replace("\n", " ") + "</code>"


def _fenced(text: str, language: str = "python") -> str:
    """Text of a repository in a fence that is longer than any in it."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}"


def _load_reader(name: str) -> tuple:
    from transformers import AutoModelForCausalLM, AutoProcessor

    processor = AutoProcessor.from_pretrained(name)
    processor.max_nodes = processor.max_nodes or 300
    return AutoModelForCausalLM.from_pretrained(name).eval(), processor


def explained(function: Callable) -> Callable:
    """Show an error that its message explains to the visitor, as Gradio does with its own `Error`."""

    @functools.wraps(function)
    def call(*args):
        try:
            return function(*args)
        except (ValueError, OSError) as error:
            raise gr.Error(str(error), print_exception=False) from error

    return call
