// The first start of the service prints …/sign-in#token=…: the fragment never reaches a server or a log.
"use strict";

function takeToken() {
  const token = new URLSearchParams(window.location.hash.slice(1)).get("token");
  if (!token) {
    return;
  }
  history.replaceState(null, "", window.location.pathname + window.location.search);
  const field = document.getElementById("token");
  document.getElementById("token-way").open = true;
  field.value = token;
  field.form.querySelector("button[type=submit]").focus();
}

takeToken();
window.addEventListener("hashchange", takeToken);
