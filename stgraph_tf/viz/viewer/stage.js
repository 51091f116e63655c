// The frame with its boxes, which are buttons, and the trajectory of the chosen one.

class Stage {
  constructor(onChoose) {
    this.onChoose = onChoose;
    this.picture = byId("picture");
    this.edges = byId("edges");
    this.buttons = [];
    new ResizeObserver(() => this.redraw?.()).observe(this.picture);
  }

  // Boxes keep their buttons from frame to frame, so that the focus stays on the same one.
  open(clip, graph) {
    this.graph = graph;
    this.picture.width = clip.width;
    this.picture.height = clip.height;
    byId("stage").style.setProperty("--shape", clip.width / clip.height);
    this.buttons = Array.from({ length: graph.numBoxes }, (_, k) => {
      const button = make("button", { type: "button", class: "box" });
      button.addEventListener("click", () => this.onChoose(this.first + k));
      // A click leaves the focus where it is: then the space bar still plays.
      button.addEventListener("mousedown", event => event.preventDefault());
      return button;
    });
    this.ghost = make("div", { class: "ghost", "aria-hidden": "true" });
    byId("boxes").replaceChildren(this.ghost, ...this.buttons);
  }

  show(image, frame, chosen, neighbours, trajectory) {
    this.first = frame * this.graph.numBoxes;
    const pen = this.picture.getContext("2d");
    pen.drawImage(image, 0, 0, this.picture.width, this.picture.height);
    this.picture.classList.toggle("pixels", isSmall(image));
    this.picture.setAttribute("aria-label", `Frame ${frame + 1} of ${this.graph.numFrames}`);
    byId("stage").classList.toggle("chosen", chosen !== null);
    const strongest = strongestOf(neighbours, chosen);
    this.buttons.forEach((button, k) => {
      const node = this.first + k;
      const weight = neighbours.find(edge => edge.node === node)?.weight ?? null;
      const onTrajectory = trajectory.some(step => step.node === node);
      this.showBox(button, node, { weight, strongest, onTrajectory, isChosen: node === chosen });
    });
    const elsewhere = chosen !== null && this.graph.frameOf(chosen) !== frame;
    this.ghost.hidden = !elsewhere;
    if (elsewhere) place(this.ghost, this.graph.boxes[chosen]);
    this.redraw = () => this.drawTrajectory(trajectory, frame, chosen);
    this.redraw();
  }

  showBox(button, node, { weight, strongest, onTrajectory, isChosen }) {
    const box = this.graph.boxes[node];
    button.hidden = !box;
    if (!box) return;
    place(button, box);
    // Small boxes lie above large ones, so that every box can be clicked.
    const area = (box.bottom - box.top) * (box.right - box.left);
    const isNeighbour = weight !== null && !isChosen;
    button.style.zIndex = Math.round(1000 * (1 - area));
    button.style.setProperty("--share", isNeighbour ? share(weight, strongest) : 0);
    button.classList.toggle("neighbour", isNeighbour);
    button.classList.toggle("on-trajectory", onTrajectory && !isChosen);
    button.dataset.tag = isNeighbour ? percent(weight) : "";
    button.setAttribute("aria-pressed", isChosen);
    const relations = [
      isNeighbour ? `neighbour with ${percent(weight)}` : "",
      onTrajectory && !isChosen ? "on the trajectory" : "",
    ].filter(Boolean);
    button.setAttribute("aria-label", ["Box " + (node - this.first + 1), ...relations].join(", "));
  }

  focus(node) {
    this.buttons[node % this.graph.numBoxes].focus();
  }

  // Lines in the pixels of the screen, so that they are as wide on a phone as on a desk.
  drawTrajectory(trajectory, frame, chosen) {
    const { clientWidth: width, clientHeight: height } = this.picture;
    this.edges.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const points = trajectory.map(({ node }) => {
      const { left, top, right, bottom } = this.graph.boxes[node];
      return { node, x: (left + right) / 2 * width, y: (top + bottom) / 2 * height };
    });
    const drawn = [];
    for (let place = 1; place < points.length; place++) {
      const [from, to] = [points[place - 1], points[place]];
      const kind = to.node <= chosen ? "past" : "future";
      drawn.push(svg("path", { d: `M${from.x} ${from.y}L${to.x} ${to.y}`, class: `step ${kind}` }));
      drawn.push(svg("path", { d: arrowHead(from, to), class: "arrow" }));
    }
    for (const { node, x, y } of points.length > 1 ? points : []) {
      const isNow = this.graph.frameOf(node) === frame;
      drawn.push(svg("circle", { cx: x, cy: y, r: isNow ? 6 : 3, class: isNow ? "now" : "then" }));
    }
    this.edges.replaceChildren(...drawn);
  }
}

function place(element, box) {
  element.style.left = `${100 * box.left}%`;
  element.style.top = `${100 * box.top}%`;
  element.style.width = `${100 * (box.right - box.left)}%`;
  element.style.height = `${100 * (box.bottom - box.top)}%`;
}

// What the others are compared with: the node's edge to itself would leave them all pale.
function strongestOf(edges, node) {
  return Math.max(0, ...edges.filter(edge => edge.node !== node).map(edge => edge.weight));
}

// How strong an edge is beside the strongest, in percent, for its colour.
function share(weight, strongest) {
  return strongest ? Math.min(100, Math.round(100 * weight / strongest)) : 100;
}

function svg(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// A triangle in the middle of a step, which points in the direction of time.
function arrowHead(from, to) {
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  if (length < 12) return "";
  const [x, y] = [(to.x - from.x) / length, (to.y - from.y) / length];
  const [mx, my] = [(from.x + to.x) / 2, (from.y + to.y) / 2];
  const size = 5;
  return `M${mx + size * x} ${my + size * y}` +
    `L${mx - size * (x + y)} ${my - size * (y - x)}L${mx - size * (x - y)} ${my - size * (y + x)}Z`;
}
