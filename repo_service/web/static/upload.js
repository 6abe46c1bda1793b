// Sends the same form with a progress bar. Without this script the browser sends it by itself.
"use strict";

const UNITS = ["bytes", "kB", "MB", "GB"];

const form = document.querySelector("[data-upload]");
const part = (name) => form.querySelector(`[data-${name}]`);
const button = form.querySelector("button[type=submit]");
const file = form.querySelector("input[type=file]");
const bar = form.querySelector("progress");

function size(bytes) {
  let unit = 0;
  while (bytes >= 1000 && unit < UNITS.length - 1) {
    bytes /= 1000;
    unit += 1;
  }
  return `${bytes.toFixed(unit ? 1 : 0)} ${UNITS[unit]}`;
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

function reason(request) {
  try {
    return JSON.parse(request.responseText).detail;
  } catch {
    return `The server answered ${request.status}. Try again in a while.`;
  }
}

function send() {
  const request = new XMLHttpRequest();
  let announced = 0;
  request.upload.addEventListener("progress", (event) => {
    bar.value = event.loaded / event.total;
    const percent = Math.floor((100 * event.loaded) / event.total);
    part("progress-text").textContent =
      percent < 100 ? `${size(event.loaded)} of ${size(event.total)}` : "Sent. The file is being kept.";
    if (percent >= announced + 25) {
      announced = percent;
      part("announce").textContent = `${percent} percent sent`;
    }
  });
  request.addEventListener("load", () => {
    if (request.status < 400) {
      window.location.assign(request.responseURL); // where the server's redirect led
    } else {
      refuse(reason(request));
    }
  });
  request.addEventListener("error", () => {
    refuse("The connection broke, or the server refused the file before it was all sent. Try again.");
  });
  request.addEventListener("abort", () => refuse("Cancelled. Nothing was kept."));
  request.open("POST", form.action);
  request.setRequestHeader("Accept", "application/problem+json");
  request.setRequestHeader("X-CSRFToken", form.elements.csrf_token.value);
  part("cancel").onclick = () => request.abort();
  request.send(new FormData(form));
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  part("error").hidden = true;
  const limit = Number(file.dataset.maxSize);
  if (file.files[0].size > limit) {
    refuse(`The file has ${size(file.files[0].size)}. At most ${size(limit)} are taken.`);
    return;
  }
  bar.value = 0;
  part("progress-text").textContent = "";
  show(true);
  send();
});
