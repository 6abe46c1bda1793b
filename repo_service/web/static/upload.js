// Sends the same form with a progress bar. Without this script the browser sends it by itself.
// What it says stands in the form's data attributes, in the language of the page.
"use strict";

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte"];

const form = document.querySelector("[data-upload]");
const words = form.dataset;
const part = (name) => form.querySelector(`[data-${name}]`);
const button = form.querySelector("button[type=submit]");
const file = form.querySelector("input[type=file]");
const bar = form.querySelector("progress");

// With the digits that the rest of the page has.
const number = (value, options) =>
  new Intl.NumberFormat(document.documentElement.lang, { numberingSystem: "latn", ...options }).format(value);

// "{size} of {total}", filled in.
const filled = (template, values) => template.replace(/\{(\w+)\}/g, (_, name) => values[name]);

function size(bytes) {
  let unit = 0;
  while (bytes >= 1000 && unit < UNITS.length - 1) {
    bytes /= 1000;
    unit += 1;
  }
  const digits = unit ? 1 : 0;
  return number(bytes, {
    style: "unit",
    unit: UNITS[unit],
    unitDisplay: unit ? "short" : "long",
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

function show(sending) {
  part("progress").hidden = !sending;
  button.disabled = sending;
}

function refuse(message) {
  show(false);
  part("error").textContent = message;
  part("error").hidden = false;
}

// What the page says that the browser would show now without this script.
function reason(request) {
  const page = new DOMParser().parseFromString(request.responseText, "text/html");
  return (
    page.querySelector("main .lead")?.textContent.trim() ||
    filled(words.answered, { status: number(request.status, { useGrouping: false }) })
  );
}

function send() {
  const request = new XMLHttpRequest();
  let announced = 0;
  request.upload.addEventListener("progress", (event) => {
    const share = event.loaded / event.total;
    bar.value = share;
    part("progress-text").textContent =
      share < 1 ? filled(words.soFar, { sent: size(event.loaded), size: size(event.total) }) : words.sent;
    if (share >= announced + 0.25) {
      announced = share;
      const percent = number(Math.floor(100 * share) / 100, { style: "percent" });
      part("announce").textContent = filled(words.percentSent, { percent });
    }
  });
  request.addEventListener("load", () => {
    if (request.status < 400) {
      window.location.assign(request.responseURL); // where the server's redirect led
    } else {
      refuse(reason(request));
    }
  });
  request.addEventListener("error", () => refuse(words.broken));
  request.addEventListener("abort", () => refuse(words.cancelled));
  request.open("POST", form.action);
  request.setRequestHeader("Accept", "text/html");
  request.setRequestHeader("X-CSRFToken", form.elements.csrf_token.value);
  part("cancel").onclick = () => request.abort();
  request.send(new FormData(form));
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  part("error").hidden = true;
  const limit = Number(file.dataset.maxSize);
  if (file.files[0].size > limit) {
    refuse(filled(words.tooLarge, { size: size(file.files[0].size), limit: size(limit) }));
    return;
  }
  bar.value = 0;
  part("progress-text").textContent = "";
  show(true);
  send();
});
