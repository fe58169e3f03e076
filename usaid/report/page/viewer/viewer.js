/* The viewer: two denoisers of one image, pixel by pixel. No library, no request; texts are set as text only. */

const at = (name) => document.getElementById(`viewer-${name}`);
const ZOOMS = [1, 2, 4, 8];
const body = at("body");
const panes = { compare: at("compare"), difference: at("difference") };
const layers = [at("layer-left"), at("layer-right")];
const wholes = [...at("overviews").querySelectorAll(".viewer-whole")];
const sides = ["left", "right"];
const select = Object.fromEntries(
  ["experiment", "benchmark", "image", "sigma", ...sides, "over-left", "over-right", "mode", "scale"].map((name) => [name, at(name)]));
const view = { zoom: 1, x: 0, y: 0, fitted: false };
let experiment, scene, shown = [null, null];

function make(tag, text = "", className = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = className;
  return element;
}

/* ---- drawing: each element once it is on the screen */

const tasks = new WeakMap(), undrawn = new Set();
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
  const task = tasks.get(element), isCurrent = () => tasks.get(element) === task;
  await task(isCurrent);
  if (isCurrent()) element.dataset.drawn = "";
}

function drawDifference() {
  const isSigned = select.mode.value === "signed", scale = Number(select.scale.value);
  const [low, half, high] = isSigned ? [`-${scale}: right darker`, "0", `+${scale}: right brighter`] : ["0", `${scale / 2}`, `${scale} of 255`];
  [low, half, high].forEach((text, index) => { at("legend").querySelectorAll(".viewer-ends span")[index].textContent = text; });
  at("legend").querySelector(".viewer-ramp").style.background =
    `linear-gradient(to right, ${isSigned ? "rgb(0 90 181), rgb(247 247 247), rgb(194 88 0)" : "#000, #fff"})`;
  const pair = shown.map((name) => scene.pictures[name].pixels);
  draw(panes.difference, async (isCurrent) => {
    const [left, right] = await Promise.all(pair.map(pixelsOf));
    if (!isCurrent()) return;
    const { map, found } = difference(left, right, isSigned, scale);
    paint(panes.difference.querySelector("canvas"), map);
    const beyond = (100 * found.beyond / found.pixels).toFixed(1);
    at("sum").textContent = `In this window: mean ${(found.sum / found.pixels).toFixed(2)}, largest ${found.largest.toFixed(1)} of 255; ` +
      `${beyond} % of the pixels are beyond the scale.`;
    panes.difference.setAttribute("aria-label", `Difference map, ${titles()[1]} minus ${titles()[0]}. ${at("sum").textContent}`);
  });
}

/* ---- overlays: what a judge sees, or what is true */

function overlayOf(side) {
  const wanted = select[`over-${sides[side]}`].value;
  if (wanted === "truth") return scene.truth;
  return wanted === "prediction" ? scene.pictures[shown[side]].seen : null;
}

async function drawOverlay(stage, seen, window, isCurrent) {
  const canvas = stage.querySelector(".viewer-labels"), boxes = stage.querySelector(".viewer-boxes");
  const labels = seen && seen.labels !== null ? await pixelsOf(seen.labels) : null;
  if (!isCurrent()) return;
  if (labels) paint(canvas, painted(labels, seen.classes, window)); else clear(canvas);
  boxes.replaceChildren(...(seen?.boxes ?? []).flatMap((box) => boxElements(box, window)));
}

function boxCount(boxes) {
  return `${boxes.filter((box) => touches(box, scene.window)).length} of ${boxes.length} boxes reach into the window`;
}

function boxElements(object, [x, y, w, h]) {
  if (!touches(object, [x, y, w, h])) return [];
  const [left, top, width, height, label, score] = object;
  const box = make("div", "", "viewer-box");
  const place = { left: (left - x) / w, top: (top - y) / h, width: width / w, height: height / h };
  for (const [name, share] of Object.entries(place)) box.style[name] = `${100 * share}%`;
  box.style.setProperty("--viewer-box", colourOfName(label));
  if (score === null) box.dataset.true = "";
  const text = make("span", score === null ? `${label} (true)` : `${label} ${score.toFixed(2)}`, "viewer-box-label");
  text.style.left = `${100 * Math.max(0, place.left)}%`;
  text.style.top = `${100 * Math.max(0, place.top)}%`;
  return [box, text];
}

async function drawClasses() {
  const overlays = [0, 1].map(overlayOf);
  const own = scene, both = shown;
  const found = new Map();
  for (const seen of overlays.filter((one) => one && one.labels !== null)) {
    const labels = await pixelsOf(seen.labels);
    for (let i = 0; i < labels.data.length; i += 4) found.set(labels.data[i], seen.classes);
  }
  if (scene !== own || shown !== both) return;
  const boxes = overlays.map((seen, side) => seen?.boxes && `${overlayName(side)}: ${boxCount(seen.boxes)}`);
  at("classes").replaceChildren(...[...new Set(boxes)].filter(Boolean).map((text) => make("li", text)), ...[...found].sort(([a], [b]) => a - b).map(([number, classes]) => {
    const item = make("li"), [red, green, blue, opacity] = colourOfClass(number, classes);
    const patch = make("i");
    patch.style.background = opacity ? `rgb(${red} ${green} ${blue})` : "none";
    item.append(patch, className(number, classes));
    return item;
  }));
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
  layers.forEach((layer, side) => { layer.querySelector(".viewer-tag").textContent = [left, right][side]; });
  panes.compare.setAttribute("aria-label", `${left} on the left, ${right} on the right, divided by a slider`);
}

function drawOverviews() {
  const overlays = [0, 1].map(overlayOf), [width, height] = scene.size, [x, y, w, h] = scene.window;
  at("overviews").hidden = scene.overview === null;
  wholes.forEach((whole, side) => {
    const figure = whole.parentElement;
    figure.hidden = side === 1 && !overlays.some(Boolean);
    whole.style.aspectRatio = `${width} / ${height}`;
    const frame = whole.querySelector(".viewer-frame");
    Object.entries({ left: x / width, top: y / height, width: w / width, height: h / height })
      .forEach(([name, share]) => { frame.style[name] = `${100 * share}%`; });
    const over = overlays[side] ? ` with ${overlayName(side)}` : "";
    figure.querySelector("figcaption").textContent = `Clean image${over}: reduced, for orientation only. The frame is the window.`;
    if (scene.overview === null) return;
    draw(whole, async (isCurrent) => {
      const pixels = await pixelsOf(scene.overview);
      if (!isCurrent()) return;
      paint(whole.querySelector(".viewer-pixels"), pixels);
      await drawOverlay(whole, overlays[side], [0, 0, width, height], isCurrent);
    });
  });
  drawClasses();
}

function overlayName(side) {
  return select[`over-${sides[side]}`].value === "truth" ? "the truth" : `the prediction on ${titles()[side]}`;
}

function drawStrip() {
  const items = experiment.denoisers.filter(({ name }) => scene.pictures[name]).map(({ name, title }) => {
    const item = make("li"), pane = make("div", "", "viewer-pane"), stage = make("div", "", "viewer-stage");
    const canvas = make("canvas", "", "viewer-pixels"), caption = make("span", title);
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
  at("strip").querySelectorAll(".viewer-pane").forEach((pane) => { observer.unobserve(pane); undrawn.delete(pane); });
  at("strip").replaceChildren(...items);
}

/* ---- scores */

function drawScores() {
  const [left, right] = shown.map((name) => scene.pictures[name].scores);
  const head = ["Metric", ...titles(), "right \u2212 left"].map((text) => Object.assign(make("th", text), { scope: "col" }));
  at("scores").tHead.rows[0].replaceChildren(...head);
  const names = Object.keys(DATA.metrics).filter((name) => name in left || name in right);
  at("scores").hidden = !names.length;
  at("scores").tBodies[0].replaceChildren(...names.map((name) => {
    const metric = DATA.metrics[name], row = make("tr"), title = Object.assign(make("th"), { scope: "row" });
    const better = metric.better ? `, ${metric.better} is better` : "";
    title.append(metric.title + (metric.unit ? ` (${metric.unit})` : "") + better,
      make("small", name + (metric.explained ? `: ${metric.explained}` : "")));
    const change = Number.isFinite(left[name]) && Number.isFinite(right[name]) ? scoreText(right[name] - left[name], metric, "+") : "\u2013";
    row.append(title, ...[scoreText(left[name], metric), scoreText(right[name], metric), change].map((text) => make("td", text)));
    return row;
  }));
  const words = [0, 1].map((side) => [titles()[side], scene.pictures[shown[side]].seen?.text]);
  at("words").replaceChildren(...[...words, ["True", scene.truth?.text]].filter(([, text]) => text)
    .map(([title, text]) => make("p", `${title}: ${text}`)));
}

/* ---- zoom and pan: four numbers that all stages have in common */

function place() {
  const [, , width, height] = scene.window, ratio = window.devicePixelRatio || 1;
  const multiple = Math.max(1, Math.round(view.zoom * ratio));
  view.x = Math.min(Math.max(view.x, 0), width);
  view.y = Math.min(Math.max(view.y, 0), height);
  view.scale = multiple / ratio;
  const lengths = { width: width * view.scale, height: height * view.scale,
    x: -Math.round(view.x * multiple) / ratio, y: -Math.round(view.y * multiple) / ratio };
  for (const [name, length] of Object.entries(lengths)) body.style.setProperty(`--viewer-${name}`, `${length}px`);
  for (const pane of Object.values(panes))
    pane.toggleAttribute("data-larger", lengths.width > pane.clientWidth || lengths.height > pane.clientHeight);
  for (const button of body.querySelectorAll("[data-zoom]"))
    button.setAttribute("aria-pressed", String(Number(button.dataset.zoom) === view.zoom));
  at("out").disabled = view.zoom === ZOOMS[0];
  at("in").disabled = view.zoom === ZOOMS.at(-1);
}

function zoomBy(steps) {
  view.zoom = ZOOMS[Math.min(Math.max(ZOOMS.indexOf(view.zoom) + steps, 0), ZOOMS.length - 1)];
  place();
}

function centre() {
  [view.x, view.y] = [scene.window[2] / 2, scene.window[3] / 2];
  place();
}

function fit() {
  const room = Math.min(panes.compare.clientWidth / scene.window[2], panes.compare.clientHeight / scene.window[3]);
  view.zoom = ZOOMS.findLast((zoom) => zoom <= room) ?? 1;
}

function divide(percent) {
  at("slider").value = Math.min(Math.max(percent, 0), 100);
  body.style.setProperty("--viewer-split", `${at("slider").value}%`);
}

function readPixel(x, y) {
  const [left, top, width, height] = scene.window;
  const pair = shown.map((name) => pixelsOf(scene.pictures[name].pixels));
  if (x < 0 || y < 0 || x >= width || y >= height) return;
  const overlays = [0, 1].map(overlayOf).map((seen) => seen && seen.labels !== null ? seen : null);
  const key = readPixel.latest = {};
  Promise.all([...pair, ...overlays.map((seen) => seen && pixelsOf(seen.labels))]).then(([a, b, ...labels]) => {
    if (readPixel.latest !== key) return;
    const i = 4 * (y * width + x);
    const values = [a, b].map(({ data }) => [...data.slice(i, i + 3)].join(" "));
    const classes = labels.map((map, side) =>
      map ? `, ${className(map.data[4 * ((top + y) * map.width + left + x)], overlays[side].classes)}` : "");
    at("readout").textContent = `Pixel (${left + x}, ${top + y}): ` +
      titles().map((title, side) => `${title} ${values[side]}${classes[side]}`).join("; ") +
      `; mean absolute difference ${differenceAt(a.data, b.data, i, false).toFixed(2)}`;
  });
}

/* ---- choices */

function fill(name, entries, wanted) {
  const kept = [select[name].value, ...[wanted].flat()].find((value) => entries.some(([own]) => own === value));
  select[name].replaceChildren(...entries.map(([value, text]) => Object.assign(make("option", text), { value })));
  select[name].value = kept ?? entries[0]?.[0] ?? "";
}

/* The words of `keep_images`; others are shown as they are. */
function reason(word) {
  return word.replace(/^figure_(\d+)$/, "Figure $1");
}

const BY_DIFFERENCE = "by the difference in score that keep_images names (U-SAID \u2212 CDnCNN-B unless it says otherwise)";
const EXPLAINED = { first: "first in the order of ids", median: `median ${BY_DIFFERENCE}`, worst: `worst ${BY_DIFFERENCE}` };

function choose() {
  fill("experiment", DATA.experiments.map((one, index) => [String(index), one.title]));
  experiment = DATA.experiments[Number(select.experiment.value)];
  fill("benchmark", experiment.benchmarks.map(({ name, title }) => [name, title]));
  const ofBenchmark = experiment.scenes.filter((one) => one.benchmark === select.benchmark.value);
  const images = new Map();
  for (const one of ofBenchmark) images.set(keyOf(one), [...(images.get(keyOf(one)) ?? []), one]);
  fill("image", [...images].map(([key, scenes]) => [key, imageTitle(scenes)]));
  const ofImage = images.get(select.image.value);
  fill("sigma", ofImage.map(({ sigma }) => [String(sigma), String(sigma)]), "25");
  scene = ofImage.find(({ sigma }) => String(sigma) === select.sigma.value);
  const names = experiment.denoisers.filter(({ name }) => scene.pictures[name]).map(({ name, title }) => [name, title]);
  fill("right", names, ["u_said", names.at(-1)[0]]);
  fill("left", names, ["cdncnn_b", "noisy", "clean"].filter((name) => name !== select.right.value));
  for (const side of sides) fill(`over-${side}`, overlays(), "off");
  body.querySelectorAll(".viewer-judged").forEach((label) => { label.hidden = overlays().length < 2; });
  shown = sides.map((side) => select[side].value);
}

function overlays() {
  const has = (seen) => seen && (seen.labels !== null || seen.boxes !== null);
  const entries = [["off", "off"]];
  if (Object.values(scene.pictures).some(({ seen }) => has(seen))) entries.push(["prediction", "prediction"]);
  if (has(scene.truth)) entries.push(["truth", "truth"]);
  return entries;
}

function keyOf({ image, window }) {
  return JSON.stringify([image, window]);
}

function imageTitle(scenes) {
  const whys = scenes.map(({ why }) => why.map(reason).join(", "));
  const alike = whys.every((text) => text === whys[0]);
  const all = alike ? whys[0] : scenes.map(({ sigma }, index) => `${whys[index]} at sigma ${sigma}`).join("; ");
  return all ? `${scenes[0].image} (${all})` : scenes[0].image;
}

function show() {
  const before = scene;
  choose();
  const [left, top, width, height] = scene.window;
  if (!before || String(before.window) !== String(scene.window) || before.image !== scene.image) centre();
  drawSides();
  drawDifference();
  drawOverviews();
  drawScores();
  if (before !== scene) drawStrip();
  place();
  const part = width === scene.size[0] && height === scene.size[1] ? "the whole image" : `${width} \u00d7 ${height} pixels from (${left}, ${top})`;
  const why = scene.why.length ? ` Kept as: ${scene.why.map((word) => EXPLAINED[word] ?? reason(word)).join("; ")}.` : "";
  const told = shown.map((name, side) => scene.pictures[name].told === null ? "" : ` ${titles()[side]} was told sigma ${scene.pictures[name].told}.`);
  at("status").textContent = `${titles().join(" and ")} of ${scene.image} at sigma ${scene.sigma}: ${part}, of ${scene.size.join(" \u00d7 ")}.${why}${[...new Set(told)].join("")}`;
}

/* ---- mouse, touch, keyboard */

function pixelAt(event, pane) {
  const stage = pane.querySelector(".viewer-stage").getBoundingClientRect();
  return [event.clientX - stage.left, event.clientY - stage.top].map((length) => Math.floor(length / view.scale));
}

function listen() {
  for (const element of Object.values(select)) element.addEventListener("change", show);
  at("slider").addEventListener("input", () => divide(at("slider").value));
  at("out").addEventListener("click", () => zoomBy(-1));
  at("in").addEventListener("click", () => zoomBy(1));
  at("centre").addEventListener("click", centre);
  for (const button of body.querySelectorAll("[data-zoom]"))
    button.addEventListener("click", () => { view.zoom = Number(button.dataset.zoom); place(); });
  addEventListener("resize", place);
  dragged(at("divider"), (event) => {
    const box = panes.compare.getBoundingClientRect();
    divide(100 * (event.clientX - box.left) / box.width);
  });
  dragged(body, (event, before) => {
    view.x -= (event.clientX - before.clientX) / view.scale;
    view.y -= (event.clientY - before.clientY) / view.scale;
    place();
  }, ".viewer-pane");
  body.addEventListener("pointermove", (event) => {
    const pane = event.target.closest(".viewer-pane");
    if (pane) readPixel(...pixelAt(event, pane));
  });
  let turned = 0;
  body.addEventListener("wheel", (event) => {
    if (!event.ctrlKey || !event.target.closest(".viewer-pane")) return;
    event.preventDefault();
    turned += event.deltaY;
    if (Math.abs(turned) < 40) return;
    zoomBy(turned < 0 ? 1 : -1);
    turned = 0;
  }, { passive: false });
  panes.compare.addEventListener("keydown", pressed);
}

/* Calls `move` while something is dragged; of an element's parts only those that match. */
function dragged(element, move, parts = null) {
  let before = null;
  element.addEventListener("pointerdown", (event) => {
    const target = parts ? event.target.closest(parts) : element;
    if (event.button !== 0 || !target) return;
    event.stopPropagation();
    before = event;
    target.setPointerCapture(event.pointerId);
  });
  element.addEventListener("pointermove", (event) => {
    if (before === null || event.pointerId !== before.pointerId) return;
    move(event, before);
    before = event;
  });
  for (const end of ["pointerup", "pointercancel"]) element.addEventListener(end, () => { before = null; });
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = 16 / view.scale;
  const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
  if (event.key in moves) {
    view.x += moves[event.key][0];
    view.y += moves[event.key][1];
    place();
    readPixel(Math.floor(view.x), Math.floor(view.y));
  } else if (event.key === "+" || event.key === "=") zoomBy(1);
  else if (event.key === "-") zoomBy(-1);
  else return;
  event.preventDefault();
}

body.hidden = false;
listen();
divide(50);
choose();
fit();
scene = undefined;
show();
