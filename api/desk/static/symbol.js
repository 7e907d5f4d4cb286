// Candles with volume beneath, indicators, signals and fills.
import { chartIn, colours, dollars, library, onTheme, points, press } from "./charts.js";
import { feed } from "./desk.js";

const place = document.getElementById("bars-chart");
const buttons = [...document.querySelectorAll("[data-interval]")];
let interval = buttons[0]?.dataset.interval;
let chart = null;
let ends = 0;
let view = null;
const LINES = ["accent", "vix", "other", "muted", "warn"];

async function load(keep) {
  const wanted = interval;
  const account = encodeURIComponent(document.body.dataset.account);
  const answer = await fetch(`/desk/bars?symbol=${encodeURIComponent(place.dataset.symbol)}&interval=${wanted}&account=${account}`);
  if (!answer.ok || wanted !== interval) return;
  view = keep && chart ? chart.timeScale().getVisibleLogicalRange() : null;
  draw(await answer.json());
}

function draw(data) {
  const colour = colours();
  chart?.remove();
  chart = chartIn(place, colour);
  const times = data.times;
  const candles = chart.addSeries(library.CandlestickSeries, {
    priceFormat: dollars, upColor: colour.gain, downColor: colour.card, borderUpColor: colour.gain, borderDownColor: colour.loss, wickUpColor: colour.gain, wickDownColor: colour.loss,
  });
  candles.setData(times.map((time, i) => ({ time, open: data.open[i], high: data.high[i], low: data.low[i], close: data.close[i] })));
  candles.priceScale().applyOptions({ scaleMargins: { top: 0.06, bottom: 0.22 } });
  const volume = chart.addSeries(library.HistogramSeries, { priceScaleId: "volume", priceFormat: { type: "volume" }, priceLineVisible: false, lastValueVisible: false });
  volume.priceScale().applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
  volume.setData(times.map((time, i) => ({ time, value: data.volume[i], color: data.close[i] >= data.open[i] ? colour.gainHalf : colour.lossHalf })));
  const key = [];
  Object.entries(data.indicators).forEach(([name, values], i) => {
    const line = LINES[i % LINES.length];
    chart.addSeries(library.LineSeries, { priceFormat: dollars, color: colour[line], lineWidth: 1, priceLineVisible: false, lastValueVisible: false, crosshairMarkerVisible: false }).setData(points(times, values));
    key.push([name, line]);
  });
  // Shapes and places tell them apart without a word, so that words do not lie over each other.
  const marks = [
    ...data.signals.map(({ time, signal }) => ({
      time, position: signal === "buy" ? "belowBar" : "aboveBar", shape: signal === "buy" ? "arrowUp" : "arrowDown", color: signal === "buy" ? colour.gain : colour.loss, size: 1.2,
    })),
    ...data.fills.map(({ time, price }) => ({ time, price, position: "atPriceMiddle", shape: "circle", color: colour.ink, size: 0.6 })),
  ].sort((a, b) => a.time - b.time);
  library.createSeriesMarkers(candles, marks);
  if (view) chart.timeScale().setVisibleLogicalRange(view);
  else chart.timeScale().setVisibleLogicalRange({ from: times.length - (place.clientWidth < 500 ? 60 : 160), to: times.length + 3 });
  const words = document.getElementById("indicator-key");
  words.replaceChildren(...key.map(([name, line]) => {
    const word = document.createElement("span");
    word.className = `line ${line}`;
    word.textContent = name.replaceAll("_", " ");
    return word;
  }));
  place.dataset.bars = times.length;
  place.dataset.marks = marks.length;
}

if (place) {
  for (const button of buttons) {
    button.addEventListener("click", () => {
      interval = button.dataset.interval;
      press(buttons, button);
      load(false);
    });
  }
  feed.addEventListener("frame", (event) => {
    const at = event.detail.fields[`price/${place.dataset.symbol}`]?.[3] ?? 0;
    if (at > ends) {
      const first = ends === 0;
      ends = at;
      if (!first) load(true);
    }
  });
  onTheme(() => load(true));
  load(false);
}
