// The documents page: one request a file, two at a time, with progress; no file ever leaves the list by itself.
"use strict";

(() => {
  const form = document.getElementById("upload");
  filters();
  if (!form) return;
  const input = document.getElementById("files");
  const drop = document.getElementById("drop");
  const list = document.getElementById("upload-list");
  const collection = document.getElementById("upload-collection");
  const LIMIT = Number(form.dataset.maxBytes);
  const AT_ONCE = 2;
  const queue = [];
  let running = 0;

  input.addEventListener("change", () => { add(input.files); input.value = ""; });
  for (const type of ["dragenter", "dragover"]) {
    drop.addEventListener(type, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  for (const type of ["dragleave", "drop"]) drop.addEventListener(type, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    add(event.dataTransfer.files);
  });
  // A file dropped beside the zone must not replace the page.
  for (const type of ["dragover", "drop"]) window.addEventListener(type, (event) => event.preventDefault());
  window.addEventListener("beforeunload", (event) => { if (running || queue.length) event.preventDefault(); });

  function add(files) {
    for (const file of files) {
      const item = row(file.name);
      const upload = { file, item, collection: collection.value, sameName: form.elements.same_name.value };
      if (file.size > LIMIT) fail(upload, `The file is larger than ${form.dataset.maxMb} MB.`, false);
      else queue.push(upload);
    }
    next();
  }

  function next() {
    while (running < AT_ONCE && queue.length) {
      running += 1;
      send(queue.shift());
    }
  }

  function send(upload) {
    const { item } = upload;
    const body = new FormData();
    body.append("collection", upload.collection);
    body.append("same_name", upload.sameName);
    body.append("files", upload.file, upload.file.name);
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("X-CSRFToken", form.elements.csrfmiddlewaretoken.value);
    request.responseType = "json";
    item.className = "upload-item";
    item.words.textContent = "Uploading";
    item.bar.hidden = false;
    request.upload.addEventListener("progress", (event) => {
      if (!event.lengthComputable) return;
      item.bar.value = event.loaded / event.total;
      item.words.textContent = event.loaded < event.total ? `${Math.floor(100 * event.loaded / event.total)} %` : "Storing";
    });
    request.addEventListener("load", () => settle(upload, request));
    request.addEventListener("error", () => fail(upload, "The connection was lost.", true));
    request.addEventListener("loadend", () => { running -= 1; next(); });
    request.send(body);
  }

  function settle(upload, request) {
    const { item } = upload;
    if (request.status === 202 && request.response) {
      item.classList.add("done");
      item.bar.hidden = true;
      item.words.textContent = request.response.sentence;
      document.body.dispatchEvent(new Event("documentsChanged"));
      return;
    }
    const told = request.response?.sentence || request.response?.error?.message;
    fail(upload, told || (request.status === 413 ? "The file is larger than this installation accepts." : "The upload was refused. Reload the page and try again."), !told || request.response.retryable === true);
  }

  function fail(upload, sentence, retryable) {
    const { item } = upload;
    item.className = "upload-item failed";
    item.bar.hidden = true;
    item.words.textContent = sentence;
    if (!retryable) return;
    const again = document.createElement("button");
    again.type = "button";
    again.className = "button small";
    again.textContent = "Retry";
    again.addEventListener("click", () => { again.remove(); queue.push(upload); next(); });
    item.append(again);
  }

  function row(name) {
    const item = document.createElement("li");
    item.className = "upload-item";
    const label = document.createElement("span");
    label.className = "clip";
    label.textContent = name;
    label.title = name;
    item.words = document.createElement("span");
    item.words.className = "words";
    item.words.textContent = "Waiting";
    item.bar = document.createElement("progress");
    item.bar.max = 1;
    item.bar.value = 0;
    item.bar.setAttribute("aria-label", `Upload of ${name}`);
    item.append(label, item.words, item.bar);
    list.append(item);
    return item;
  }

  function filters() {
    // The address follows the filters, so that a reload and a shared link show the same rows.
    document.querySelector("[data-filters]")?.addEventListener("htmx:afterRequest", (event) => {
      if (!event.detail.successful) return;
      const chosen = [...new FormData(event.currentTarget)].filter(([, value]) => value);
      const query = new URLSearchParams(chosen).toString();
      history.replaceState(null, "", query ? `?${query}` : location.pathname);
    });
  }
})();
