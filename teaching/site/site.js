// The theme, the search and the sliders of the site. Without it, all can be read.
"use strict";

// --- The theme: as the system has it, until somebody chooses -------------------------

const root = document.documentElement;
const kept = { // where nothing may be kept, the choice lasts for the page
  read(key) { try { return localStorage.getItem(key); } catch { return null; } },
  write(key, value) { try { localStorage.setItem(key, value); } catch { /* so be it */ } },
};
const isDark = () => root.dataset.theme
  ? root.dataset.theme === "dark"
  : matchMedia("(prefers-color-scheme: dark)").matches;
const theme = kept.read("theme");
if (theme === "dark" || theme === "light") root.dataset.theme = theme;

function setUpTheme() {
  const button = document.getElementById("theme");
  const say = () => {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", `${button.textContent} theme`);
  };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    kept.write("theme", root.dataset.theme);
    say();
  });
  say();
  button.hidden = false;
}

// --- Search: all words must occur; a heading counts more than the text below it -------

const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

function setUpSearch() {
  const field = document.getElementById("search");
  const [count, list] = document.getElementById("found").children;
  const way = document.body.dataset.root;
  let entries = null;
  const load = () => { // by a script, since pages from a disk may not fetch
    if (document.getElementById("index")) return;
    const script = document.createElement("script");
    script.id = "index";
    script.src = `${way}search-index.js`;
    script.addEventListener("load", () => {
      entries = window.searchIndex.map(([url, page, heading, text]) => (
        { url, page, heading, text, title: plain(`${page} ${heading}`), plain: plain(text) }));
      show();
    });
    document.head.append(script);
  };
  const clear = () => {
    count.textContent = "";
    list.replaceChildren();
  };
  const show = () => {
    clear();
    const words = plain(field.value).split(/\s+/).filter(Boolean);
    if (!words.length || !entries) return;
    const score = (entry) => {
      let sum = 0;
      for (const word of words) {
        const points = 8 * entry.title.includes(word)
          + Math.min(4, entry.plain.split(word).length - 1);
        if (!points) return 0;
        sum += points;
      }
      return sum;
    };
    const found = entries.map((entry) => [score(entry), entry])
      .filter(([points]) => points).sort(([a], [b]) => b - a);
    count.textContent = found.length ? `Found in ${found.length} places` : "Found nowhere";
    list.append(...found.slice(0, 10).map(([, entry]) => result(entry, words[0])));
  };
  const result = (entry, word) => {
    const li = document.createElement("li");
    const a = document.createElement("a");
    a.href = way + entry.url;
    const title = document.createElement("strong");
    title.textContent = entry.heading;
    const where = document.createElement("span");
    where.textContent = entry.page === entry.heading ? "" : entry.page;
    const at = entry.plain.indexOf(word);
    const from = entry.text.lastIndexOf(" ", Math.max(0, at - 40)) + 1;
    const text = document.createElement("span");
    text.textContent = at < 0 ? "" : `${from ? "…" : ""}${entry.text.slice(from, at + 80)}…`;
    a.append(title, where, text);
    a.addEventListener("click", () => { field.value = ""; clear(); });
    li.append(a);
    return li;
  };
  field.addEventListener("focus", load);
  field.addEventListener("input", show);
  document.addEventListener("keydown", (event) => {
    const links = [...list.querySelectorAll("a")];
    const here = links.indexOf(document.activeElement);
    const inSearch = document.activeElement === field || here >= 0;
    if (event.key === "k" && (event.ctrlKey || event.metaKey)) {
      field.focus();
    } else if (event.key === "Escape" && inSearch) {
      field.value = "";
      clear();
      field.focus();
    } else if (event.key === "ArrowDown" && inSearch && links.length) {
      links[Math.min(here + 1, links.length - 1)].focus();
    } else if (event.key === "ArrowUp" && here >= 0) {
      (links[here - 1] ?? field).focus();
    } else if (event.key === "Enter" && document.activeElement === field && links.length) {
      links[0].click();
    } else {
      return;
    }
    event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest("search")) clear();
  });
  field.closest("search").hidden = false;
}

// --- Sliders: each position is a picture that lies beside the page --------------------

function setUpSlider(figure) {
  const [paths, values, alts] = ["paths", "values", "alts"]
    .map((name) => JSON.parse(figure.dataset[name]));
  const image = figure.querySelector("img");
  const slider = figure.querySelector("input");
  const output = figure.querySelector("output");
  const pictures = [];
  const load = () => {
    if (pictures.length) return;
    for (const path of paths) {
      const picture = new Image();
      picture.src = path;
      pictures.push(picture);
    }
  };
  const show = () => {
    const i = slider.valueAsNumber;
    image.src = paths[i];
    image.alt = alts[i];
    output.textContent = values[i];
    slider.setAttribute("aria-valuetext", values[i]);
  };
  for (const kind of ["focus", "pointerenter", "touchstart"]) {
    slider.addEventListener(kind, load, { once: true, passive: true });
  }
  slider.addEventListener("input", show);
  show();
  figure.querySelector(".control").hidden = false;
}

// --- The contents follow what is being read -------------------------------------------

function setUpContents() {
  const links = new Map([...document.querySelectorAll(".toc.wide a")]
    .map((a) => [decodeURIComponent(a.hash.slice(1)), a]));
  const headings = [...links.keys()].map((id) => document.getElementById(id));
  const mark = () => {
    const above = headings.filter((h) => h.getBoundingClientRect().top < innerHeight / 3);
    const now = links.get(above.at(-1)?.id);
    for (const a of links.values()) {
      if (a === now) a.setAttribute("aria-current", "true");
      else a.removeAttribute("aria-current");
    }
  };
  let waiting = false;
  addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; mark(); });
  }, { passive: true });
  mark();
}

document.addEventListener("DOMContentLoaded", () => {
  setUpTheme();
  setUpSearch();
  setUpContents();
  document.querySelectorAll(".scrub").forEach(setUpSlider);
});
