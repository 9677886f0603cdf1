"use strict";
// Filters, links to a single completion, and tokens by their entropy. Everything else of the page works without it.
(() => {
  const form = document.querySelector(".filters");
  if (!form) return;
  const STEP_NATS = 0.6, SHADES = 7, OPENED = 12, FRAMES = 8, LOWEST = 0.6;
  const selects = [...form.querySelectorAll("select")];
  const problems = [...document.querySelectorAll(".problem")];

  const chosen = () => new Map(selects.filter((s) => s.value).map((s) => [s.name, s.value]));
  const fits = (item, want) => [...want].every(([name, value]) => name === "problem" || item[name] === value);

  // A problem whose completions are on another page has them as "suffix,verdict,kind,decoding,column".
  const cellsOf = (problem) =>
    problem.dataset.cells.split(" ").map((cell) => {
      const [suffix, verdict, kind, decoding, column] = cell.split(",");
      return { suffix, verdict, kind, decoding, column };
    });

  function filter() {
    const want = chosen();
    let shown = 0, all = 0;
    for (const problem of problems) {
      const is = !want.has("problem") || problem.dataset.problem === want.get("problem");
      const items = problem.dataset.cells ? cellsOf(problem) : [...problem.querySelectorAll(".completion")];
      let here = 0;
      for (const item of items) {
        const shows = is && fits(item.dataset ?? item, want);
        if (item.dataset) item.hidden = !shows;
        here += shows;
      }
      problem.hidden = !here;
      shown += here;
      all += items.length;
      if (problem.open) list(problem);
    }
    form.querySelector("output").textContent = `${shown.toLocaleString("en")} of ${all.toLocaleString("en")} completions`;
    const query = new URLSearchParams([...want]).toString();
    for (const link of document.querySelectorAll("a.part")) link.search = query;
    if (want.has("problem") && shown <= OPENED)
      for (const item of document.querySelectorAll(".completion:not([hidden])")) item.open = true;
  }

  function chipOf({ suffix, decoding, column }) {
    const [, number] = suffix.split("/");
    const checkpoint = form.querySelector(`[name="column"] [value="${column}"]`);
    return [decoding, number, checkpoint && `· ${checkpoint.dataset.words}`].filter(Boolean).join(" ");
  }

  function list(problem) {
    const want = chosen();
    const links = cellsOf(problem).filter((cell) => fits(cell, want)).map((cell) => {
      const link = document.createElement("a");
      link.className = "part";
      link.href = `${problem.dataset.part}#${problem.id}/${cell.suffix}`;
      link.search = new URLSearchParams([...want]).toString();
      link.textContent = chipOf(cell);
      link.title = [cell.verdict, cell.kind].join(", ").replaceAll("_", " ");
      return link;
    });
    problem.querySelector(".cells").replaceChildren(...links);
  }

  function reveal() {
    const id = location.hash.slice(1);
    const target = id && (document.getElementById(id) ?? lastOf(id));
    const elsewhere = !target && id && problems.find((problem) => problem.dataset.part && id.startsWith(`${problem.id}/`));
    if (elsewhere) location.replace(`${elsewhere.dataset.part}#${id}`);
    const completion = target && target.closest(".completion");
    if (!completion) return;
    completion.hidden = completion.closest(".problem").hidden = false;
    completion.open = true;
    for (const other of document.querySelectorAll(".linked")) other.classList.remove("linked");
    completion.classList.add("linked");
    hold(completion, FRAMES);
  }

  // A link of a page of one checkpoint names no column: on a page of several it leads to the last of them.
  function lastOf(id) {
    return [...document.querySelectorAll(".completion > div")].findLast((div) => div.id.startsWith(`${id}/`));
  }

  // Problems above it get their true height only when they come near the screen, which moves it.
  function hold(completion, frames) {
    const problem = completion.closest(".problem");
    problem.scrollIntoView();
    if (completion.getBoundingClientRect().top > innerHeight * LOWEST) {
      completion.style.scrollMarginTop = `${covered(problem, completion)}px`;
      completion.scrollIntoView();
    }
    if (frames) requestAnimationFrame(() => hold(completion, frames - 1));
  }

  // How much of the top of the screen stays covered while one scrolls: filters, heading, and a prompt that stands above.
  function covered(problem, completion) {
    const asked = problem.querySelector(".asked");
    const isAbove = asked.getBoundingClientRect().right > completion.getBoundingClientRect().left;
    const sticks = (element) => getComputedStyle(element).position === "sticky";
    const above = [form, problem.querySelector("h3"), ...(isAbove ? [asked] : [])].filter(sticks);
    return above.reduce((sum, element) => sum + element.offsetHeight, 0);
  }

  // The height of the filters, which wrap as the page is narrow: what scrolls to the top must stay below them.
  function measure() {
    const height = getComputedStyle(form).position === "sticky" ? form.offsetHeight : 0;
    document.documentElement.style.setProperty("--bar", `${height}px`);
  }

  // As the page without this script shows it: an empty element before the end of a blank line.
  function withLineEnds(text, before) {
    const nodes = [];
    let begin = 0;
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) {
      const previous = at ? text[at - 1] : before;
      if (previous !== undefined && previous !== "\n") continue;
      nodes.push(text.slice(begin, at), document.createElement("i"));
      begin = at;
    }
    return [...nodes, text.slice(begin)];
  }

  function colour(written) {
    if (!written || !written.dataset.tokens || written.classList.contains("coloured")) return;
    const text = written.textContent, drawn = document.createDocumentFragment();
    const [begin, end] = written.dataset.loop ? written.dataset.loop.split(",").map(Number) : [0, 0];
    let at = 0;
    const add = (until) => {
      const span = document.createElement("span");
      if (at >= begin && at < end) span.className = "loop";
      span.append(...withLineEnds(text.slice(at, until), text[at - 1]));
      drawn.append(span);
      at = until;
      return span;
    };
    for (const entry of written.dataset.tokens.split(" ")) {
      const [length, ids, hundredths, times] = entry.split(",");
      for (let copy = 0; copy < Number(times ?? 1); copy++) {
        const span = add(at + Number(length));
        span.title = `token ${ids.replaceAll("+", ", ")}`;
        if (!hundredths) continue;
        const nats = Number(hundredths) / 100;
        span.title += `\nentropy ${nats.toFixed(2)} nats`;
        span.classList.add(`e${Math.min(SHADES, Math.ceil(nats / STEP_NATS))}`);
      }
    }
    if (at < text.length) add(text.length);
    written.replaceChildren(drawn);
    written.classList.add("coloured");
  }

  // Those that are open from the start tell nobody that they were opened: they are coloured when they come near.
  const near = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      colour(target);
      near.unobserve(target);
    }
  }, { rootMargin: "50%" });
  for (const written of document.querySelectorAll(".completion[open] .written")) near.observe(written);

  document.addEventListener("toggle", (event) => {
    const details = event.target;
    if (!details.open) return;
    if (details.classList.contains("completion")) colour(details.querySelector(".written"));
    if (details.classList.contains("index")) list(details);
  }, true);
  form.addEventListener("change", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  addEventListener("hashchange", reveal);
  addEventListener("load", reveal);

  const asked = new URLSearchParams(location.search);
  for (const select of selects) {
    const value = asked.get(select.name);
    const options = value ? [...select.options] : [];
    // A problem may be named without its set.
    const option = options.find((o) => o.value === value) ?? options.find((o) => o.value.endsWith(`/${value}`));
    if (option) option.selected = true;
  }
  form.hidden = false;
  filter();
  measure();
  new ResizeObserver(measure).observe(form);
})();
