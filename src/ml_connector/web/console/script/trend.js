// One figure over time with a cursor. The points stand in the table below the chart; without script, or without the
// library, the picture that the server has drawn stays.
document.addEventListener("DOMContentLoaded", () => {
  const figure = one("[data-plot]");
  if (!figure || !window.uPlot) return;
  const table = document.getElementById(figure.dataset.plot), { unit, zone, label } = figure.dataset;
  const budget = figure.dataset.budget === undefined ? null : Number(figure.dataset.budget);
  const rows = all("tbody tr", table).reverse();
  const x = rows.map(row => Date.parse(one("time", row).dateTime) / 1000);
  const y = rows.map(row => (row.dataset.y === undefined ? null : Number(row.dataset.y)));
  if (!y.some(value => value !== null)) return;
  const still = one("svg", figure);
  const time = new Intl.DateTimeFormat("en", { timeZone: zone, hourCycle: "h23", hour: "2-digit", minute: "2-digit" });
  const day = new Intl.DateTimeFormat("en", { timeZone: zone, month: "short", day: "numeric" });
  const both = new Intl.DateTimeFormat("en", { timeZone: zone, month: "short", day: "numeric", hourCycle: "h23", hour: "2-digit", minute: "2-digit" });
  const several = x.at(-1) - x[0] > 2 * 86400;
  const shown = value => {
    if (value === null || value === undefined) return "–";
    const seconds = unit === "ms" ? value / 1000 : unit === "s" ? value : null;
    if (seconds === null) return `${Number(value.toPrecision(3))}${unit ? `\u202f${unit}` : ""}`;
    if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
    if (seconds < 120) return `${Number(seconds.toPrecision(2))} s`;
    return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Number((seconds / 3600).toPrecision(2))} h`;
  };
  let plot;
  const draw = () => {
    plot?.destroy();
    const ink = getComputedStyle(figure).color, faint = getComputedStyle(one("figcaption", figure)).color;
    const line = getComputedStyle(figure).borderTopColor;
    const axis = { stroke: faint, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: "11px Inter Variable, sans-serif" };
    const series = [
      { label: "At", value: (_, at) => (at === null ? "–" : both.format(new Date(at * 1000))) },
      { label, stroke: ink, width: 1.5, spanGaps: false, points: { show: false }, value: (_, value) => shown(value) },
    ];
    const data = [x, y];
    if (budget !== null) {
      series.push({ label: "Budget", stroke: faint, width: 1, dash: [2, 4], points: { show: false }, value: (_, value) => shown(value) });
      data.push(x.map(() => budget));
    }
    plot = new uPlot({
      width: figure.clientWidth, height: 280, series, legend: { live: true, markers: { show: false } },
      scales: { y: { range: (_, low, high) => [0, Math.max(high || 0, budget || 0) * 1.1 || 1] } },
      axes: [
        { ...axis, values: (_, splits) => splits.map(at => (several ? day : time).format(new Date(at * 1000))) },
        { ...axis, size: 64, values: (_, splits) => splits.map(value => (value ? shown(value) : "0")) },
      ],
      cursor: { y: false, drag: { setScale: false, x: false, y: false } },
    }, data, figure);
    still.setAttribute("hidden", "");
    figure.prepend(plot.root);
  };
  draw();
  addEventListener("resize", () => plot.setSize({ width: figure.clientWidth, height: 280 }));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  new MutationObserver(draw).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
});
