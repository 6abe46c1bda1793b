// Suggests resources while somebody types into the search field: a combobox with a list (WAI-ARIA 1.2).
"use strict";

const WAIT_MS = 150;

const field = document.querySelector("[data-suggestions]");
const list = document.createElement("ul");
const status = document.createElement("p");
let asked = null;
let timer = 0;

list.id = "suggestions";
list.className = "suggestions";
list.hidden = true;
list.setAttribute("role", "listbox");
list.setAttribute("aria-label", field.placeholder);
status.className = "visually-hidden";
status.setAttribute("role", "status");
field.after(list, status);
field.setAttribute("role", "combobox");
field.setAttribute("aria-autocomplete", "list");
field.setAttribute("aria-controls", list.id);
close();

const chosen = () => list.querySelector('[aria-selected="true"]');

function close() {
  list.hidden = true;
  list.replaceChildren();
  field.setAttribute("aria-expanded", "false");
  field.removeAttribute("aria-activedescendant");
}

function option(item, number) {
  const entry = document.createElement("li");
  const title = document.createElement("span");
  const kind = document.createElement("span");
  entry.id = `suggestion-${number}`;
  entry.dataset.url = item.url;
  entry.setAttribute("role", "option");
  entry.setAttribute("aria-selected", "false");
  title.textContent = item.title;
  title.dir = "auto";
  if (item.language) {
    title.lang = item.language;
  }
  kind.textContent = item.kind;
  kind.className = "suggestion-kind";
  entry.append(title, kind);
  return entry;
}

function show(items) {
  close();
  if (!items.length) {
    status.textContent = "";
    return;
  }
  list.append(...items.map(option));
  list.hidden = false;
  field.setAttribute("aria-expanded", "true");
  status.textContent = field.dataset.found.replace("{count}", items.length);
}

async function suggest() {
  asked?.abort();
  asked = new AbortController();
  const words = field.value.trim();
  if (words.length < 2) {
    close();
    return;
  }
  try {
    const url = `${field.dataset.suggestions}?${new URLSearchParams({ q: words })}`;
    const answer = await fetch(url, { signal: asked.signal, headers: { Accept: "application/json" } });
    if (answer.ok) {
      show((await answer.json()).items);
    }
  } catch {
    // Superseded by the next letter, or offline: the form itself still works.
  }
}

function choose(entry) {
  chosen()?.setAttribute("aria-selected", "false");
  entry?.setAttribute("aria-selected", "true");
  entry?.scrollIntoView({ block: "nearest" });
  if (entry) {
    field.setAttribute("aria-activedescendant", entry.id);
  } else {
    field.removeAttribute("aria-activedescendant");
  }
}

field.addEventListener("input", () => {
  window.clearTimeout(timer);
  timer = window.setTimeout(suggest, WAIT_MS);
});

field.addEventListener("keydown", (event) => {
  const now = chosen();
  if (event.key === "Escape" && !list.hidden) {
    event.preventDefault();
    close();
  } else if (event.key === "ArrowDown" && !list.hidden) {
    event.preventDefault();
    choose(now ? now.nextElementSibling : list.firstElementChild);
  } else if (event.key === "ArrowUp" && !list.hidden) {
    event.preventDefault();
    choose(now ? now.previousElementSibling : list.lastElementChild);
  } else if (event.key === "Enter" && now) {
    event.preventDefault();
    window.location.assign(now.dataset.url);
  }
});

list.addEventListener("pointerdown", (event) => {
  const entry = event.target.closest("[data-url]");
  if (entry) {
    event.preventDefault(); // the field keeps the focus
    window.location.assign(entry.dataset.url);
  }
});

field.addEventListener("blur", close);
