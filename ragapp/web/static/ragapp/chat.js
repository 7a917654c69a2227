// The chat page: the composer's keys, stop, following the stream, and the source panel.
"use strict";

(() => {
  const composer = document.getElementById("composer");
  const question = document.getElementById("question");
  const send = document.getElementById("send");
  const stop = document.getElementById("stop");
  const scroller = document.getElementById("thread-scroll");
  const thread = document.getElementById("thread");
  const panel = document.getElementById("panel");
  const toEnd = document.getElementById("to-end");
  const WIDE = matchMedia("(min-width: 1080px)");
  // Within this many pixels of the end, the reader is taken to follow the stream.
  const NEAR_END = 120;
  const COARSE = matchMedia("(pointer: coarse)");

  // Composer
  question.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || COARSE.matches) return;
    event.preventDefault();
    if (!pending() && question.value.trim()) composer.requestSubmit();
  });
  question.addEventListener("input", () => { document.getElementById("composer-error").textContent = ""; });
  if (!("fieldSizing" in document.documentElement.style)) {
    question.addEventListener("input", () => {
      question.style.height = "auto";
      question.style.height = `${question.scrollHeight}px`;
    });
  }
  document.addEventListener("htmx:beforeRequest", (event) => {
    // One answer at a time: the model inside has one place.
    if (isQuestion(event) && pending()) event.preventDefault();
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (!isQuestion(event) || event.detail.xhr.status !== 200) return;
    if (event.target === composer) question.value = "";
    question.style.height = "";
    question.focus();
    document.querySelector(".nav [aria-current]")?.removeAttribute("aria-current");
    document.title = `${document.querySelector("#chat-head h1").textContent} · ragapp`;
    toTheEnd();
  });

  function isQuestion(event) {
    return event.detail.requestConfig?.path === composer.getAttribute("hx-post")
      || event.detail.pathInfo?.requestPath === composer.getAttribute("hx-post");
  }

  // What the search is limited to stays chosen; the summary says it.
  const limits = document.getElementById("limits");
  function inWords(day) {
    return day.valueAsDate.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
  }
  function sayLimits() {
    const ticked = [...limits.querySelectorAll("input:checked")].map((box) => box.nextElementSibling.textContent);
    const days = [...limits.querySelectorAll("input[type=date]")].filter((day) => day.value);
    const words = [...ticked, ...days.map((day) => `${day.name.endsWith("since") ? "since" : "until"} ${inWords(day)}`)];
    document.getElementById("limits-words").textContent = words.join(", ") || "everything";
    limits.toggleAttribute("data-limited", words.length > 0);
    document.getElementById("composer-error").textContent = "";
  }
  limits.addEventListener("change", sayLimits);
  document.getElementById("limits-clear").addEventListener("click", () => {
    for (const box of limits.querySelectorAll("input:checked")) box.checked = false;
    for (const day of limits.querySelectorAll("input[type=date]")) day.value = "";
    sayLimits();
    limits.querySelector("input").focus();
  });
  document.addEventListener("click", (event) => { if (!limits.contains(event.target)) limits.open = false; });
  composer.addEventListener("submit", () => { limits.open = false; });
  // Kept over a reload by some browsers, whatever the page says.
  sayLimits();

  // A thumb that was given is where the keyboard goes on, once its dialog is closed.
  document.addEventListener("htmx:afterSettle", (event) => {
    const thumbs = event.target.closest?.(".thumbs") || document.getElementById(event.detail.target?.id ?? "");
    if (thumbs?.matches(".thumbs")) setTimeout(() => (thumbs.querySelector("[data-given]") ?? thumbs.querySelector("a"))?.focus());
  });

  // Stop
  function pending() { return thread.querySelector(".answer-pending"); }
  stop.addEventListener("click", () => {
    stop.disabled = true;
    for (const form of thread.querySelectorAll("[data-stop]")) form.requestSubmit();
    question.focus();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    if (document.querySelector("dialog[open]")) return;
    if (limits.open) {
      limits.open = false;
      limits.querySelector("summary").focus();
    } else if (pending()) stop.click();
    else if (!panel.hidden) closePanel();
  });

  // Everything that changes the thread comes by here, the stream's pieces too.
  let wasPending = false;
  new MutationObserver(() => {
    const isPending = Boolean(pending());
    send.hidden = isPending;
    stop.hidden = !isPending;
    if (!isPending) stop.disabled = false;
    if (wasPending && !isPending) document.body.dispatchEvent(new Event("answerSettled"));
    wasPending = isPending;
    if (following) scroller.scrollTop = scroller.scrollHeight;
    else toEnd.hidden = atEnd();
  }).observe(thread, { childList: true, subtree: true, characterData: true, attributeFilter: ["class"] });

  // Scrolling follows the stream until the reader scrolls up.
  let following = true;
  function atEnd() { return scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_END; }
  function toTheEnd() {
    following = true;
    scroller.scrollTop = scroller.scrollHeight;
  }
  scroller.addEventListener("scroll", () => {
    following = atEnd();
    toEnd.hidden = following;
  }, { passive: true });
  toEnd.addEventListener("click", toTheEnd);
  wasPending = Boolean(pending());
  send.hidden = wasPending;
  stop.hidden = !wasPending;
  if (thread.querySelector(".answer")) toTheEnd();
  if (!COARSE.matches) question.focus();

  // Sources open beside the thread where there is room; else the link is just a link.
  let opener = null;
  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a.cite[href], a[data-passage]");
    if (link && thread.contains(link) && WIDE.matches && window.ragapp.isPlain(event)) {
      event.preventDefault();
      await htmx.ajax("GET", link.href, { target: "#panel", swap: "innerHTML" });
      mark(link);
      panel.hidden = false;
      panel.focus();
      panel.querySelector("#passage")?.scrollIntoView({ block: "center" });
    }
    if (event.target.closest("[data-close-panel]")) closePanel();
  });

  function mark(link) {
    unmark();
    opener = link;
    for (const same of thread.querySelectorAll("a.cite[href], a[data-passage]")) {
      if (same.href === link.href) same.setAttribute("aria-expanded", "true");
    }
  }
  function unmark() {
    for (const marked of thread.querySelectorAll("[aria-expanded]")) marked.removeAttribute("aria-expanded");
  }
  function closePanel() {
    panel.hidden = true;
    panel.replaceChildren();
    unmark();
    opener?.focus();
  }
})();
