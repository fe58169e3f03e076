// Sentences by verdict and in another order, those that are folded among themselves; printed numbers by table and by whether experiments disagree.
for (const controls of document.querySelectorAll("#claims .controls")) {
  const lists = [...controls.parentElement.querySelectorAll("ol.claims")];
  const filter = controls.querySelector("[data-filter]");
  const order = controls.querySelector("[data-order]");
  const sentences = lists.flatMap((list) => [...list.children]);
  const by = {
    place: (one) => Number(one.dataset.place),
    verdict: (one) => Number(one.dataset.orderVerdict),
    follows: (one) => ["follows", "does not follow"].indexOf(one.dataset.follows) >>> 0,
  };
  filter.addEventListener("change", () => {
    for (const one of sentences) one.hidden = filter.value !== "" && one.dataset.verdict !== filter.value;
    for (const fold of controls.parentElement.querySelectorAll("details")) {
      fold.open = fold.querySelector("li:not([hidden])") !== null && filter.value !== "";
      fold.hidden = fold.querySelector("li:not([hidden])") === null;
    }
    say(controls, sentences, "sentences");
  });
  order.addEventListener("change", () => {
    const key = by[order.value];
    for (const list of lists) {
      list.append(...[...list.children].sort((a, b) => key(a) - key(b) || by.place(a) - by.place(b)));
    }
  });
}

// All is open in print.
const folded = new Set();
addEventListener("beforeprint", () => {
  for (const fold of document.querySelectorAll("details:not([open])")) {
    folded.add(fold);
    fold.open = true;
  }
});
addEventListener("afterprint", () => {
  for (const fold of folded) fold.open = false;
  folded.clear();
});

const ofTable = document.getElementById("of-table");
if (ofTable) {
  const disagree = document.getElementById("disagree");
  const bodies = [...document.querySelectorAll("[data-table]")];
  const filter = () => {
    for (const body of bodies) {
      for (const row of body.rows) {
        row.hidden = Boolean(disagree?.checked) && !row.matches(".group, [data-disagree]");
      }
      const empty = ![...body.rows].some((row) => !row.hidden && !row.classList.contains("group"));
      body.hidden = empty || (ofTable.value !== "" && body.dataset.table !== ofTable.value);
    }
    const rows = bodies.flatMap((body) => [...body.rows].filter((row) => !row.classList.contains("group")));
    say(ofTable.closest(".controls"), rows, "numbers");
  };
  ofTable.addEventListener("change", filter);
  disagree?.addEventListener("change", filter);
}

function say(controls, elements, what) {
  const shown = elements.filter((one) => !one.hidden && !one.parentElement.hidden).length;
  controls.querySelector(".shown").textContent = shown === elements.length ? "" : `${shown} of ${elements.length} ${what}`;
}
