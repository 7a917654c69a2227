// The document page: the passage under the pointer or with the focus is picked out on the picture of its page.
"use strict";

(() => {
  for (const type of ["pointerover", "focusin"]) document.addEventListener(type, pick);

  function pick(event) {
    const chunk = event.target.closest?.(".chunk");
    for (const other of document.querySelectorAll(".boxes.picking")) unpick(other);
    const boxes = chunk?.closest(".sheet")?.querySelector(".boxes");
    const mark = boxes?.querySelector(`g[data-ordinal="${chunk.dataset.ordinal}"]`);
    if (!mark) return;
    boxes.classList.add("picking");
    mark.classList.add("picked");
  }

  function unpick(boxes) {
    boxes.classList.remove("picking");
    boxes.querySelector(".picked")?.classList.remove("picked");
  }
})();
