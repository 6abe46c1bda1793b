// Resources of a collection are dragged to another place by their numbers. Without this the buttons beside them do.
"use strict";

for (const list of document.querySelectorAll(".arranging")) {
  const items = [...list.children];
  let dragged = null;

  for (const item of items) {
    const handle = item.querySelector(".arranging-handle");
    handle.draggable = true;
    handle.addEventListener("dragstart", (event) => {
      dragged = item;
      event.dataTransfer.effectAllowed = "move";
      event.dataTransfer.setData("text/plain", "");
      event.dataTransfer.setDragImage(item, 0, 0);
      item.classList.add("dragged");
    });
    handle.addEventListener("dragend", () => {
      dragged = null;
      for (const other of items) other.classList.remove("dragged", "drop-here");
    });
    item.addEventListener("dragover", (event) => {
      if (dragged === null) return;
      event.preventDefault();
      for (const other of items) other.classList.toggle("drop-here", other === item && other !== dragged);
    });
    item.addEventListener("drop", (event) => {
      if (dragged === null) return;
      event.preventDefault();
      // Not before the browser is done with the drag.
      if (dragged !== item) setTimeout(place, 0, dragged.querySelector("form"), items.indexOf(item) + 1);
    });
  }
}

function place(form, position) {
  for (const [name, value] of [["do", "place"], ["position", String(position)]]) {
    const field = document.createElement("input");
    field.type = "hidden";
    field.name = name;
    field.value = value;
    form.append(field);
  }
  form.submit();
}
