// Sends files in several goes (tus), one after the other, and goes on after whatever broke off: a lost connection, a
// server that was killed, this page closed. Where each one is on the server is remembered by account, name, size and
// date of the file. Without this script the browser sends the form by itself.
// What it says stands in the form's data attributes, in the language of the page.
"use strict";

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte"];
const RETRY_SECONDS = [0, 1, 2, 4, 8, 15, ...Array(20).fill(30)]; // anew after each byte that arrives
const SHOWN_EVERY_MS = 250;
const PACE_OVER_MS = 5000;
const GONE = [404, 410];
const LOCKED = 423;

const form = document.querySelector("[data-upload]");
const words = form.dataset;
const file = form.querySelector("input[type=file]");
const drop = form.querySelector("[data-drop]");
const list = form.querySelector("[data-sendings]");
const part = (name, within = form) => within.querySelector(`[data-${name}]`);

// With the digits that the rest of the page has.
const number = (value, options) =>
  new Intl.NumberFormat(document.documentElement.lang, { numberingSystem: "latn", ...options }).format(value);

// "{size} of {total}", filled in.
const filled = (template, values) => template.replace(/\{(\w+)\}/g, (_, name) => values[name]);

const percent = (share) => number(Math.floor(100 * share) / 100, { style: "percent" });

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

function duration(seconds) {
  const [unit, length] = seconds < 90 ? ["second", 1] : seconds < 5400 ? ["minute", 60] : ["hour", 3600];
  return number(Math.max(1, Math.round(seconds / length)), { style: "unit", unit, unitDisplay: "long" });
}

const pause = (seconds) => new Promise((done) => window.setTimeout(done, 1000 * seconds));

function announce(sentence) {
  part("announce").textContent = sentence;
}

// What an error page says to people, which the browser would show without this script. Answers about how far an upload is
// have no page.
function reasonIn(html, status) {
  if (status === 401) {
    part("sign-in").hidden = false;
    return words.signedOut;
  }
  if (!html && (status === 400 || status === 403)) return words.stale;
  const page = new DOMParser().parseFromString(html, "text/html");
  const lead = page.querySelector("main .lead")?.textContent.trim();
  return lead || filled(words.answered, { status: number(status, { useGrouping: false }) });
}

// Where unfinished uploads are. Nothing is forgotten because a request was refused: whoever is signed out in the middle
// signs in and goes on.
const memory = {
  prefix: `upload ${words.account} `,

  keyOf(chosen) {
    return this.prefix + JSON.stringify([chosen.name, chosen.size, chosen.lastModified]);
  },
  all() {
    const found = [];
    try {
      for (const key of Object.keys(localStorage).filter((name) => name.startsWith(this.prefix))) {
        found.push({ ...JSON.parse(localStorage.getItem(key)), urlStorageKey: key });
      }
    } catch {
      return []; // a browser that keeps nothing
    }
    return found;
  },
  forget(key) {
    try {
      localStorage.removeItem(key);
    } catch {
      // nor was it kept
    }
  },

  // What tus-js-client asks for (UrlStorage).
  async findAllUploads() {
    return this.all();
  },
  async findUploadsByFingerprint(key) {
    return this.all().filter((known) => known.urlStorageKey === key);
  },
  async removeUpload() {},
  async addUpload(key, upload) {
    try {
      localStorage.setItem(key, JSON.stringify(upload));
    } catch {
      return undefined;
    }
    return key;
  },
};

// How fast bytes went over the last seconds.
class Pace {
  #marks = [];

  note(bytes) {
    const now = performance.now();
    this.#marks.push([now, bytes]);
    while (this.#marks.length > 2 && this.#marks[0][0] < now - PACE_OVER_MS) this.#marks.shift();
  }

  // Bytes a second, 0 until there is anything to tell it from.
  get speed() {
    const [[began, first], [ended, last]] = [this.#marks[0], this.#marks.at(-1)];
    return ended - began < 1000 ? 0 : (1000 * (last - first)) / (ended - began);
  }
}

// A row of the list: a file, or what is left of one that was not sent to its end.
class Row {
  constructor(name) {
    this.name = name;
    this.element = part("sending", document).content.firstElementChild.cloneNode(true);
    this.part("name").textContent = name;
    this.part("bar").setAttribute("aria-label", name);
    for (const label of this.element.querySelectorAll("[data-of]")) label.textContent = ` ${name}`;
    list.append(this.element);
    list.hidden = false;
  }

  part(name) {
    return part(name, this.element);
  }

  say(sentence) {
    this.part("state").textContent = sentence;
  }

  offer(...names) {
    for (const name of ["pause", "go-on", "cancel"]) this.part(name).hidden = !names.includes(name);
  }

  remove() {
    this.element.remove();
    list.hidden = !list.childElementCount;
  }
}

// One file on its way. `send` ends when it is a draft, was refused or cancelled, or when it waits for its sender.
class Sending extends Row {
  constructor(chosen) {
    super(chosen.name);
    this.file = chosen;
    this.key = memory.keyOf(chosen);
    this.state = "waiting"; // then "sending", "paused", "stopped", "done", "refused", "cancelled"
    this.say(words.waiting);
    this.offer("cancel");
    this.part("cancel").onclick = () => this.cancel();
    this.part("pause").onclick = () => this.pause();
    this.part("go-on").onclick = () => this.goOn();
  }

  get sent() {
    return { sent: size(this.offset || 0), size: size(this.file.size) };
  }

  async send() {
    const limit = Number(file.dataset.maxSize);
    if (this.file.size > limit) {
      this.refuse(filled(words.tooLarge, { size: size(this.file.size), limit: size(limit) }));
      return;
    }
    await this.transfer();
    if (this.state === "sending") await this.share();
  }

  // Ends with the state "sending" once all bytes are there.
  transfer() {
    this.state = "sending";
    this.offer("pause", "cancel");
    this.pace = new Pace();
    this.announced = 0;
    const before = this.upload?.url;
    return new Promise((ended) => {
      this.ended = ended;
      this.upload = new tus.Upload(this.file, {
        endpoint: words.tus,
        headers: { "X-CSRFToken": form.elements.csrf_token.value, Accept: "text/html" },
        metadata: { filename: this.file.name },
        retryDelays: RETRY_SECONDS.map((seconds) => 1000 * seconds),
        urlStorage: memory,
        fingerprint: async () => this.key,
        onAfterResponse: (request, response) => this.hear(request, response),
        onShouldRetry: (error, attempt) => this.retries(error, attempt),
        onProgress: (bytes) => this.progress(bytes),
        onSuccess: () => ended(),
        onError: (error) => {
          this.fail(error);
          ended();
        },
      });
      this.upload.findPreviousUploads().then((known) => {
        if (known.length) this.upload.resumeFromPreviousUpload(known[0]);
        else if (before) this.upload.url = before;
        if (this.state === "sending") this.upload.start();
      });
    });
  }

  progress(bytes) {
    if (this.state !== "sending") return;
    const share = this.file.size ? bytes / this.file.size : 1;
    const goesOn = this.offset === undefined && bytes > 0;
    this.offset = bytes;
    this.pace.note(bytes);
    if (goesOn || share >= this.announced + 0.25) {
      this.announced = Math.floor(4 * share) / 4;
      announce(filled(goesOn ? words.goingOn : words.percentSent, { name: this.name, percent: percent(share) }));
    }
    const now = performance.now();
    if (share < 1 && now - (this.shown || 0) < SHOWN_EVERY_MS) return;
    this.shown = now;
    this.part("bar").value = share;
    if (share >= 1) {
      this.say(words.keeping);
    } else if (this.pace.speed) {
      const left = duration((this.file.size - bytes) / this.pace.speed);
      this.say(filled(words.pace, { ...this.sent, speed: size(this.pace.speed), left }));
    } else {
      this.say(filled(words.soFar, this.sent));
    }
  }

  // Without this, tus-js-client begins anew whenever it cannot ask how far an upload is: because a front server says
  // that the service is away, or somebody is signed out. Only what is gone is begun anew.
  hear(request, response) {
    this.refusal = null;
    const status = response.getStatus();
    if (request.getMethod() === "HEAD" && status >= 400 && status !== LOCKED && !GONE.includes(status)) {
      this.refusal = response;
      throw new Error(`the server answered ${status}`);
    }
  }

  // Whether it is worth trying again: what the server refuses, it refuses again.
  retries(error, attempt) {
    const status = (error.originalResponse || this.refusal)?.getStatus() || 0;
    if (status >= 400 && status < 500 && status !== 409 && status !== LOCKED) return false;
    if (status === 507) return false;
    this.pace = new Pace();
    this.offset = undefined;
    const sentence = filled(words.broken, { wait: duration(RETRY_SECONDS[attempt] || 1) });
    this.say(sentence);
    if (attempt === 1) announce(sentence); // the first time it goes on at once
    return true;
  }

  fail(error) {
    const answer = error.originalResponse || this.refusal;
    if (answer?.getStatus() >= 500 && answer.getStatus() !== 507) {
      this.stop(words.givenUp);
    } else if (answer?.getStatus()) {
      this.refuse(reasonIn(answer.getBody(), answer.getStatus()));
    } else if (error.originalRequest) {
      this.stop(words.givenUp);
    } else {
      this.refuse(words.unreadable); // the browser could not read it
    }
  }

  // Makes a draft, or a version, of what has been sent.
  async share() {
    this.offer();
    this.say(words.keeping);
    this.part("bar").removeAttribute("value");
    const id = this.upload.url.split("/").pop();
    const fields = [...new FormData(form)].filter(([, value]) => typeof value === "string");
    for (const seconds of RETRY_SECONDS) {
      const answer = await fetch(`${form.action}/${id}`, {
        method: "POST",
        body: new URLSearchParams(fields),
        headers: { Accept: "text/html" },
      }).catch(() => null);
      if (answer?.ok) {
        memory.forget(this.key);
        this.done(answer.url); // where the server's redirect led
        return;
      }
      const wait = answer?.headers.get("Retry-After");
      if (answer && !wait) {
        this.refuse(reasonIn(await answer.text(), answer.status));
        return;
      }
      await pause(Number(wait) || seconds);
    }
    this.stop(words.givenUp);
  }

  done(url) {
    this.state = "done";
    this.onward = url;
    const sentence = filled(words.kept, { name: this.name });
    this.part("bar").hidden = true;
    this.part("onward").href = url;
    this.part("onward").hidden = false;
    this.say(sentence);
    announce(sentence);
  }

  refuse(reason) {
    this.state = "refused";
    this.element.classList.add("sending-refused");
    this.part("bar").hidden = true;
    this.say(reason);
    this.offer("cancel");
    part("error").textContent = filled(words.refused, { name: this.name, reason });
    part("error").hidden = false;
  }

  stop(sentence) {
    this.state = "stopped";
    this.part("bar").value = this.file.size ? (this.offset || 0) / this.file.size : 0;
    this.say(sentence);
    announce(sentence);
    this.offer("go-on", "cancel");
  }

  pause() {
    this.upload.abort();
    this.stop(filled(words.paused, this.sent));
    this.state = "paused";
    this.part("go-on").focus();
    this.ended();
  }

  goOn() {
    this.state = "waiting";
    this.say(words.waiting);
    this.offer("cancel");
    this.offset = undefined;
    sendAll();
  }

  // Gives it up, here and on the server. What was refused is only taken off the list.
  cancel() {
    const before = this.state;
    this.state = "cancelled";
    this.remove();
    if (before !== "refused") {
      announce(filled(words.cancelled, { name: this.name }));
      this.upload?.abort();
      const url = this.upload?.url || memory.all().find((known) => known.urlStorageKey === this.key)?.uploadUrl;
      if (url) giveUp(this.key, url);
    }
    sendings.delete(this);
    this.ended?.();
    file.focus();
  }
}

// What was begun before and not sent to its end.
class Unfinished extends Row {
  constructor(known) {
    super(known.metadata.filename);
    this.key = known.urlStorageKey;
    this.offer("cancel");
    this.part("bar").value = known.offset / known.size;
    this.say(filled(words.unfinished, { sent: size(known.offset), size: size(known.size) }));
    this.part("cancel").onclick = () => {
      this.remove();
      giveUp(this.key, known.uploadUrl);
      announce(filled(words.cancelled, { name: this.name }));
      file.focus();
    };
  }
}

const asTus = () => ({ "Tus-Resumable": "1.0.0", "X-CSRFToken": form.elements.csrf_token.value });

function giveUp(key, url) {
  memory.forget(key);
  fetch(url, { method: "DELETE", headers: asTus() }).catch(() => null); // it expires by itself, too
}

async function showUnfinished() {
  for (const known of memory.all()) {
    const answer = await fetch(known.uploadUrl, { method: "HEAD", headers: asTus() }).catch(() => null);
    if (answer?.ok) {
      unfinished.push(new Unfinished({ ...known, offset: Number(answer.headers.get("Upload-Offset")) }));
    } else if (answer?.status === 404 || answer?.status === 410) {
      memory.forget(known.urlStorageKey); // it has expired, or was used
    }
  }
}

const sendings = new Set();
const unfinished = [];
let isSending = false;

function choose(files) {
  part("error").hidden = true;
  const chosen = "single" in words ? [...files].slice(0, 1) : [...files];
  if ("single" in words && chosen.length) {
    for (const before of [...sendings].filter(({ state }) => state !== "sending")) before.cancel();
  }
  for (const one of chosen) {
    const key = memory.keyOf(one);
    const before = [...sendings].find((known) => known.key === key);
    if (before && before.state !== "refused") continue;
    before?.cancel();
    for (const known of unfinished.filter((row) => row.key === key)) known.remove();
    sendings.add(new Sending(one));
  }
  file.value = ""; // so that the same one can be chosen again
}

async function sendAll() {
  if (isSending) return;
  isSending = true;
  part("done").hidden = true;
  const next = () => [...sendings].find(({ state }) => state === "waiting");
  for (let sending = next(); sending; sending = next()) {
    await sending.send();
    if (sending.state === "stopped") break; // the others would fare no better now
  }
  isSending = false;
  const all = [...sendings];
  if (all.length && all.every(({ state }) => state === "done")) {
    if (all.length === 1) {
      window.location.assign(all[0].onward);
    } else {
      part("done").hidden = false;
    }
  }
}

file.multiple = !("single" in words);
file.required = false;
part("scripted").hidden = false;
file.addEventListener("change", () => choose(file.files));
choose(file.files); // those that were chosen before this script was there

form.addEventListener("submit", (event) => {
  event.preventDefault();
  part("error").hidden = true;
  if (![...sendings].some(({ state }) => ["waiting", "sending", "paused", "stopped"].includes(state))) {
    file.required = true; // the browser says so in its own words
    file.reportValidity();
    file.required = false;
    return;
  }
  for (const waiting of [...sendings].filter(({ state }) => ["paused", "stopped"].includes(state))) waiting.goOn();
  sendAll();
});

// Anywhere on the page: a file that misses its place must not take the page away.
for (const kind of ["dragenter", "dragover"]) {
  window.addEventListener(kind, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    drop.classList.add("drop-here");
  });
}
window.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) drop.classList.remove("drop-here");
});
window.addEventListener("drop", (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  drop.classList.remove("drop-here");
  choose(event.dataTransfer.files);
});

// A line that is back need not wait for the next attempt.
window.addEventListener("online", () => {
  for (const sending of sendings) {
    if (sending.state === "sending" && sending.upload && sending.offset === undefined) {
      sending.upload.abort();
      sending.upload.start();
    }
    if (sending.state === "stopped") sending.goOn();
  }
});

showUnfinished();
