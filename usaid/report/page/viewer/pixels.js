/* Pixels of the viewer: decoding, differences, colours of classes, how scores are written. Nothing here knows the page. */

const DATA = JSON.parse(document.getElementById("viewer-data").textContent);

/* ---- images: decoded when they are first shown, without colour management */

const decoded = new Map();

function pixelsOf(number) {
  if (!decoded.has(number)) decoded.set(number, decode(...DATA.images[number]));
  return decoded.get(number);
}

async function decode(type, base64) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes], { type }), {
    colorSpaceConversion: "none",
    premultiplyAlpha: "none",
  });
  const context = contextOf(
    Object.assign(document.createElement("canvas"), { width: bitmap.width, height: bitmap.height }),
  );
  context.drawImage(bitmap, 0, 0);
  const pixels = context.getImageData(0, 0, bitmap.width, bitmap.height);
  bitmap.close();
  return pixels;
}

function contextOf(canvas) {
  return canvas.getContext("2d", { willReadFrequently: true });
}

function paint(canvas, pixels) {
  canvas.width = pixels.width;
  canvas.height = pixels.height;
  contextOf(canvas).putImageData(pixels, 0, 0);
}

function clear(canvas) {
  canvas.width = canvas.height = 1;
}

/* ---- the difference map: on whole numbers, right minus left */

function difference(left, right, isSigned, scale) {
  const map = new ImageData(left.width, left.height);
  const [a, b, out] = [left.data, right.data, map.data];
  const below = [0, 90, 181];
  const middle = [247, 247, 247];
  const above = [194, 88, 0];
  const found = { sum: 0, largest: 0, beyond: 0, pixels: a.length / 4 };
  for (let i = 0; i < a.length; i += 4) {
    const value = differenceAt(a, b, i, isSigned);
    const size = Math.abs(value);
    const share = Math.min(size / scale, 1);
    const end = value < 0 ? below : above;
    for (let c = 0; c < 3; c++)
      out[i + c] = Math.round(isSigned ? middle[c] + share * (end[c] - middle[c]) : 255 * share);
    out[i + 3] = 255;
    found.sum += size;
    found.largest = Math.max(found.largest, size);
    found.beyond += size > scale;
  }
  return { map, found };
}

function differenceAt(a, b, i, isSigned) {
  const [red, green, blue] = [b[i] - a[i], b[i + 1] - a[i + 1], b[i + 2] - a[i + 2]];
  return isSigned
    ? (299 * red + 587 * green + 114 * blue) / 1000
    : (Math.abs(red) + Math.abs(green) + Math.abs(blue)) / 3;
}

/* ---- label maps */

/* The palette of PASCAL VOC: the bits of a number, spread over red, green and blue. */
function colourOf(number) {
  const colour = [0, 0, 0];
  for (let bit = 0, rest = number; bit < 8; bit++, rest >>= 3)
    for (let channel = 0; channel < 3; channel++) colour[channel] |= ((rest >> channel) & 1) << (7 - bit);
  return colour;
}

function colourOfClass(number, classes) {
  if (number === 255) return [224, 224, 192, 255];
  if (classes[0] === "background") return [...colourOf(number), number ? 255 : 0];
  return [...colourOf(number + 1), 255];
}

function cssColourOfClass(number, classes) {
  const [red, green, blue, opacity] = colourOfClass(number, classes);
  return opacity ? `rgb(${red} ${green} ${blue})` : "none";
}

function painted(labels, classes, [left, top, width, height]) {
  const image = new ImageData(width, height);
  const colours = Array.from({ length: 256 }, (_, number) => colourOfClass(number, classes));
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      image.data.set(colours[labels.data[4 * ((top + y) * labels.width + left + x)]], 4 * (y * width + x));
  return image;
}

function className(number, classes) {
  return number === 255 ? "none (void)" : (classes[number] ?? `class ${number}`);
}

/* ---- boxes: left, top, width, height */

function touches([left, top, width, height], [x, y, w, h]) {
  return left + width > x && top + height > y && left < x + w && top < y + h;
}

/* ---- scores */

function scoreText(value, metric, sign = "") {
  if (value === null || value === undefined || Number.isNaN(Number(value))) return "undefined";
  const number = Number(value) * metric.scale;
  const text = Number.isFinite(number) ? Math.abs(number).toFixed(metric.digits) : "infinite";
  if (Number(text) === 0) return text;
  return (number < 0 ? "\u2212" : sign) + text;
}
