// What the chosen box is related to, as lists of buttons: each leads to the box that it names.

const MOST_EDGES = 10;

function showChosen(graph, node, image, seconds) {
  const box = graph.boxes[node];
  const size = `${percent(box.right - box.left)} × ${percent(box.bottom - box.top)} of the frame`;
  const when = seconds === null ? "" : `, at ${seconds.toFixed(1)} s`;
  const name = capitalized(graph.name(node));
  byId("chosen-crop").replaceChildren(crop(image, box, { description: name }));
  byId("chosen-name").textContent = name;
  byId("chosen-about").textContent = `${size}${when}`;
}

// Figure 3: the neighbours of all frames, the strongest first.
function showNeighbours(graph, node, shown, imageOf, choose) {
  const strongest = strongestOf(shown, node);
  const all = graph.neighbours[node];
  const even = percent(1 / graph.numNodes);
  const rest = percent(Math.max(0, 1 - all.reduce((sum, edge) => sum + edge.weight, 0)));
  byId("similarity-about").textContent = all.length
    ? `Its ${all.length > 1 ? `${all.length} strongest` : "strongest"} of ${graph.numNodes} ` +
      `edges; ${rest} of its weight goes to others. An even share is ${even}.`
    : "No edge of this box has any weight.";
  byId("scale-end").textContent = percent(strongest);
  byId("similarity-scale").hidden = !strongest;
  byId("neighbours").replaceChildren(...shown.map(({ node: other, weight }) => {
    const isSelf = other === node;
    return make("li", {}, make(
      "button",
      { type: "button", class: isSelf ? "tile self" : "tile", onclick: () => choose(other),
        "--share": isSelf ? 0 : share(weight, strongest) },
      crop(imageOf(other), graph.boxes[other]),
      make("strong", {}, percent(weight)),
      make("span", {}, isSelf ? "the box itself" : graph.name(other))));
  }));
  byId("neighbours-none").hidden = shown.length > 0 || !all.length;
}

// Figure 4: where the strongest spatial-temporal edges lead, in the order of time.
function showTrajectory(graph, node, trajectory, imageOf, choose) {
  const from = graph.frameOf(trajectory[0].node) + 1;
  const to = graph.frameOf(trajectory[trajectory.length - 1].node) + 1;
  byId("trajectory-about").textContent = from === to
    ? "No edge leads from this box to a neighbouring frame."
    : `From frame ${from} to frame ${to}: at every step the strongest edge, backward edges ` +
      "before the box and forward edges after it. Arrows show the direction of time.";
  byId("trajectory").replaceChildren(...trajectory.map(({ node: other, weight }, place) => {
    const kind = other === node ? "self" : other < node ? "past" : "future";
    const edge = { past: "backward edge, ", future: "forward edge, " }[kind];
    return make("li", { class: kind }, make(
      "button",
      { type: "button", class: `tile ${kind}`, onclick: () => choose(other) },
      crop(imageOf(other), graph.boxes[other]),
      make("strong", {}, weight === null ? "chosen" : percent(weight)),
      make("span", {}, make("span", { class: "hidden" }, edge ?? ""), graph.name(other))),
      ...(place < trajectory.length - 1
        ? [make("i", { class: "time-arrow", "aria-hidden": "true" }, "→")] : []));
  }));
}

function showEdges(id, graph, edges, threshold, choose) {
  const shown = edges.filter(edge => edge.weight >= threshold);
  byId(id).replaceChildren(...shown.slice(0, MOST_EDGES).map(({ node, weight }) => make(
    "li", {}, make(
      "button", { type: "button", class: "edge", onclick: () => choose(node) },
      make("span", {}, graph.name(node)),
      make("i", { class: "bar", "aria-hidden": "true", "--share": Math.round(100 * weight) }),
      make("strong", {}, percent(weight))))));
  const [hidden, weaker] = [edges.length - shown.length, shown.length - MOST_EDGES];
  byId(`${id}-more`).textContent = [
    edges.length ? "" : "No box there overlaps it.",
    weaker > 0 ? `${weaker} weaker ones are not listed.` : "",
    hidden > 0 ? `${hidden} below the threshold.` : "",
  ].filter(Boolean).join(" ");
}

function capitalized(text) {
  return text[0].toUpperCase() + text.slice(1);
}
