// Where a number comes from: a dialog by click, Enter, or the number's address (#table_6-25-u_said-psnr).
const dialog = document.getElementById("number");
const content = document.getElementById("number-content");
const numbers = new Map();

// The data of an experiment are read when the first of its numbers is asked for.
function dataOf(button) {
  const key = button.closest("[data-experiment]").dataset.experiment;
  if (!numbers.has(key)) {
    const script = document.querySelector(`script[data-numbers="${key}"]`);
    numbers.set(key, JSON.parse(script.textContent));
  }
  return numbers.get(key);
}

function known(button) {
  const data = dataOf(button);
  const text = (index) => (Array.isArray(index) ? index.map((one) => data.texts[one]) : data.texts[index]);
  const row = data.tables[button.closest("article").id].find(([id]) => data.texts[id] === button.id);
  const own = Object.fromEntries(data.fields.map((field, index) => [field, text(row[index])]));
  own.files = own.scores.map((name) => [name, (data.scores[name] ?? []).map(text)]);
  return own;
}

function element(name, ...children) {
  const made = document.createElement(name);
  made.append(...children);
  return made;
}

function lines(pairs) {
  const list = element("dl");
  for (const [label, text] of pairs) {
    if (text) list.append(element("div", element("dt", label), element("dd", element("bdi", text))));
  }
  return list;
}

function fileOf([name, turns]) {
  const pairs = turns.flatMap((label, index) => (index % 2 ? [] : [[label, turns[index + 1]]]));
  const head = element("h3", "From ", element("bdi", `${name}.parquet`));
  return element("section", head, lines(pairs));
}

function link(id) {
  const made = element("a", `#${id}`);
  made.href = `#${encodeURIComponent(id)}`;
  return made;
}

function open(button) {
  const own = known(button);
  const verdict = own.verdict && `${own.verdict}${own.reason ? `: ${own.reason}` : ""}`;
  document.getElementById("number-title").textContent = own.place;
  const big = element("p", element("strong", own.ours || "–"), own.paper ? ` in print ${own.paper}` : "");
  big.className = "big";
  content.replaceChildren(big, lines([
    ["All digits", own.ours && own.value],
    ["95 % interval", own.low && `${own.low} to ${own.high}`],
    ["Images (n)", own.n],
    ["Ours − print", own.difference.replace("-", "−")],
    ["Rank", own.rank],
    ["Verdict", verdict],
    ["Convention", own.convention],
    ["Notes", own.note !== own.convention && own.note],
    ["Footnotes", own.notes.join(" ")],
  ]));
  content.append(element("p", "To cite this number: ", link(button.id)));
  content.append(...own.files.map(fileOf));
  history.replaceState(null, "", `#${encodeURIComponent(button.id)}`);
  dialog.showModal();
  dialog.scrollTop = 0;
}

// Scrolls there, again and again while what came into view on the way gets its true height.
function settle(target, how, frames = 6) {
  target.scrollIntoView(how);
  if (frames) requestAnimationFrame(() => settle(target, how, frames - 1));
}

// The element of an address; null: it names none, or is no address at all ("#%").
function addressed() {
  try {
    return document.getElementById(decodeURIComponent(location.hash.slice(1)));
  } catch {
    return null;
  }
}

// What an address names, in whatever experiment it is.
function goTo() {
  const target = addressed();
  const part = target?.closest("[data-experiment][hidden]");
  if (part) {
    const list = document.getElementById("experiment");
    list.value = part.dataset.experiment;
    list.dispatchEvent(new Event("change"));
  }
  const fold = target?.closest("details");
  if (fold) fold.open = true;
  if (!target?.matches("button.number")) {
    if (target) settle(target, {});
    return;
  }
  if (dialog.open) dialog.close();
  settle(target, { block: "center", inline: "center" });
  target.focus({ preventScroll: true });
  open(target);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button.number");
  if (button) open(button);
  if (event.target === dialog) dialog.close(); // beside it
});
dialog.addEventListener("close", () => history.replaceState(null, "", location.href.split("#")[0]));
addEventListener("hashchange", goTo);
goTo();
