// Light or dark: as the system has it, until one is chosen. Storage may be forbidden for files: then it is forgotten.
const button = document.getElementById("theme");
const system = matchMedia("(prefers-color-scheme: dark)");
const stored = () => { try { return localStorage.getItem("theme"); } catch { return null; } };

function show(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  button.setAttribute("aria-pressed", String((theme ?? (system.matches ? "dark" : "light")) === "dark"));
}

button.addEventListener("click", () => {
  const theme = button.getAttribute("aria-pressed") === "true" ? "light" : "dark";
  try { localStorage.setItem("theme", theme); } catch { /* forgotten */ }
  show(theme);
});
system.addEventListener("change", () => show(stored()));
show(stored());
