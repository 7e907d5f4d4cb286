// What is wrong with the page that is open: widths, contrasts, targets, images without words.
(() => {
  const numbers = (text) => (text.match(/[\d.]+(?:e-?\d+)?/g) ?? []).map(Number);
  const parse = (text) => {
    const [r, g, b, a = 1] = numbers(text.replace(/^color\(srgb/, ""));
    return text.startsWith("color(srgb") ? [255 * r, 255 * g, 255 * b, a] : [r, g, b, a];
  };
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
  };
  const contrast = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const element = walker.currentNode.parentElement;
    if (!text || !element.checkVisibility() || element.closest(".hidden, .skip, :disabled, script")) continue;
    const style = getComputedStyle(element);
    const under = behind(element);
    const [a, b] = [luminance(over(parse(style.color), under)), luminance(under)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) contrast.push(`${text.slice(0, 30)} ${ratio.toFixed(2)}`);
  }
  const wide = document.documentElement.scrollWidth > innerWidth ? [`${document.documentElement.scrollWidth} of ${innerWidth}`] : [];
  const small = innerWidth > 640 ? [] : [...document.querySelectorAll("button, .pages a, .chips a, input:not([type=hidden])")]
    .filter((e) => e.checkVisibility() && !e.closest(".grid, .chart, label.check, dialog"))
    .filter((e) => e.getBoundingClientRect().height < 39.5).map((e) => e.textContent.trim().slice(0, 20) || e.name);
  const nameless = [...document.querySelectorAll("button, a, input:not([type=hidden])")]
    .filter((e) => e.checkVisibility() && !(e.textContent.trim() || e.ariaLabel || e.closest("label"))).map((e) => e.outerHTML.slice(0, 60));
  return { wide, contrast, small, nameless };
})()
