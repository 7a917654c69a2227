// What every page needs: theme buttons, dialogs, copy buttons, notices. No page depends on it to be read.
"use strict";

(() => {
  const root = document.documentElement;
  root.classList.add("js");

  const notice = document.getElementById("notice");
  let noticeTimer = 0;
  function say(sentence) {
    if (!notice) return;
    notice.textContent = sentence;
    clearTimeout(noticeTimer);
    noticeTimer = setTimeout(() => { notice.textContent = ""; }, 6000);
  }
  window.ragapp = { say };

  // Theme: the cookie that the form would set, without leaving the page.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-themes] button");
    if (!button) return;
    event.preventDefault();
    root.dataset.theme = button.value;
    document.cookie = `theme=${button.value};path=/;max-age=31536000;samesite=lax${location.protocol === "https:" ? ";secure" : ""}`;
    for (const other of button.form.querySelectorAll("button")) {
      other.setAttribute("aria-pressed", String(other === button));
    }
  });

  // Dialogs: a link to a page with one form opens as a dialog instead.
  const dialog = document.getElementById("dialog");
  document.addEventListener("click", async (event) => {
    const opener = event.target.closest("a[data-dialog]");
    if (opener && dialog && isPlain(event)) {
      event.preventDefault();
      await htmx.ajax("GET", opener.href, { target: "#dialog", swap: "innerHTML" });
      if (dialog.childElementCount && !dialog.open) dialog.showModal();
      return;
    }
    const closer = event.target.closest("[data-close]");
    if (closer && dialog?.contains(closer)) {
      event.preventDefault();
      dialog.close();
    }
    if (event.target === dialog) dialog.close();
  });
  dialog?.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.successful && event.detail.requestConfig.verb !== "get") dialog.close();
  });

  // Copying.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy], [data-copy-answer]");
    if (!button) return;
    const source = button.dataset.copy
      ? document.querySelector(button.dataset.copy)
      : button.closest(".answer").querySelector("[data-answer]");
    copy(source.innerText.trim()).then(
      () => {
        say("Copied.");
        button.classList.add("done");
        setTimeout(() => button.classList.remove("done"), 1500);
      },
      () => say("Copying is not allowed here. Select the text instead."),
    );
  });

  async function copy(text) {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    // Over plain HTTP on another host than localhost there is no clipboard object.
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "visually-hidden";
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    if (!copied) throw new Error("not copied");
  }

  // The menu of narrow screens works by its anchor alone; this closes it by Escape and leaves no anchor behind.
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && location.hash === "#sidebar") location.hash = "#main";
  });
  window.addEventListener("hashchange", () => {
    if (location.hash === "#sidebar") document.querySelector("#sidebar .sidebar-close")?.focus();
  });

  document.addEventListener("htmx:sendError", () => say("The server cannot be reached. Check your connection and try again."));
  document.addEventListener("htmx:responseError", (event) => {
    const status = event.detail.xhr.status;
    say(status === 403 ? "This page was open for too long. Reload it and try again." : status === 404 ? "That is gone." : "Something went wrong. Try again.");
  });

  function isPlain(event) {
    return event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  }
  window.ragapp.isPlain = isPlain;
})();
