// What pages do beyond their HTML. Every page works without this file.
"use strict";

const root = document.documentElement;
const typing = (node) => node.closest?.("input, textarea, select, [contenteditable]");

// -- theme ---------------------------------------------------------------------------------------

const theme = document.getElementById("theme");
theme.hidden = false;
theme.addEventListener("click", () => {
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("wherry-theme", root.dataset.theme);
});

// -- keys ----------------------------------------------------------------------------------------

const keys = document.getElementById("keys");
const help = document.getElementById("help");
help.hidden = false;
help.addEventListener("click", () => keys.showModal());

let wentFor = 0; // when g was pressed
const steps = { "[": "older", "]": "newer" };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (typing(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const going = event.timeStamp - wentFor < 1500;
  const link = going
    ? document.querySelector(`[data-go="${CSS.escape(event.key)}"]`)
    : steps[event.key] && document.querySelector(`[data-step="${steps[event.key]}"]`);
  wentFor = event.key === "g" ? event.timeStamp : 0;
  if (link) link.click();
  else if (event.key === "/") document.getElementById("q").focus();
  else if (event.key === "?") keys.showModal();
  else return;
  event.preventDefault();
});

// -- times ---------------------------------------------------------------------------------------

function span(ms) {
  const s = Math.floor(ms / 1000);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

function tick() {
  const now = Date.now();
  for (const node of document.querySelectorAll("time[data-age]")) {
    node.textContent = `${span(Math.max(0, now - Date.parse(node.dateTime)))} ago`;
  }
  for (const node of document.querySelectorAll("time[data-countdown]")) {
    const left = Date.parse(node.dateTime) - now;
    node.textContent = left > 0 ? `in ${span(left)}` : `${span(-left)} ago`;
    node.classList.toggle("over", left <= 0);
  }
}
tick();
setInterval(tick, 1000);
document.addEventListener("htmx:after:swap", tick);

// -- live sections -------------------------------------------------------------------------------

// A section in which somebody is about to do something is left alone until they have done it.
document.addEventListener("htmx:before:request", (event) => {
  const section = event.detail.ctx.sourceElement;
  if (!section.matches('[hx-trigger^="every"]')) return;
  const busy = section.querySelector("details[open], input:focus, select:focus, input:checked");
  if (busy || document.hidden) event.preventDefault();
});

// -- copying -------------------------------------------------------------------------------------

async function copy(node) {
  await navigator.clipboard.writeText(node.textContent);
  node.classList.add("copied");
  setTimeout(() => node.classList.remove("copied"), 1200);
}
document.addEventListener("click", (event) => {
  const node = event.target.closest("[data-copy]");
  if (node) copy(node);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches("[data-copy]")) copy(event.target);
});

// -- forms ---------------------------------------------------------------------------------------

document.addEventListener("change", (event) => {
  const { target } = event;
  if (target.matches("[data-all]")) {
    for (const box of document.querySelectorAll(`input[name="${target.dataset.all}"]`)) {
      box.checked = target.checked;
    }
  }
  if (target.matches("[data-submit]")) target.form.requestSubmit();
});

// -- the live table ------------------------------------------------------------------------------

const ROWS = 500; // more make the browser slow; older events are on the pages of their entities
const tail = document.getElementById("tail");

function connected(on, said) {
  document.getElementById("dot").classList.toggle("on", on);
  document.getElementById("dot-said").textContent = said;
}
if (tail) {
  document.addEventListener("htmx:sse:after:connection", () => connected(true, "following, newest first"));
  document.addEventListener("htmx:sse:error", () => connected(false, "lost; it will go on where it was"));
  document.addEventListener("htmx:sse:close", () => connected(false, "ended"));
  document.addEventListener("htmx:after:swap", () => {
    while (tail.rows.length > ROWS) tail.rows[tail.rows.length - 1].remove();
  });
}

// -- the slider ----------------------------------------------------------------------------------

document.addEventListener("input", ({ target }) => {
  const shown = target.matches('input[type="range"]') && target.form.querySelector("output");
  if (shown) shown.textContent = `${target.value} / ${target.max}`;
});
