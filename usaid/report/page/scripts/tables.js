// What stands below our numbers, and the order of rows or columns by a heading: best first, the other way, as in the paper.
const show = document.getElementById("show");
if (show) {
  const set = () => { document.getElementById("tables").dataset.show = show.querySelector(":checked").value; };
  show.addEventListener("change", set);
  set();
}

const NEXT = { none: "first", first: "second", second: "none" };
const original = new WeakMap();
let places = 0;

function place(element) {
  if (!original.has(element)) original.set(element, places++);
  return original.get(element);
}

function value(cell) {
  const text = (cell.querySelector(".ours") ?? cell).textContent.trim();
  const known = { "∞": Infinity, yes: 1, no: 0 }[text];
  return known ?? (text === "" ? NaN : Number(text.replaceAll(",", "")));
}

function compared(a, b, sign) {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b); // what is missing comes last
  return sign * (a < b ? -1 : a > b ? 1 : 0);
}

// The elements in order; those of equal value stay as in the paper.
function ordered(elements, valueOf, sign) {
  for (const element of elements) place(element);
  return [...elements].sort((a, b) => (sign && compared(valueOf(a), valueOf(b), sign)) || place(a) - place(b));
}

function sortRows(table, heading, sign) {
  const column = [...heading.parentElement.children].indexOf(heading);
  for (const body of table.tBodies) {
    const rows = [...body.rows].filter((row) => !row.classList.contains("group"));
    body.append(...ordered(rows, (row) => value(row.cells[column]), sign));
  }
}

function sortColumns(table, heading, sign) {
  const heads = [...table.tHead.rows[0].cells].filter((cell) => cell.dataset.better !== undefined);
  const before = new Map(heads.map((head) => [head, head.cellIndex]));
  const order = ordered(heads, (head) => value(heading.parentElement.cells[before.get(head)]), sign);
  const indices = order.map((head) => before.get(head));
  for (const row of table.rows) {
    if (row.classList.contains("group")) continue;
    const cells = [...row.cells];
    const moved = indices.map((index) => cells[index]);
    cells[0].after(...moved);
  }
}

function sort(button) {
  const heading = button.closest("th");
  const table = heading.closest("table");
  const step = NEXT[heading.dataset.step ?? "none"];
  for (const other of table.querySelectorAll("th[aria-sort]")) {
    other.setAttribute("aria-sort", "none");
    delete other.dataset.step;
  }
  const rises = (heading.dataset.better === "lower") === (step === "first");
  const sign = step === "none" ? 0 : rises ? 1 : -1;
  (table.dataset.sorts === "rows" ? sortRows : sortColumns)(table, heading, sign);
  heading.dataset.step = step;
  heading.setAttribute("aria-sort", { "-1": "descending", 0: "none", 1: "ascending" }[sign]);
  button.focus();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button.sort");
  if (button) sort(button);
});
