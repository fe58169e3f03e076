// A footnote's text beside its letter, while the letter has the pointer or the focus; Escape puts it away.
const note = document.getElementById("note");
let of = null;

function show(mark) {
  const text = document.getElementById(decodeURIComponent(mark.hash.slice(1)));
  if (!text || of === mark) return;
  of = mark;
  note.textContent = text.querySelector("bdi").textContent;
  note.showPopover?.();
  const at = mark.getBoundingClientRect();
  const own = note.getBoundingClientRect();
  const left = Math.max(8, Math.min(at.left, document.documentElement.clientWidth - own.width - 8));
  const above = at.top - own.height - 6;
  note.style.left = `${left}px`;
  note.style.top = `${above > 8 ? above : at.bottom + 6}px`;
}

function hide() {
  of = null;
  if (note.matches(":popover-open")) note.hidePopover();
}

for (const type of ["pointerover", "focusin"]) {
  document.addEventListener(type, (event) => {
    const mark = event.target.closest("a.mark");
    if (mark) show(mark);
    else if (!note.contains(event.target) && !document.activeElement.matches("a.mark")) hide();
  });
}
document.addEventListener("focusout", (event) => { if (event.target === of) hide(); });
document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
addEventListener("scroll", hide, { capture: true, passive: true });
