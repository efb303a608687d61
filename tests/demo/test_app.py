"""The app as a visitor uses it: in a browser, types, clicks and reads."""

import time
import zipfile

import pytest
import torch

from codefuse_hf import RodimusConfig, RodimusForCausalLM, RodimusTokenizer

WAIT = 60


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    pytest.importorskip("gradio")
    from codefuse_hf.demo.app import build_app, launch

    folder = tmp_path_factory.mktemp("model")
    tokenizer = RodimusTokenizer.train_from_iterator(
        ["def read_file(path): return open(path).read()"] * 4, 300, show_progress=False
    )
    torch.manual_seed(0)
    config = RodimusConfig(vocab_size=len(tokenizer), d_model=32, n_layer=2, mixer_cfg={"mem_size": 8})
    RodimusForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    app = build_app(str(folder))
    _, address, _ = launch(app, server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
    yield address
    app.close()


class Visitor:
    def __init__(self, browser, address):
        self.browser = browser
        browser.get(address)
        self.until(lambda: self.all("#prompt textarea"), "the page")

    def all(self, selector):
        return [x for x in self.browser.find_elements("css selector", selector) if x.is_displayed()]

    def until(self, condition, what):
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            try:
                if found := condition():
                    return found
            except Exception as error:
                if type(error).__name__ not in ("StaleElementReferenceException", "NoSuchElementException"):
                    raise
            time.sleep(0.1)
        raise AssertionError(
            f"{what} did not come; the page says: {self.browser.find_element('tag name', 'body').text[-800:]}"
        )

    def tab(self, name):
        self.until(lambda: [x for x in self.all("button[role=tab]") if x.text.strip() == name], f"the tab {name}")[
            0
        ].click()

    def click(self, selector):
        self.until(lambda: self.all(selector), selector)[0].click()

    def write(self, selector, text):
        field = self.until(lambda: self.all(selector), selector)[0]
        field.clear()
        field.send_keys(text)

    def text(self, selector):
        return " ".join(x.text for x in self.all(selector))


@pytest.fixture
def visitor(browser, address):
    return Visitor(browser, address)


def test_code_is_completed_with_speed_and_memory(visitor):
    visitor.write("#prompt textarea", "def read_file(path):")
    visitor.click("#complete")
    visitor.until(lambda: "tokens/s" in visitor.text("#speed") and "growing" in visitor.text("#speed"), "the speed")
    visitor.until(lambda: "def read_file(path):" in visitor.text("#completion"), "the completion")
    visitor.until(lambda: visitor.all("#plot canvas, #plot svg"), "the plot")


def test_a_repository_is_searched(visitor):
    visitor.tab("Look into a repository")
    visitor.write("#query textarea, #query input", "decode a JSON document")
    visitor.click("#find")
    visitor.until(lambda: "decode" in visitor.text("#hits"), "results")


def test_its_graph_is_drawn_in_a_frame(visitor):
    visitor.tab("Look into a repository")
    visitor.tab("Graph")
    visitor.click("#draw")
    frame = visitor.until(lambda: visitor.all("#page iframe"), "the graph")[0]
    assert frame.get_attribute("sandbox") == "allow-scripts"  # of another origin than the app
    visitor.browser.switch_to.frame(frame)
    visitor.until(lambda: visitor.browser.execute_script("return document.body.dataset.ready") == "true", "the map")
    visitor.browser.switch_to.default_content()


def test_a_question_shows_what_a_cgm_would_read(visitor):
    visitor.tab("Look into a repository")
    visitor.tab("Ask")
    visitor.write("#question textarea, #question input", "What calls JSONDecoder.raw_decode ?")
    visitor.click("#ask")
    visitor.until(lambda: "called by" in visitor.text("#answer"), "the answer")
    visitor.write("#question textarea, #question input", "what is the weather")
    visitor.click("#ask")
    visitor.until(lambda: "names no function" in visitor.browser.find_element("tag name", "body").text, "the refusal")


@pytest.mark.parametrize("bad", ["escapes", "no archive"])
def test_an_upload_is_opened_and_a_bad_one_refused(visitor, tmp_path, bad):
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as opened:
        opened.writestr("tool.py", "def measure_rainfall(gauge):\n    return gauge.level\n")
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as opened:
        opened.writestr("../evil.py", "x")
    if bad == "no archive":
        (tmp_path / "bad.zip").write_bytes(b"nothing")
    visitor.tab("Look into a repository")
    upload = visitor.browser.find_element("css selector", "#upload input[type=file]")
    upload.send_keys(str(tmp_path / "mine.zip"))
    visitor.until(lambda: "mine" in visitor.text("#state"), "the upload")
    visitor.write("#query textarea, #query input", "how much rain fell")
    visitor.click("#find")
    visitor.until(lambda: "measure_rainfall" in visitor.text("#hits"), "results")
    visitor.browser.refresh()
    visitor.tab("Look into a repository")
    upload = visitor.until(lambda: visitor.browser.find_elements("css selector", "#upload input[type=file]"), "upload")[
        0
    ]
    upload.send_keys(str(tmp_path / "bad.zip"))
    told = "refused" if bad == "escapes" else "not a ZIP archive"
    visitor.until(lambda: told in visitor.browser.find_element("tag name", "body").text, "the refusal")


def test_two_visitors_have_a_repository_each(visitor, address):
    browser = visitor.browser
    visitor.tab("Look into a repository")
    visitor.write("#query textarea, #query input", "decode a JSON document")
    visitor.click("#find")
    visitor.until(lambda: "decoder.py" in visitor.text("#hits"), "results")
    first = browser.current_window_handle
    browser.switch_to.new_window("tab")
    try:
        other = Visitor(browser, address)
        other.tab("Look into a repository")
        other.click("#choice input")
        other.until(lambda: [x for x in other.all("[role=option]") if x.text.strip().endswith("email")], "choices")[
            0
        ].click()
        other.until(lambda: "email" in other.text("#state"), "the other repository")
        other.write("#query textarea, #query input", "parse a message header")
        other.click("#find")
        other.until(lambda: "header" in other.text("#hits"), "results")
        browser.close()
    finally:
        browser.switch_to.window(first)
    visitor.click("#find")
    visitor.until(lambda: "decoder.py" in visitor.text("#hits"), "the first visitor's results")


def test_it_fits_a_phone(visitor, address):
    browser = visitor.browser
    size = browser.get_window_size()
    browser.set_window_size(500, 900)  # the narrowest that Chromium allows
    try:
        narrow = Visitor(browser, address)
        narrow.until(lambda: narrow.all("#complete"), "the button")
        assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth + 1")
    finally:
        browser.set_window_size(size["width"], size["height"])


def test_the_space_is_what_the_command_starts():
    """The Space's folder runs the same app, on the version of Gradio that is tested here."""
    import ast
    from importlib.metadata import version

    from helpers import TESTS

    folder = TESTS.parent / "examples" / "space"
    names = {
        alias.name
        for node in ast.walk(ast.parse((folder / "app.py").read_text()))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert names == {"build_app", "launch"}
    front = (folder / "README.md").read_text().split("---")[1]
    assert "sdk: gradio" in front and "app_file: app.py" in front
    assert version("gradio").split(".")[0] == front.split("sdk_version: ")[1].split(".")[0]
