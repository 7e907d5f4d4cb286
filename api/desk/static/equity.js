// Equity with its benchmark, and the drawdown as a second pane.
import { chartIn, colours, dollars, library, onTheme, percent, points, press } from "./charts.js";
import { feed } from "./desk.js";

const place = document.getElementById("equity-chart");
const buttons = [...document.querySelectorAll("[data-range]")];
let range = "1w";
let chart = null;
let drawn = 0;

async function load() {
  const wanted = range;
  const answer = await fetch(`/desk/equity?account=${encodeURIComponent(place.dataset.account)}&range=${wanted}`);
  if (!answer.ok || wanted !== range) return;
  draw(await answer.json());
}

function draw(data) {
  const none = document.getElementById("equity-none");
  const empty = data.times.length < 2;
  place.hidden = empty;
  none.hidden = !empty;
  none.textContent = empty ? "The account has no history in this range yet." : "";
  if (empty) return;
  const colour = colours();
  chart?.remove();
  chart = chartIn(place, colour);
  if (data.benchmark) {
    chart.addSeries(library.LineSeries, { priceFormat: dollars, color: colour.other, lineWidth: 1, priceLineVisible: false, lastValueVisible: false, crosshairMarkerVisible: false })
      .setData(points(data.times, data.benchmark));
  }
  chart.addSeries(library.AreaSeries, { priceFormat: dollars, lineColor: colour.accent, topColor: colour.accentFaint, bottomColor: "transparent", lineWidth: 2, priceLineVisible: true, priceLineColor: colour.accent })
    .setData(points(data.times, data.equity));
  chart.addSeries(library.AreaSeries, { lineColor: colour.loss, topColor: "transparent", bottomColor: colour.lossFaint, invertFilledArea: true, lineWidth: 1, priceFormat: percent, priceLineVisible: false }, 1)
    .setData(points(data.times, data.drawdown.map((value) => 100 * value)));
  chart.panes()[0].setStretchFactor(3);
  chart.panes()[1].setStretchFactor(1);
  chart.timeScale().fitContent();
  const key = document.getElementById("benchmark-key");
  key.hidden = !data.benchmark;
  key.textContent = data.benchmark_name;
  place.dataset.points = data.times.length;
}

if (place) {
  for (const button of buttons) {
    button.addEventListener("click", () => {
      range = button.dataset.range;
      press(buttons, button);
      load();
    });
  }
  feed.addEventListener("frame", (event) => {
    const at = event.detail.fields[`${place.dataset.account}/equity`]?.[3] ?? 0;
    if (at > drawn) {
      drawn = at;
      load();
    }
  });
  onTheme(load);
  load();
}
