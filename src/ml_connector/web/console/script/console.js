// All of the console's own script: theme, keys, copying, selection, type-ahead, the age of what is shown.
// Pages work without it; htmx replaces parts of them.
"use strict";
const one = (query, root = document) => root.querySelector(query);
const all = (query, root = document) => [...root.querySelectorAll(query)];

// ---- theme: kept with the user; the button also answers at once
document.addEventListener("click", event => {
  const button = event.target.closest("[data-theme-button]");
  if (!button) return;
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  document.cookie = `theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
});

// ---- keys, off while somebody types, and off for good where the user said so
const typing = element => element.matches("input:not([type=checkbox]), select, textarea, [contenteditable]");
const places = { o: "/", r: "/records", h: "/holds", t: "/reconciliation", p: "/plan", a: "/audit", m: "/mapping", c: "/connections" };
let at = -1, went = 0, anchor = -1;
const rows = () => all("[data-row]").filter(row => row.offsetParent);
const walk = step => {
  const list = rows();
  if (!list.length) return;
  at = Math.max(0, Math.min(list.length - 1, at + step));
  one("a, button", list[at])?.focus();
};
const keys = {
  "/": () => (one("[data-search-here]") || one("[data-search]"))?.focus(),
  j: () => walk(1),
  k: () => walk(-1),
  g: () => { went = Date.now(); },
  u: () => { const up = one("[data-up]"); if (up) location.href = up.href; },
  r: () => one("[data-key-replay]")?.click(),
  e: () => all("details.fold").forEach(fold => { fold.open = !fold.open; }),
  x: () => { const box = one("input[type=checkbox]", rows()[at] || document.createElement("i")); box?.click(); anchor = at; },
  X: () => {
    if (anchor < 0) return;
    const list = rows(), [from, to] = [Math.min(anchor, at), Math.max(anchor, at)];
    list.slice(from, to + 1).forEach(row => { const box = one("input[type=checkbox]", row); if (box) box.checked = true; });
    count();
  },
  "?": () => { const help = one("#keys"); if (help) help.open ? help.close() : help.showModal(); },
};
document.addEventListener("keydown", event => {
  if (typing(event.target) || event.ctrlKey || event.metaKey || event.altKey || document.body.dataset.keys === "off") return;
  if (Date.now() - went < 900 && places[event.key]) { location.href = places[event.key]; return; }
  const act = keys[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

// ---- selection drives the bulk bar
const count = () => {
  const bar = one("[data-bulk]");
  if (!bar) return;
  const chosen = all("[data-row] input[type=checkbox]:checked");
  bar.hidden = !chosen.length;
  one("[data-chosen]", bar).textContent = chosen.length;
  const sums = new Map();
  chosen.forEach(box => box.dataset.currency && sums.set(box.dataset.currency, (sums.get(box.dataset.currency) || 0n) + BigInt(box.dataset.minor)));
  one("[data-sums]", bar).textContent = [...sums].map(([currency, minor]) => amount(minor, currency)).join(" · ");
  all("[data-row]").forEach(row => row.classList.toggle("selected", !!one("input[type=checkbox]:checked", row)));
  const head = one("[data-all]");
  if (head) head.checked = chosen.length > 0 && chosen.length === all("[data-row] input[type=checkbox]").length;
  all("[data-whole-query]").forEach(line => { line.hidden = !(head && head.checked); });
};
const amount = (minor, currency) => {
  const digits = new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits;
  const text = String(minor < 0n ? -minor : minor).padStart(digits + 1, "0");
  const whole = text.slice(0, text.length - digits).replace(/\B(?=(\d{3})+$)/g, document.documentElement.dataset.group || ",");
  return (minor < 0n ? "\u2212" : "") + whole + (digits ? (document.documentElement.dataset.mark || ".") + text.slice(-digits) : "") + " " + currency;
};
document.addEventListener("change", event => {
  if (event.target.matches("[data-all]")) all("[data-row] input[type=checkbox]").forEach(box => { box.checked = event.target.checked; });
  if (event.target.matches("input[type=checkbox]")) count();
  const form = event.target.closest("[data-submit-on-change]");
  if (form) form.requestSubmit();
});

// ---- copying
document.addEventListener("click", async event => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard?.writeText(document.getElementById(button.dataset.copy).textContent);
  one("span", button).textContent = "Copied";
});

// ---- closing what was opened, and dialogs by name
document.addEventListener("click", event => {
  all("details.switch[open], .tabs-phone details[open]").forEach(menu => { if (!menu.contains(event.target)) menu.open = false; });
  const opener = event.target.closest("[data-opens]");
  if (opener) { event.preventDefault(); const part = document.getElementById(opener.dataset.opens); part.hidden = false; one("[data-first]", part)?.focus(); part.scrollIntoView({ block: "nearest" }); }
  const closer = event.target.closest("[data-closes]");
  if (closer) { event.preventDefault(); document.getElementById(closer.dataset.closes).hidden = true; }
});

// ---- type-ahead: the ARIA combobox. The server sends the list; here it is walked and taken from.
const options = box => all("[role=option]", box).filter(option => option.ariaDisabled !== "true" && !option.hidden);
const shut = (box, list = "ul") => {
  const input = one("[role=combobox]", box);
  one(list, box)?.remove();
  input.setAttribute("aria-expanded", "false");
  input.removeAttribute("aria-activedescendant");
};
const choose = (box, option) => {
  const input = one("[role=combobox]", box), value = one("input[type=hidden]", box);
  input.value = option.dataset.label;
  value.value = option.dataset.value;
  shut(box);
  box.dataset.chosen = ""; // a list that was asked for before may still come: it stays hidden
  value.dispatchEvent(new Event("change", { bubbles: true }));
};
document.addEventListener("keydown", event => {
  const box = event.target.closest?.(".combobox");
  if (!box || !["ArrowDown", "ArrowUp", "Enter", "Escape"].includes(event.key)) return;
  const list = options(box), now = list.findIndex(option => option.ariaSelected === "true");
  if (event.key === "Escape") { shut(box); return; }
  if (!list.length) return;
  event.preventDefault();
  if (event.key === "Enter") { if (now >= 0) choose(box, list[now]); return; }
  const next = list[(now + (event.key === "ArrowDown" ? 1 : -1) + list.length) % list.length];
  list.forEach(option => { option.ariaSelected = String(option === next); });
  event.target.setAttribute("aria-activedescendant", next.id);
  next.scrollIntoView({ block: "nearest" });
});
document.addEventListener("click", event => {
  const option = event.target.closest(".combobox [role=option]");
  if (option && option.ariaDisabled !== "true") choose(option.closest(".combobox"), option);
});
// What is typed afterwards is not what was chosen; and a list that was left must not cover what is beneath it.
document.addEventListener("input", event => {
  const value = event.target.matches("[role=combobox]") && one("input[type=hidden]", event.target.closest(".combobox"));
  if (value) value.value = "";
  if (value) event.target.removeAttribute("aria-activedescendant");
  delete event.target.closest(".combobox")?.dataset.chosen;
});
document.addEventListener("focusin", event => { delete event.target.closest?.(".combobox")?.dataset.chosen; });
document.addEventListener("mousedown", event => { if (event.target.closest(".combobox ul")) event.preventDefault(); });
document.addEventListener("focusout", event => {
  const box = event.target.closest?.(".combobox");
  if (!box || box.contains(event.relatedTarget)) return;
  shut(box, "ul[role]"); // what only says why there is none covers nothing, and would move what is clicked
});

// a list stays open beside its own field alone
const tidy = () => all(".combobox").forEach(box => { if (!box.contains(document.activeElement)) one("ul", box)?.remove(); });
document.addEventListener("focusin", tidy);
document.addEventListener("htmx:after:swap", tidy);

// ---- blanks that matter with one value of another blank alone
const matters = () => all("[data-when]").forEach(part => {
  const [name, value] = part.dataset.when.split("="), other = part.closest("form").elements[name];
  part.hidden = !!other && other.value !== value;
});
document.addEventListener("change", matters);
matters();

// ---- what has been edited is never replaced under the hand
document.addEventListener("input", event => event.target.closest("[data-keep]")?.setAttribute("data-dirty", ""));

// ---- the age of what is shown: the stream's heartbeat feeds it
let heard = Date.now();
const live = () => one("[data-live]");
document.addEventListener("htmx:sse:after:message", () => { heard = Date.now(); });
setInterval(() => {
  const line = live();
  if (!line || !line.dataset.stream) return;
  const seconds = Math.round((Date.now() - heard) / 1000);
  const state = document.hidden ? "paused" : seconds > 30 ? "reconnecting" : "";
  state ? line.dataset.state = state : delete line.dataset.state;
  one("span", line).textContent = state === "paused" ? "Paused" : state ? `Reconnecting, data of ${new Date(heard).toLocaleTimeString()}` : "Live";
  one("[data-age]", line).textContent = state ? "" : ` · ${seconds} s ago`;
}, 1000);
count();
