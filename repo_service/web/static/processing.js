// Shows how far it is what the page waits for, and what came of it once that is done.
"use strict";

const EVERY_MS = 1500;
const LONGEST_MS = 15000;

const box = document.querySelector("[data-processing]");
const bar = box.querySelector("progress");

async function look(wait) {
  let next = Math.min(wait * 1.1, LONGEST_MS);
  try {
    const answer = await fetch(box.dataset.processing, { headers: { Accept: "application/json" } });
    if (answer.ok) {
      const state = await answer.json();
      if (state.finished && !document.activeElement?.matches("input, select, textarea")) {
        window.location.reload(); // not while somebody types: it would be lost
        return;
      }
      if (bar && !state.finished) {
        bar.value = state.progress;
      }
    }
  } catch {
    next = LONGEST_MS; // the network is away for a moment
  }
  window.setTimeout(look, next, next);
}

window.setTimeout(look, EVERY_MS, EVERY_MS);
