/* What is chosen in the viewer, and how it is moved. */

/* ---- zoom and pan: four numbers that all stages have in common */

function place() {
  const [, , width, height] = scene.window;
  const ratio = window.devicePixelRatio || 1;
  const multiple = Math.max(1, Math.round(view.zoom * ratio));
  view.x = Math.min(Math.max(view.x, 0), width);
  view.y = Math.min(Math.max(view.y, 0), height);
  view.scale = multiple / ratio;
  const lengths = {
    width: width * view.scale,
    height: height * view.scale,
    x: -Math.round(view.x * multiple) / ratio,
    y: -Math.round(view.y * multiple) / ratio,
  };
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
  const overlays = [0, 1].map(overlayOf).map((seen) => (seen && seen.labels !== null ? seen : null));
  const key = (readPixel.latest = {});
  Promise.all([...pair, ...overlays.map((seen) => seen && pixelsOf(seen.labels))]).then(([a, b, ...labels]) => {
    if (readPixel.latest !== key) return;
    const i = 4 * (y * width + x);
    const values = [a, b].map(({ data }) => [...data.slice(i, i + 3)].join(" "));
    const classes = labels.map((map, side) =>
      map ? `, ${className(map.data[4 * ((top + y) * map.width + left + x)], overlays[side].classes)}` : "",
    );
    at("readout").textContent =
      `Pixel (${left + x}, ${top + y}): ` +
      titles()
        .map((title, side) => `${title} ${values[side]}${classes[side]}`)
        .join("; ") +
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

const BY_DIFFERENCE =
  "by the difference in score that keep_images names (U-SAID \u2212 CDnCNN-B unless it says otherwise)";
const EXPLAINED = {
  first: "first in the order of ids",
  median: `median ${BY_DIFFERENCE}`,
  worst: `worst ${BY_DIFFERENCE}`,
};

function choose() {
  fill(
    "experiment",
    DATA.experiments.map((one, index) => [String(index), one.title]),
  );
  experiment = DATA.experiments[Number(select.experiment.value)];
  fill(
    "benchmark",
    experiment.benchmarks.map(({ name, title }) => [name, title]),
    ofFigure(experiment.scenes)?.benchmark,
  );
  const ofBenchmark = experiment.scenes.filter((one) => one.benchmark === select.benchmark.value);
  const first = ofFigure(ofBenchmark);
  const images = new Map();
  for (const one of ofBenchmark) images.set(keyOf(one), [...(images.get(keyOf(one)) ?? []), one]);
  fill(
    "image",
    [...images].map(([key, scenes]) => [key, imageTitle(scenes)]),
    first && keyOf(first),
  );
  const ofImage = images.get(select.image.value);
  fill(
    "sigma",
    ofImage.map(({ sigma }) => [String(sigma), String(sigma)]),
    [first && String(first.sigma), "25"],
  );
  scene = ofImage.find(({ sigma }) => String(sigma) === select.sigma.value);
  const names = experiment.denoisers.filter(({ name }) => scene.pictures[name]).map(({ name, title }) => [name, title]);
  fill("right", names, ["u_said", names.at(-1)[0]]);
  fill(
    "left",
    names,
    ["cdncnn_b", "noisy", "clean"].filter((name) => name !== select.right.value),
  );
  for (const side of sides) {
    select[`over-${side}`].replaceChildren();
    fill(`over-${side}`, overlays(), overlaid[side]);
  }
  body.querySelectorAll(".viewer-judged").forEach((label) => {
    label.hidden = overlays().length < 2;
  });
  shown = sides.map((side) => select[side].value);
}

/* The scene that a figure of the paper shows: Figure 4 before others. */
function ofFigure(scenes) {
  const shows = (figure) => scenes.find(({ why }) => why.some((word) => word.startsWith(figure)));
  return shows("figure_4") ?? shows("figure_");
}

/* What is wanted over each side, also while an image has nothing to lay over it. */
const overlaid = { left: "prediction", right: "prediction" };

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
  readPixel.latest = null;
  at("readout").textContent = "Point at a pixel to read it.";
  const [left, top, width, height] = scene.window;
  if (!before || String(before.window) !== String(scene.window) || before.image !== scene.image) centre();
  drawSides();
  drawDifference();
  drawOverviews();
  drawScores();
  if (before !== scene) drawStrip();
  place();
  const part =
    width === scene.size[0] && height === scene.size[1]
      ? "the whole image"
      : `${width} \u00d7 ${height} pixels from (${left}, ${top})`;
  const why = scene.why.length
    ? ` Kept as: ${scene.why.map((word) => EXPLAINED[word] ?? reason(word)).join("; ")}.`
    : "";
  const told = shown.map((name, side) =>
    scene.pictures[name].told === null ? "" : ` ${titles()[side]} was told sigma ${scene.pictures[name].told}.`,
  );
  at("status").textContent =
    `${titles().join(" and ")} of ${scene.image} at sigma ${scene.sigma}: ${part}, of ${scene.size.join(" \u00d7 ")}.${why}${[...new Set(told)].join("")}`;
}

/* ---- mouse, touch, keyboard */

function pixelAt(event, pane) {
  const stage = pane.querySelector(".viewer-stage").getBoundingClientRect();
  return [event.clientX - stage.left, event.clientY - stage.top].map((length) => Math.floor(length / view.scale));
}

function listen() {
  for (const side of sides)
    select[`over-${side}`].addEventListener("change", ({ target }) => {
      overlaid[side] = target.value;
    });
  for (const element of Object.values(select)) element.addEventListener("change", show);
  at("slider").addEventListener("input", () => divide(at("slider").value));
  at("out").addEventListener("click", () => zoomBy(-1));
  at("in").addEventListener("click", () => zoomBy(1));
  at("centre").addEventListener("click", centre);
  for (const button of body.querySelectorAll("[data-zoom]"))
    button.addEventListener("click", () => {
      view.zoom = Number(button.dataset.zoom);
      place();
    });
  addEventListener("resize", place);
  dragged(at("divider"), (event) => {
    const box = panes.compare.getBoundingClientRect();
    divide((100 * (event.clientX - box.left)) / box.width);
  });
  dragged(
    body,
    (event, before) => {
      view.x -= (event.clientX - before.clientX) / view.scale;
      view.y -= (event.clientY - before.clientY) / view.scale;
      place();
    },
    ".viewer-pane",
  );
  body.addEventListener("pointermove", (event) => {
    const pane = event.target.closest(".viewer-pane");
    if (pane) readPixel(...pixelAt(event, pane));
  });
  let turned = 0;
  body.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey || !event.target.closest(".viewer-pane")) return;
      event.preventDefault();
      turned += event.deltaY;
      if (Math.abs(turned) < 40) return;
      zoomBy(turned < 0 ? 1 : -1);
      turned = 0;
    },
    { passive: false },
  );
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
  for (const end of ["pointerup", "pointercancel"])
    element.addEventListener(end, () => {
      before = null;
    });
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

/* The experiment of the page, if it has images here. */
function follow(list) {
  const index = DATA.experiments.findIndex(({ key }) => key === list.value);
  if (index < 0 || String(index) === select.experiment.value) return;
  select.experiment.value = String(index);
  show();
}

body.hidden = false;
listen();
divide(50);
choose();
fit();
scene = undefined;
show();
const ofPage = document.getElementById("experiment");
if (ofPage) {
  ofPage.addEventListener("change", () => follow(ofPage));
  follow(ofPage);
}
