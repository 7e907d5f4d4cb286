// A chart in the page's colours, which follows the theme.
export const library = globalThis.LightweightCharts;

// Colours are made by the style sheet; only a painted element tells what they came to.
export function colours() {
  const probe = document.createElement("i");
  document.body.append(probe);
  const of = (name, share = 1) => {
    probe.style.color = share === 1 ? `var(--${name})` : `color-mix(in srgb, var(--${name}) ${100 * share}%, transparent)`;
    return rgba(getComputedStyle(probe).color);
  };
  const names = ["card", "ink", "muted", "grid", "accent", "other", "gain", "loss", "vix", "warn"];
  const found = Object.fromEntries(names.map((name) => [name, of(name)]));
  for (const name of ["accent", "gain", "loss"]) found[`${name}Faint`] = of(name, 0.16);
  found.gridFaint = of("grid", 0.6);
  for (const name of ["gain", "loss"]) found[`${name}Half`] = of(name, 0.45);
  probe.remove();
  return found;
}

// The library reads rgb() alone; mixed colours compute to color(srgb ...).
function rgba(text) {
  const mixed = text.match(/^color\(srgb ([\d.e-]+) ([\d.e-]+) ([\d.e-]+)(?: \/ ([\d.e-]+))?\)$/);
  if (!mixed) return text;
  const [red, green, blue] = mixed.slice(1, 4).map((part) => Math.round(255 * part));
  return `rgba(${red}, ${green}, ${blue}, ${mixed[4] ?? 1})`;
}

// What rounds to nothing has no sign.
const money = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2, signDisplay: "negative" });

export const dollars = { type: "custom", minMove: 0.01, formatter: (value) => money.format(value).replace("-", "−") };
export const percent = { type: "custom", minMove: 0.01, formatter: (value) => `${money.format(value).replace("-", "−")} %` };

export function chartIn(place, colour) {
  return library.createChart(place, {
    autoSize: true,
    layout: {
      // The mark would be a style element, which the page's policy forbids; the footer has the notice.
      attributionLogo: false,
      background: { type: "solid", color: colour.card },
      textColor: colour.muted,
      fontSize: 11,
      fontFamily: getComputedStyle(document.body).fontFamily,
      panes: { separatorColor: colour.grid, separatorHoverColor: colour.grid, enableResize: false },
    },
    grid: { vertLines: { visible: false }, horzLines: { color: colour.gridFaint } },
    rightPriceScale: { borderColor: colour.grid, scaleMargins: { top: 0.08, bottom: 0.08 } },
    timeScale: { borderColor: colour.grid, timeVisible: true, secondsVisible: false, rightOffset: 2, lockVisibleTimeRangeOnResize: true },
    crosshair: {
      mode: library.CrosshairMode.Magnet,
      vertLine: { color: colour.other, labelBackgroundColor: colour.muted },
      horzLine: { color: colour.other, labelBackgroundColor: colour.muted },
    },
    // Pages scroll; a chart takes the wheel only with a pinch.
    handleScroll: { mouseWheel: false, vertTouchDrag: false },
    handleScale: { mouseWheel: false },
  });
}

export function onTheme(redraw) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}

export function points(times, values) {
  return times.map((time, i) => (values[i] === null ? { time } : { time, value: values[i] }));
}

export function press(buttons, chosen) {
  for (const button of buttons) button.setAttribute("aria-pressed", String(button === chosen));
}
