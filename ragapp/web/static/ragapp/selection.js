// Ticked documents stay ticked while the rows renew themselves. Without this the checkboxes and buttons are one form.
"use strict";

(() => {
  const bar = document.getElementById("bulk");
  if (!bar) return;
  const words = document.getElementById("bulk-count");
  const ticked = new Set();
  const boxes = () => [...document.querySelectorAll("#rows .pick")];

  function show() {
    const all = document.getElementById("pick-all");
    const shown = boxes();
    if (all) {
      all.checked = shown.length > 0 && shown.every((box) => box.checked);
      all.indeterminate = !all.checked && ticked.size > 0;
    }
    bar.classList.toggle("picked", ticked.size > 0);
    words.textContent = `${ticked.size} ticked`;
  }

  document.addEventListener("change", (event) => {
    if (event.target.id === "pick-all") {
      for (const box of boxes()) {
        box.checked = event.target.checked;
        note(box);
      }
    } else if (event.target.matches("#rows .pick")) note(event.target);
    else return;
    show();
  });

  function note(box) {
    if (box.checked) ticked.add(box.value);
    else ticked.delete(box.value);
  }

  // Rows that are no longer shown are no longer meant.
  document.addEventListener("htmx:afterSwap", () => {
    const shown = boxes();
    const values = new Set(shown.map((box) => box.value));
    for (const value of ticked) if (!values.has(value)) ticked.delete(value);
    for (const box of shown) box.checked = ticked.has(box.value);
    show();
  });

  // Coming back, a browser may have kept the ticks.
  for (const box of boxes()) note(box);
  show();
})();
