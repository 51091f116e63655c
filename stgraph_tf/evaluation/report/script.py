"""The page's only script: it names the curve that is pointed at. Without it nothing is missing."""

SCRIPT = """
for (const name of document.querySelectorAll(".curve-name")) {
  name.hidden = false;
  const show = event => {
    const curve = event.target.closest(".curve");
    for (const other of name.parentNode.querySelectorAll(".curve"))
      other.classList.toggle("chosen", other === curve);
    if (curve) name.textContent = curve.querySelector("title").textContent;
  };
  const plot = name.parentNode.querySelector("svg");
  plot.addEventListener("pointermove", show);
  plot.addEventListener("click", show);
}
"""
