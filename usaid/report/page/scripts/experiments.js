// One experiment at a time. Whoever wants another one sets the value of the list and sends its "change".
const list = document.getElementById("experiment");

function show() {
  for (const part of document.querySelectorAll("[data-experiment]")) {
    part.hidden = part.dataset.experiment !== list.value;
  }
}

if (list) {
  list.addEventListener("change", show);
  show();
}
