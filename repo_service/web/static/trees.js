// Filters the trees of vocabularies, and says what is chosen in them. Without this script they are lists to open.
"use strict";

const FEW = 20; // such a list is read sooner than filtered

// Letters alone: neither case nor accents keep a word from being found.
const folded = (text) =>
  text
    .normalize("NFD")
    .replace(/\p{M}/gu, "")
    .toLocaleLowerCase(document.documentElement.lang);

const own = (item, selector) => item.querySelector(`:scope > ${selector}`);
const labelOf = (item) => own(item, ".form-check").querySelector("label").textContent.trim();

class Tree {
  constructor(element) {
    this.element = element;
    this.field = element.querySelector("[data-tree-filter] input");
    this.found = element.querySelector("[data-tree-found]");
    this.chosen = element.querySelector("[data-tree-chosen]");
    this.top = [...element.querySelectorAll(".tree-box > .ticks > li")];
    this.opened = null; // what was open before it was filtered
    const few = element.querySelectorAll(".tree-box input").length < FEW;
    element.querySelector("[data-tree-filter]").hidden = few;
    this.field.addEventListener("input", () => this.filter());
    this.field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.preventDefault(); // would send the form
    });
    element.addEventListener("change", () => this.tell());
    this.tell();
  }

  filter() {
    const words = folded(this.field.value).split(/\s+/).filter(Boolean);
    const parts = [...this.element.querySelectorAll("details")];
    this.opened ??= new Map(parts.map((part) => [part, part.open]));
    this.count = 0;
    for (const item of this.top) this.show(item, words, false);
    if (words.length) {
      this.found.textContent = this.element.dataset.found.replace("{count}", this.count);
    } else {
      this.found.textContent = "";
      for (const [part, open] of this.opened) part.open = open;
      this.opened = null;
    }
  }

  // Whether anything in `item` fits. What stands below something that fits is shown, too.
  show(item, words, above) {
    const label = folded(labelOf(item));
    const fits = words.every((word) => label.includes(word));
    if (fits) this.count += 1;
    const part = own(item, "details");
    let below = false;
    for (const child of part ? part.querySelectorAll(":scope > .ticks > li") : []) {
      below = this.show(child, words, above || fits) || below;
    }
    item.hidden = !(fits || below || above);
    if (part && words.length) part.open = below;
    return fits || below;
  }

  tell() {
    const names = [...this.element.querySelectorAll(":checked")].map((tick) => labelOf(tick.closest("li")));
    const list = new Intl.ListFormat(document.documentElement.lang, { type: "unit" }).format(names);
    this.chosen.hidden = !names.length;
    this.chosen.textContent = this.element.dataset.chosen.replace("{names}", () => list);
  }
}

for (const element of document.querySelectorAll("[data-tree]")) new Tree(element);
