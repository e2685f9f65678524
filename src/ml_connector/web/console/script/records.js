// The list never moves under the hand: rows in view change in place, new ones wait behind a bar that the server counts.
document.addEventListener("htmx:sse:after:message", () => {
  const part = one("[data-rows-now]");
  if (!part) return;
  const shown = new Map(all("tr[data-row][data-name]").map(row => [row.dataset.name, row]));
  all("tr[data-name]", part).forEach(fresh => {
    const row = shown.get(fresh.dataset.name);
    if (!row) return;
    row.classList.toggle("gone", fresh.hasAttribute("data-gone"));
    [...row.cells].forEach((cell, index) => {
      const now = fresh.cells[index];
      if (!index || !now || cell.innerHTML === now.innerHTML || cell.contains(document.activeElement)) return;
      const same = cell.textContent.trim() === now.textContent.trim();
      cell.innerHTML = now.innerHTML;
      cell.title = now.title;
      if (same || index === row.cells.length - 1) return;
      cell.classList.add("changed");
      setTimeout(() => cell.classList.remove("changed"), 2000);
    });
  });
});
