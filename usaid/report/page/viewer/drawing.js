/* What the viewer draws of a scene, each part once it is on the screen. Texts are set as text only. */

const at = (name) => document.getElementById(`viewer-${name}`);
const ZOOMS = [1, 2, 4, 8];
const body = at("body");
const panes = { compare: at("compare"), difference: at("difference") };
const layers = [at("layer-left"), at("layer-right")];
const wholes = [...at("overviews").querySelectorAll(".viewer-whole")];
const sides = ["left", "right"];
const select = Object.fromEntries(
  ["experiment", "benchmark", "image", "sigma", ...sides, "over-left", "over-right", "mode", "scale"].map((name) => [
    name,
    at(name),
  ]),
);
const view = { zoom: 1, x: 0, y: 0 };
let experiment;
let scene;
let shown;

function make(tag, text = "", className = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = className;
  return element;
}

/* ---- drawing: each element once it is on the screen */

const tasks = new WeakMap();
const undrawn = new Set();
const observer = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) if (isIntersecting) drawNow(target);
});

function draw(element, task) {
  tasks.set(element, task);
  undrawn.add(element);
  delete element.dataset.drawn;
  observer.unobserve(element);
  observer.observe(element);
}

async function drawNow(element) {
  if (!undrawn.delete(element)) return;
  const task = tasks.get(element);
  const isCurrent = () => tasks.get(element) === task;
  await task(isCurrent);
  if (isCurrent()) element.dataset.drawn = "";
}

function drawDifference() {
  const isSigned = select.mode.value === "signed";
  const scale = Number(select.scale.value);
  const [low, half, high] = isSigned
    ? [`\u2212${scale}: right darker`, "0", `+${scale}: right brighter`]
    : ["0", `${scale / 2}`, `${scale} of 255`];
  [low, half, high].forEach((text, index) => {
    at("legend").querySelectorAll(".viewer-ends span")[index].textContent = text;
  });
  at("legend").querySelector(".viewer-ramp").style.background =
    `linear-gradient(to right, ${isSigned ? "rgb(0 90 181), rgb(247 247 247), rgb(194 88 0)" : "#000, #fff"})`;
  const pair = shown.map((name) => scene.pictures[name].pixels);
  draw(panes.difference, async (isCurrent) => {
    const [left, right] = await Promise.all(pair.map(pixelsOf));
    if (!isCurrent()) return;
    const { map, found } = difference(left, right, isSigned, scale);
    paint(panes.difference.querySelector("canvas"), map);
    const percent = (100 * found.beyond) / found.pixels;
    const beyond = percent > 0 && percent < 0.1 ? "< 0.1" : percent.toFixed(1);
    at("sum").textContent =
      `In this window: mean ${(found.sum / found.pixels).toFixed(2)}, largest ${found.largest.toFixed(1)} of 255; ` +
      `${beyond} % of the pixels are beyond the scale.`;
    panes.difference.setAttribute(
      "aria-label",
      `Difference map, ${titles()[1]} minus ${titles()[0]}. ${at("sum").textContent}`,
    );
  });
}

/* ---- overlays: what a judge sees, or what is true */

function overlayOf(side) {
  const wanted = select[`over-${sides[side]}`].value;
  if (wanted === "truth") return scene.truth;
  return wanted === "prediction" ? scene.pictures[shown[side]].seen : null;
}

async function drawOverlay(stage, seen, window, isCurrent) {
  const canvas = stage.querySelector(".viewer-labels");
  const boxes = stage.querySelector(".viewer-boxes");
  const labels = seen && seen.labels !== null ? await pixelsOf(seen.labels) : null;
  if (!isCurrent()) return;
  if (labels) paint(canvas, painted(labels, seen.classes, window));
  else clear(canvas);
  boxes.replaceChildren(...(seen?.boxes ?? []).flatMap((box) => boxElements(box, window)));
}

function boxElements(object, [x, y, w, h]) {
  if (!touches(object, [x, y, w, h])) return [];
  const [left, top, width, height, label, score] = object;
  const box = make("div", "", "viewer-box");
  const place = { left: (left - x) / w, top: (top - y) / h, width: width / w, height: height / h };
  for (const [name, share] of Object.entries(place)) box.style[name] = `${100 * share}%`;
  box.style.setProperty("--viewer-box", colourOfLabel(label));
  if (score === null) box.dataset.true = "";
  const text = make("span", boxText(object), "viewer-box-label");
  text.style.left = `${100 * Math.max(0, place.left)}%`;
  text.style.top = `${100 * Math.max(0, place.top)}%`;
  return [box, text];
}

/* Labels of an image are as far apart in hue as their number allows. */
function colourOfLabel(label) {
  const seen = [scene.truth, ...Object.values(scene.pictures).map((picture) => picture.seen)];
  const labels = [...new Set(seen.flatMap((one) => one?.boxes ?? []).map((box) => box[4]))].sort();
  return `hsl(${(360 * labels.indexOf(label)) / labels.length} 90% 62%)`;
}

function boxText([, , , , label, score]) {
  return score === null ? `${label} (true)` : `${label} ${score.toFixed(2)}`;
}

/* What the colours stand for: the classes that occur, and all boxes. */
async function drawLegend() {
  const overlays = [0, 1].map(overlayOf);
  const own = shown;
  const found = new Map();
  for (const seen of overlays.filter((one) => one && one.labels !== null)) {
    const labels = await pixelsOf(seen.labels);
    for (let i = 0; i < labels.data.length; i += 4) found.set(labels.data[i], seen.classes);
  }
  if (shown !== own) return;
  const classes = [...found]
    .sort(([a], [b]) => a - b)
    .map(([number, names]) => legendItem(cssColourOfClass(number, names), className(number, names)));
  const isTwice = overlays[0] === overlays[1];
  at("classes").replaceChildren(
    ...classes,
    ...overlays.slice(isTwice).flatMap((seen, i) => boxItems(seen, i + isTwice)),
  );
}

function boxItems(seen, side) {
  if (!seen?.boxes) return [];
  const inside = seen.boxes.filter((box) => touches(box, scene.window)).length;
  const text = `Boxes in ${overlayName(side)} (${inside} of ${seen.boxes.length} reach into the window):`;
  return [
    make("li", text, "viewer-heading"),
    ...seen.boxes.map((box) => legendItem(colourOfLabel(box[4]), boxText(box))),
  ];
}

function legendItem(colour, text) {
  const item = make("li");
  const patch = make("i");
  patch.style.background = colour;
  item.append(patch, text);
  return item;
}

/* ---- what is drawn */

function titles() {
  return shown.map((name) => experiment.denoisers.find((one) => one.name === name).title);
}

function drawSides() {
  draw(panes.compare, async (isCurrent) => {
    const pair = await Promise.all(shown.map((name) => pixelsOf(scene.pictures[name].pixels)));
    if (!isCurrent()) return;
    layers.forEach((layer, side) => paint(layer.querySelector(".viewer-pixels"), pair[side]));
    await Promise.all(layers.map((layer, side) => drawOverlay(layer, overlayOf(side), scene.window, isCurrent)));
  });
  const [left, right] = titles();
  layers.forEach((layer, side) => {
    layer.querySelector(".viewer-tag").textContent = [left, right][side];
  });
  panes.compare.setAttribute("aria-label", `${left} on the left, ${right} on the right, divided by a slider`);
}

function drawOverviews() {
  const overlays = [0, 1].map(overlayOf);
  const [width, height] = scene.size;
  const [x, y, w, h] = scene.window;
  wholes.forEach((whole, side) => {
    const figure = whole.parentElement;
    figure.hidden = scene.overview === null || (side === 1 && !overlays.some(Boolean));
    whole.style.aspectRatio = `${width} / ${height}`;
    const frame = whole.querySelector(".viewer-frame");
    Object.entries({ left: x / width, top: y / height, width: w / width, height: h / height }).forEach(
      ([name, share]) => {
        frame.style[name] = `${100 * share}%`;
      },
    );
    const over = overlays[side] ? ` with ${overlayName(side)}` : "";
    figure.querySelector("figcaption").textContent =
      `Clean image${over}: reduced, for orientation only. The frame is the window.`;
    if (scene.overview === null) return;
    draw(whole, async (isCurrent) => {
      const pixels = await pixelsOf(scene.overview);
      if (!isCurrent()) return;
      paint(whole.querySelector(".viewer-pixels"), pixels);
      await drawOverlay(whole, overlays[side], [0, 0, width, height], isCurrent);
    });
  });
  drawLegend();
}

function overlayName(side) {
  return select[`over-${sides[side]}`].value === "truth" ? "the truth" : `the prediction on ${titles()[side]}`;
}

function drawStrip() {
  const items = experiment.denoisers
    .filter(({ name }) => scene.pictures[name])
    .map(({ name, title }) => {
      const item = make("li");
      const pane = make("div", "", "viewer-pane");
      const stage = make("div", "", "viewer-stage");
      const canvas = make("canvas", "", "viewer-pixels");
      const caption = make("span", title);
      caption.title = title;
      pane.dataset.denoiser = name;
      stage.append(canvas);
      pane.append(stage);
      item.append(pane, caption);
      const number = scene.pictures[name].pixels;
      draw(pane, async (isCurrent) => {
        const pixels = await pixelsOf(number);
        if (isCurrent()) paint(canvas, pixels);
      });
      return item;
    });
  at("strip")
    .querySelectorAll(".viewer-pane")
    .forEach((pane) => {
      observer.unobserve(pane);
      undrawn.delete(pane);
    });
  at("strip").replaceChildren(...items);
}

/* ---- scores */

function drawScores() {
  const [left, right] = shown.map((name) => scene.pictures[name].scores);
  const head = ["Metric", ...titles(), "right \u2212 left"].map((text) =>
    Object.assign(make("th", text), { scope: "col", title: text }),
  );
  at("scores").tHead.rows[0].replaceChildren(...head);
  const names = Object.keys(DATA.metrics).filter((name) => name in left || name in right);
  at("scores").hidden = !names.length;
  at("scores").tBodies[0].replaceChildren(
    ...names.map((name) => {
      const metric = DATA.metrics[name];
      const row = make("tr");
      const title = Object.assign(make("th"), { scope: "row" });
      const better = metric.better ? `, ${metric.better} is better` : "";
      title.append(metric.title + (metric.unit ? ` (${metric.unit})` : "") + better);
      const change =
        Number.isFinite(left[name]) && Number.isFinite(right[name])
          ? scoreText(right[name] - left[name], metric, "+")
          : "\u2013";
      row.append(
        title,
        ...[scoreText(left[name], metric), scoreText(right[name], metric), change].map((text) => make("td", text)),
      );
      return row;
    }),
  );
  at("conventions").replaceChildren(
    ...names.map((name) => {
      const { title, explained } = DATA.metrics[name];
      return make("li", `${title}: ${name}${explained && `, ${explained}`}`);
    }),
  );
  const words = [0, 1].map((side) => [titles()[side], scene.pictures[shown[side]].seen?.text]);
  at("words").replaceChildren(
    ...[...words, ["True", scene.truth?.text]]
      .filter(([, text]) => text)
      .map(([title, text]) => make("p", `${title}: ${text}`)),
  );
}
