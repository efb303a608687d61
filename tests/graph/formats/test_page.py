"""The page of a graph, as text and in a real browser (headless Chromium, where one is installed)."""

import html.parser
import json
import re
import time

import pytest
from hypothesis import given, settings

from codefuse_hf.graph import CodeGraph
from codefuse_hf.graph.formats.page.render import MAX_TEXT, render_page, save_page
from helpers.graph_strategies import GOLDEN, graph_parts

HOSTILE = (
    "</script><script>document.title='hacked'</script><img src=x onerror=\"document.title='hacked'\"><!-- ]]> {{DATA}}"
)


class Scripts(html.parser.HTMLParser):
    """Collects the tags of a page and the content of its scripts, as a browser would see them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.scripts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, text):
        if self.tags and self.tags[-1] == "script":
            self.scripts[-1] += text


def payload(page: str) -> dict:
    return json.loads(Scripts(page).scripts[0])


def big_graph(count: int) -> CodeGraph:
    """`count` functions in files of 50, in packages of 20 files, with calls across."""
    nodes, edges = [{"nodeType": "Repo", "id": 0, "repoName": "big"}], []
    package = file = 0
    for number in range(count):
        if number % 1000 == 0:
            package = len(nodes)
            nodes.append({"nodeType": "Package", "id": package, "name": f"p{number // 1000}"})
            edges.append(("contains", 0, package))
        if number % 50 == 0:
            file = len(nodes)
            text = "".join(f"def f{number + i}(x):\n    return x + {i}\n" for i in range(50))
            nodes.append(
                {
                    "nodeType": "File",
                    "id": file,
                    "fileName": f"m{number // 50}.py",
                    "filePath": f"p{number // 1000}",
                    "text": text,
                }
            )
            edges.append(("contains", package, file))
        line = 2 * (number % 50) + 1
        text = f"def f{number}(x):\n    return x + {number % 50}"
        nodes.append(
            {
                "nodeType": "Function",
                "id": len(nodes),
                "name": f"f{number}",
                "text": text,
                "startLoc": line,
                "endLoc": line + 1,
                "col": 0,
            }
        )
        edges.append(("contains", file, len(nodes) - 1))
        edges.append(("calls", len(nodes) - 1, 3 + number * 7 % len(nodes)))
    return CodeGraph.from_records(nodes, edges)


@pytest.fixture(scope="module")
def demo() -> CodeGraph:
    return CodeGraph.load(GOLDEN / "demo.graph.json")


# ---------------------------------------------------------------------- the page as text


def test_the_page_holds_every_node_and_edge(demo):
    data = payload(render_page(demo)[0])
    assert sorted(row for row in data["nodes"]["id"] if row >= 0) == demo.node_ids.tolist()
    ids = data["nodes"]["id"]
    edges = {(data["edgeTypes"][k], ids[a], ids[b]) for k, a, b in zip(*data["edges"].values(), strict=True)}
    assert edges == {edge for edge in demo.edges() if edge[0] != "contains"}


def test_rows_are_in_pre_order_and_end_where_their_subtree_ends(demo):
    nodes = payload(render_page(demo)[0])["nodes"]
    for row, (parent, stop) in enumerate(zip(nodes["parent"], nodes["stop"], strict=True)):
        assert parent < row < stop <= len(nodes["id"])
        assert all(nodes["parent"][inner] >= row for inner in range(row + 1, stop))


def test_source_inside_a_file_is_held_once():
    page, _ = render_page(big_graph(100))
    assert page.count("def f7(x)") == 1


def test_the_page_reaches_for_nothing_outside(demo):
    page, _ = render_page(demo)
    assert not re.search(
        r"""(src|href|action)\s*=\s*["']""",
        page.partition("<body>")[0] + page.partition("<body>")[2].split("<script", 1)[0],
    )
    assert "default-src 'none'" in page and "http" not in page.split('id="graph-data"')[0].replace("http-equiv", "")


@settings(max_examples=30, deadline=None)
@given(graph_parts())
def test_no_text_of_the_graph_becomes_markup(parts):
    page, _ = render_page(CodeGraph.from_records(*parts), title=HOSTILE)
    plain, _ = render_page(CodeGraph.from_records([]))
    assert Scripts(page).tags == Scripts(plain).tags
    assert payload(page)["title"] == HOSTILE


def test_cyclic_containment_is_drawn():
    nodes = [{"nodeType": "Package", "id": i, "name": str(i)} for i in range(4)]
    graph = CodeGraph.from_records(
        nodes, [("contains", 0, 1), ("contains", 1, 2), ("contains", 2, 0), ("contains", 2, 3)]
    )
    assert sorted(row for row in payload(render_page(graph)[0])["nodes"]["id"] if row >= 0) == [0, 1, 2, 3]


def test_detail_is_left_out_above_the_limit_and_its_edges_are_drawn_higher():
    graph = big_graph(400)
    page, left_out = render_page(graph, max_nodes=50)
    data = payload(page)
    assert left_out == data["leftOut"] == {"Function": 400} and len(data["nodes"]["id"]) == 10
    assert data["edges"]["type"] and {
        data["nodeTypes"][data["nodes"]["type"][row]] for row in data["edges"]["source"]
    } == {"File"}
    with pytest.raises(ValueError, match="do not fit on a page of 5"):
        render_page(graph, max_nodes=5)


def test_a_very_long_text_is_cut_and_says_so():
    graph = CodeGraph.from_records([{"nodeType": "File", "id": 1, "fileName": "big.py", "text": "x = 1\n" * MAX_TEXT}])
    (text,) = payload(render_page(graph)[0])["nodes"]["text"]
    assert len(text) < MAX_TEXT + 100 and "more characters" in text


def test_five_thousand_nodes_make_a_page_quickly(tmp_path):
    graph = big_graph(5000)
    start = time.process_time()
    save_page(graph, tmp_path / "g.html")
    assert time.process_time() - start < 5  # about 1 s


# ---------------------------------------------------------------------- the page in a browser


@pytest.fixture(scope="module")
def big_page(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "g.html"
    save_page(big_graph(5000), path)
    return path


def open_page(browser, path, fragment=""):
    browser.get("about:blank")
    browser.get(path.as_uri() + fragment)
    assert browser.execute_script("return document.body.dataset.ready") == "true", browser.get_log("browser")


def settle(browser) -> None:
    """Waits until nothing moves on the map any more."""
    browser.execute_async_script(
        "const done = arguments[0]; setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), 500)"
    )


def panel(browser) -> str:
    return browser.find_element("id", "panel").text


def pixels(browser) -> int:
    """How many different colours the map shows."""
    return browser.execute_script(
        "const c = document.getElementById('map'), d = new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer);"
        "return new Set(d).size"
    )


def test_five_thousand_nodes_open_draw_and_answer(browser, big_page, tmp_path):
    open_page(browser, big_page)
    settle(browser)
    assert pixels(browser) > 50
    assert browser.save_screenshot(str(tmp_path / "page.png"))
    assert "5,106 nodes" in browser.find_element("id", "totals").text
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0
    frame = browser.execute_script(
        "const start = performance.now(); for (let i = 0; i < 10; i++) document.getElementById('zoom-in').click(); return performance.now() - start"
    )
    assert frame < 2000


def test_search_finds_and_shows_source_and_neighbours(browser, big_page):
    open_page(browser, big_page)
    search = browser.find_element("id", "search")
    search.send_keys("f4321")
    results = browser.find_elements("css selector", "#results li")
    assert results[0].text.startswith("f4321")
    search.send_keys("\n")
    settle(browser)
    text = panel(browser)
    assert "def f4321(x):" in text and "p4/m86.py" in text and "Calls" in text
    browser.find_element("css selector", "#panel .list .link").click()
    settle(browser)
    assert "def f4321" not in panel(browser).split("Source")[1]


def test_a_click_on_the_map_selects_what_is_there(browser, big_page):
    open_page(browser, big_page)
    settle(browser)
    browser.find_element("id", "map").click()
    assert browser.find_element("css selector", "#panel .kind").text.split()[0] in ("File", "Package", "Function")
    assert browser.execute_script("return location.hash").lstrip("#").isdigit()


def test_a_link_with_an_id_opens_that_node(browser, big_page):
    open_page(browser, big_page, "#3")
    assert "f0" in panel(browser)


def test_filters_change_the_map(browser, big_page):
    open_page(browser, big_page)
    settle(browser)
    before = browser.find_element("id", "map").screenshot_as_png
    browser.find_element("css selector", "[data-name=File]").click()
    settle(browser)
    without_files = browser.find_element("id", "map").screenshot_as_png
    browser.find_element("css selector", "[data-name=calls]").click()
    settle(browser)
    assert len({before, without_files, browser.find_element("id", "map").screenshot_as_png}) == 3
    browser.find_element("id", "search").send_keys("m12.py")
    assert browser.find_elements("css selector", "#results li")[0].text.startswith("f600"), "a hidden type is not found"


def test_wheel_zooms_and_the_theme_changes(browser, big_page):
    open_page(browser, big_page)
    settle(browser)
    before = browser.find_element("id", "map").screenshot_as_png
    browser.execute_script(
        "document.getElementById('map').dispatchEvent(new WheelEvent('wheel', {deltaY: -900, clientX: 300, clientY: 300, cancelable: true}))"
    )
    settle(browser)
    zoomed = browser.find_element("id", "map").screenshot_as_png
    browser.find_element("id", "theme").click()
    settle(browser)
    assert len({before, zoomed, browser.find_element("id", "map").screenshot_as_png}) == 3


def test_hostile_text_is_shown_and_never_run(browser, tmp_path):
    nodes = [
        {"nodeType": "Repo", "id": 0, "repoName": HOSTILE},
        {"nodeType": "File", "id": 1, "fileName": HOSTILE, "filePath": HOSTILE, "text": HOSTILE},
        {
            "nodeType": "Function",
            "id": 2,
            "name": HOSTILE,
            "header": HOSTILE,
            "comment": HOSTILE + "!",
            "text": HOSTILE,
            "startLoc": 1,
            "endLoc": 1,
        },
    ]
    graph = CodeGraph.from_records(nodes, [("contains", 0, 1), ("contains", 1, 2), ("calls", 2, 1), ("calls", 1, 2)])
    save_page(graph, tmp_path / "g.html")
    open_page(browser, tmp_path / "g.html", "#2")
    settle(browser)
    assert browser.title == f"{HOSTILE} · code graph" and HOSTILE in panel(browser)
    assert browser.find_elements("css selector", "img, #panel script, #results script") == []


def test_the_overview_tells_of_edges_that_were_dropped(browser, demo, tmp_path):
    save_page(demo, tmp_path / "g.html")
    open_page(browser, tmp_path / "g.html")
    assert "2 edges were left out" in panel(browser) and "calls" in panel(browser)


def test_an_empty_graph_opens(browser, tmp_path):
    save_page(CodeGraph.from_records([]), tmp_path / "g.html")
    open_page(browser, tmp_path / "g.html")
    assert "0 nodes" in browser.find_element("id", "totals").text
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
