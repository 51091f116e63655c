"""The index's script: it sorts and filters the cards, which are all there without it."""

SCRIPT = """
"use strict";
const form = document.getElementById("controls");
const list = document.getElementById("videos");
const cards = [...list.children];
const value = key => form.elements[key].value;

const margin = card => Number(card.dataset.margin ?? NaN);
const byId = (a, b) => a.dataset.id.localeCompare(b.dataset.id, undefined, {numeric: true});
// Videos whose labels are not known have no margin, and come last.
const known = card => Number.isNaN(margin(card)) ? 1 : 0;
const byMargin = sign => (a, b) =>
  known(a) - known(b) || (known(a) ? 0 : sign * (margin(a) - margin(b))) || byId(a, b);
const orders = {worst: byMargin(1), best: byMargin(-1), id: byId};

const fits = card =>
  (!value("label") || JSON.parse(card.dataset.labels).includes(Number(value("label")))) &&
  (!value("judgement") || card.dataset.judgement === value("judgement")) &&
  card.dataset.id.toLowerCase().includes(value("search").trim().toLowerCase());

function update() {
  list.append(...cards.sort(orders[value("order")]));
  for (const card of cards) card.hidden = !fits(card);
  const shown = cards.filter(card => !card.hidden).length;
  document.getElementById("count").textContent = `${shown} of ${cards.length} videos`;
  document.getElementById("none").hidden = shown > 0;
}

form.hidden = false;
form.addEventListener("input", update);
form.addEventListener("submit", event => event.preventDefault());
update();
"""
