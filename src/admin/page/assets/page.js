// Small conveniences. Every page does what it is for without them.
"use strict";

(() => {
  const root = document.documentElement;
  const find = (id) => document.getElementById(id);
  root.classList.add("js");

  // Says something to a screen reader, when there is something new to say.
  let said = "";
  const say = (text) => {
    const place = find("said");
    if (place && text && text !== said) place.textContent = said = text;
  };
  said = find("live")?.dataset.said ?? "";

  // Dialogs stand for the page that asks the same question.
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog]");
    const dialog = opener && find(opener.dataset.dialog);
    if (!dialog?.showModal || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    dialog.showModal();
  });

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const before = button.textContent;
    if (button.dataset.copying) return;
    button.dataset.copying = "yes";
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = button.dataset.copied;
      say(`${button.dataset.copied}: ${button.dataset.copy}`);
    } catch {
      // Without the permission it is at least selected.
      const text = find(button.dataset.of);
      if (text) getSelection().selectAllChildren(text);
    }
    setTimeout(() => {
      button.textContent = before;
      delete button.dataset.copying;
    }, 1500);
  });

  // Live updates: none while nobody looks, none under somebody's hands, none that brings nothing new.
  const isBusy = (live) => {
    const selection = getSelection();
    const selects = !selection.isCollapsed && live.contains(selection.anchorNode);
    return document.hidden || selects || live.querySelector("dialog[open], [data-copying]") !== null;
  };
  let latest = "";
  let opened = [];

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target.id === "live" && isBusy(event.target)) event.preventDefault();
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, target } = event.detail;
    if (target?.id !== "live") return;
    find("stale").hidden = true;
    // Whoever is logged out meanwhile gets another page, which is gone to.
    if (!xhr.responseText.includes('id="live"')) {
      event.detail.shouldSwap = false;
      location.reload();
    } else if (xhr.responseText === latest || isBusy(target)) {
      event.detail.shouldSwap = false;
    } else {
      latest = xhr.responseText;
      opened = [...target.querySelectorAll("details[open]")].map((details) => details.id);
    }
  });

  document.addEventListener("htmx:afterSwap", () => {
    for (const id of opened) find(id)?.setAttribute("open", "");
    say(find("live")?.dataset.said);
  });

  const isStale = (event) => {
    if (event.target.id !== "live" && event.detail.elt?.id !== "live") return;
    // An answer that is an error page may say that the session is over.
    if (event.detail.xhr?.status === 401) location.reload();
    else find("stale").hidden = false;
  };
  for (const trouble of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) document.addEventListener(trouble, isStale);

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && find("live")) window.htmx?.trigger("#live", "look");
  });
})();
