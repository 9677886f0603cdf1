"""The pages in a real browser: filters, links, colours, nothing that runs or loads, and how they look on a phone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import browser_example
import pytest
import report_example as example
from browser_example import HOSTILE
from chromium import Chromium, started

from evalharness.report import checkpoint_document, figures_of, to_pages
from evalharness.report.completion_browser import CompletionBrowser
from evalharness.report.parts import Heading, Paragraph, Table
from evalharness.report.writers import html as html_writer

chromium = pytest.fixture(scope="module")(started)


def test_beside_others_each_completion_says_which_checkpoint_wrote_it(chromium: Chromium, tmp_path: Path) -> None:
    chromium.open(written(tmp_path, [Heading("t", 1)], columns_of(1, 1000)))
    columns = chromium.run(
        "return [...document.querySelectorAll('.columns > div')].map(column => "
        "[column.querySelector('.label'), ...column.querySelectorAll('summary')].map(e => e.textContent))"
    )
    assert len({name for name, *_ in columns}) == 2
    assert all(line.startswith(f"{name}, ") for name, *lines in columns for line in lines)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole report with figures, and six completions."""
    card, evidence = example.scorecard(), example.evidence()
    document = checkpoint_document(card, evidence, figures_of(card, evidence))
    return written(tmp_path_factory.mktemp("report"), document, browser_example.browser())


def written(folder: Path, document, browser: CompletionBrowser) -> Path:
    pages = to_pages(document, browser)
    for name, page in pages.items():
        (folder / name).write_bytes(page.encode("utf-8", "surrogatepass"))
    return folder / next(iter(pages))


def completions(chromium: Chromium) -> list[str]:
    """The completions that the filters leave, by their anchors."""
    return chromium.run(
        "return [...document.querySelectorAll('.completion')].filter(e => e.checkVisibility())"
        ".map(e => e.lastElementChild.id)"
    )


def test_filters_leave_what_they_say(chromium: Chromium, report: Path) -> None:
    chromium.screen()
    chromium.open(report)
    assert len(completions(chromium)) == 6
    chromium.choose("verdict", "passed")
    assert completions(chromium) == ["warmup/warmup/0/sampled/0", "warmup/warmup/1/greedy/0"]
    chromium.choose("decoding", "greedy")
    assert completions(chromium) == ["warmup/warmup/1/greedy/0"]
    assert chromium.run("return document.querySelector('output').textContent") == "1 of 6 completions"
    chromium.click("button[type=reset]")
    chromium.wait("document.querySelector('output').textContent.startsWith('6 ')")
    chromium.choose("kind", "newline")
    assert completions(chromium) == ["warmup/warmup/0/greedy/0", "warmup/warmup/1/sampled/0"]


def test_a_chosen_problem_is_opened(chromium: Chromium, report: Path) -> None:
    chromium.open(report)
    assert not chromium.run("return document.querySelectorAll('.completion[open]').length")
    chromium.choose("problem", "warmup/warmup/1")
    assert chromium.run("return document.querySelectorAll('.completion[open]').length") == 3


def test_a_link_leads_to_one_completion(chromium: Chromium, report: Path) -> None:
    anchor = "warmup/warmup/1/sampled/0"
    chromium.open(report, f"?verdict=passed#{anchor}")
    assert anchor in chromium.shown(".completion[open] > div")
    assert len(completions(chromium)) == 3, "the filter of the address holds for the others"
    chromium.wait(below_the_filters(anchor))
    own = chromium.run("return document.getElementById(arguments[0]).querySelector('a.own').href", anchor)
    assert own.endswith(f"#{anchor}")


def below_the_filters(anchor: str) -> str:
    """Whether the summary of a completion is on the screen, and the filters don't cover it."""
    return (
        "[document.querySelector('.filters').getBoundingClientRect().bottom, "
        f"document.getElementById('{anchor}').closest('.completion').getBoundingClientRect().top, innerHeight]"
        ".every((edge, i, edges) => !i || edges[i - 1] <= edge)"
    )


def columns_of(*steps: int) -> CompletionBrowser:
    """Twelve problems, each with a greedy completion and nine sampled ones of each step."""
    each = [
        (browser_example.completion(column=i), *(browser_example.sampled(n, column=i) for n in range(9)))
        for i, _ in enumerate(steps)
    ]
    every = [completion for of_step in each for completion in of_step]
    names = tuple(f"small, step {step:,}" for step in steps)
    return CompletionBrowser(names, tuple(browser_example.problem(n, *every) for n in range(12)))


STACKED = """
const target = document.getElementById(arguments[0]).closest('.completion');
const problem = target.closest('.problem'), bar = document.querySelector('.filters');
const [asked, heading] = ['.asked', 'h3'].map(name => problem.querySelector(name).getBoundingClientRect());
const filters = getComputedStyle(bar).position === 'sticky' ? bar.getBoundingClientRect().bottom : 0;
const beside = asked.right <= target.getBoundingClientRect().left;
return [filters, heading.top, heading.bottom, asked.top, beside ? asked.top : asked.bottom,
        target.getBoundingClientRect().top, innerHeight - 40].map(Math.round);
"""


@pytest.mark.parametrize("width", [400, 700, 1400])
@pytest.mark.parametrize("steps", [(10,), (10, 20, 30)])
def test_a_link_leaves_the_heading_and_the_prompt_in_sight(
    chromium: Chromium, tmp_path: Path, width: int, steps: tuple[int, ...]
) -> None:
    page = written(tmp_path, [Heading("t", 1)], columns_of(*steps))
    last = f"/{len(steps) - 1}" if len(steps) > 1 else ""
    chromium.screen(width=width)
    chromium.open(page, "#warmup/warmup/9/sampled/7")
    chromium.wait("document.querySelector('.linked')")
    anchor = chromium.run("return document.querySelector('.linked > div').id")
    assert anchor == f"warmup/warmup/9/sampled/7{last}", "the last checkpoint's, where the link names none"
    chromium.wait(below_the_filters(anchor) if width > 500 else "scrollY > 0")
    edges = chromium.run(STACKED, anchor)
    chromium.screen()
    assert edges == sorted(edges)


def test_a_problem_may_be_named_without_its_set(chromium: Chromium, report: Path) -> None:
    chromium.open(report, "?problem=warmup/1")
    assert {anchor.rsplit("/", 2)[0] for anchor in completions(chromium)} == {"warmup/warmup/1"}


def test_a_completion_that_was_not_begun_has_a_value_of_its_own(chromium: Chromium, tmp_path: Path) -> None:
    too_long = browser_example.completion(stop_reason="prompt_too_long")
    problem = browser_example.problem(0, too_long, browser_example.sampled(0))
    chromium.open(written(tmp_path, [Heading("t", 1)], CompletionBrowser(("small",), (problem,))))
    chromium.choose("kind", "not_begun")
    assert completions(chromium) == ["warmup/warmup/0/greedy/0"]
    chromium.choose("kind", "none")
    assert completions(chromium) == ["warmup/warmup/0/sampled/0"]


def test_a_table_at_the_head_is_as_wide_as_the_page(chromium: Chromium, tmp_path: Path) -> None:
    row = tuple(f"a cell of this table, number {n}" for n in range(5))
    chromium.open(written(tmp_path, [Heading("t", 1), Table(row, (row,))], browser_example.browser()))
    assert chromium.run("const t = document.querySelector('.table'); return t.scrollWidth <= t.clientWidth")


def test_a_link_into_a_long_page_leads_to_its_completion(chromium: Chromium, tmp_path: Path) -> None:
    problems = (browser_example.problem(n, *map(browser_example.sampled, range(n % 9 + 1))) for n in range(150))
    page = written(tmp_path, [Heading("t", 1)], CompletionBrowser(("small",), tuple(problems)))
    anchor = "warmup/warmup/120/sampled/1"
    chromium.open(page, f"#{anchor}")
    chromium.wait(below_the_filters(anchor))


def test_completions_that_are_open_from_the_start_have_their_colours(chromium: Chromium, tmp_path: Path) -> None:
    both = browser_example.problem(0, browser_example.looping(), replace(browser_example.looping(), column=1))
    chromium.open(written(tmp_path, [Heading("t", 1)], CompletionBrowser(("one", "other"), (both,))))
    chromium.wait("document.querySelectorAll('.completion[open] .coloured').length === 2")
    assert chromium.run("return document.querySelectorAll('.completion[open]').length") == 2


def test_tokens_have_their_ids_and_colours_and_the_text_stays(chromium: Chromium, report: Path) -> None:
    written_text = "return document.querySelector('.written[data-tokens]:not([data-tokens=\"\"])').textContent"
    chromium.open(report, scripts=False)
    before = chromium.run(written_text)
    chromium.open(report, "#warmup/warmup/0/greedy/0")
    chromium.wait("document.querySelector('.coloured')")
    assert chromium.run(written_text) == before == "    return a" + 20 * "\n"
    tokens = chromium.run(
        "return [...document.querySelectorAll('.coloured span')].map(s => [s.textContent, s.title, s.className])"
    )
    assert len(tokens) == 23
    assert tokens[2] == [" a", "token 3\nentropy 3.20 nats", "e6"]
    assert tokens[3] == ["\n", "token 6\nentropy 0.00 nats", "loop e0"]


def test_a_page_loads_nothing_and_complains_of_nothing(chromium: Chromium, report: Path) -> None:
    chromium.open(report)
    chromium.choose("problem", "warmup/warmup/0")
    asked = [address for address in chromium.requests() if not address.startswith("about:")]
    assert asked == [report.as_uri()]
    assert chromium.console() == []


def test_no_script_of_a_completion_runs(chromium: Chromium, tmp_path: Path) -> None:
    page = written(tmp_path, [Heading(HOSTILE[1], 1), *map(Paragraph, HOSTILE)], browser_example.hostile_browser())
    chromium.open(page)
    chromium.run("for (const d of document.querySelectorAll('details')) d.open = true")
    assert chromium.run("return window.ran ?? null") is None
    active = "return [...document.querySelectorAll('script, style, base, iframe, img')].map(e => e.localName)"
    assert chromium.run(active) == ["style", "script"]
    assert [address for address in chromium.requests() if address.startswith("http")] == []
    assert chromium.console() == []
    shown = chromium.run("return [...document.querySelectorAll('.written')].map(e => e.textContent)")
    assert set(HOSTILE[:-1]) <= set(shown), "it is shown as it was written"


def test_the_policy_alone_stops_scripts_and_requests(chromium: Chromium, tmp_path: Path) -> None:
    page = written(tmp_path, [Heading("t", 1), Paragraph("MARK")], browser_example.browser())
    page.write_text(page.read_text().replace("MARK", "".join(HOSTILE[:4])))
    chromium.open(page)
    assert chromium.run("return window.ran ?? null") is None
    assert chromium.console(), "the browser says that it was refused"
    assert chromium.run("return document.querySelectorAll('.completion').length") == 6, "our own script and page work"


def test_it_is_light_or_dark_as_the_system_is(chromium: Chromium, report: Path) -> None:
    brightness = {}
    for scheme in ("light", "dark"):
        chromium.screen(scheme=scheme)
        chromium.open(report)
        colours = chromium.run(
            "const style = getComputedStyle(document.body);"
            "return [style.backgroundColor, style.color].map(colour => colour.match(/\\d+/g)[0])"
        )
        brightness[scheme] = [int(colour) for colour in colours]
    assert brightness["light"][0] > 200 > 60 > brightness["light"][1]
    assert brightness["dark"][0] < 60 < 200 < brightness["dark"][1]


@pytest.mark.parametrize("width", [400, 800, 1400])
def test_only_tables_and_figures_are_wider_than_the_screen(chromium: Chromium, report: Path, width: int) -> None:
    chromium.screen(width=width)
    chromium.open(report)
    assert chromium.run("return document.documentElement.scrollWidth") == width
    chromium.screen()


def test_without_scripts_all_is_there_but_the_filters(chromium: Chromium, report: Path) -> None:
    chromium.open(report, scripts=False)
    assert chromium.shown("form.filters") == []
    assert len(completions(chromium)) == 6
    chromium.click(".completion summary")
    assert chromium.shown(".completion[open] > div") == ["warmup/warmup/0/greedy/0"]
    assert chromium.run("return document.querySelector('mark').textContent") == 20 * "\n"


def test_many_completions_are_on_pages_that_load_when_they_are_opened(
    chromium: Chromium, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html_writer, "WHOLE_BYTES", 1000)
    monkeypatch.setattr(html_writer, "PART_BYTES", 1000)
    page = written(tmp_path, [Heading("t", 1)], browser_example.browser())
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        "completions_1.html",
        "completions_2.html",
        "report.html",
    ]
    chromium.open(page)
    chromium.choose("kind", "newline")
    assert chromium.run("return document.querySelector('output').textContent") == "2 of 6 completions"
    assert chromium.requests()[-1] == page.as_uri()
    chromium.click(".problem:last-of-type a.part")
    chromium.wait("location.pathname.endsWith('completions_2.html') && document.querySelector('.completion')")
    assert completions(chromium) == ["warmup/warmup/1/sampled/0"], "the filter goes along"
    chromium.open(page, "#warmup/warmup/0/sampled/1")
    chromium.wait("location.pathname.endsWith('completions_1.html') && document.querySelector('.completion[open]')")
    assert chromium.address.endswith("#warmup/warmup/0/sampled/1")
    assert chromium.console() == []


def test_the_list_of_completions_says_which_checkpoint_wrote_each(
    chromium: Chromium, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html_writer, "WHOLE_BYTES", 1000)
    page = written(tmp_path, [Heading("t", 1)], columns_of(10, 1000))
    chromium.open(page)
    chromium.choose("column", "1")
    chromium.run("document.querySelector('.problem').open = true")
    chromium.wait("document.querySelector('.cells a')")
    assert chromium.run("return document.querySelector('.cells a').textContent") == "greedy 0 · small, step 1,000"
    chromium.click(".cells a")
    chromium.wait("document.querySelector('.linked')")
    assert chromium.address.endswith("#warmup/warmup/0/greedy/0/1")
