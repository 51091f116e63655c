// The graph of a clip. Node t * K + k is box k of feature frame t; the page counts both from 1.
// Weights are numbers from 0 to 1; edges are lists of {node, weight}, strongest first.

class Graph {
  constructor(clip) {
    this.numBoxes = clip.numBoxes;
    this.numFrames = clip.boxes.length;
    this.hasSimilarity = clip.neighbours !== null;
    this.hasSpatialTemporal = clip.forward !== null;
    this.boxes = clip.boxes.flatMap(sides => this.boxesOfFrame(sides));
    this.numNodes = this.boxes.filter(Boolean).length;
    const none = this.boxes.map(() => []);
    this.neighbours = this.hasSimilarity ? clip.neighbours.map(unpackNeighbours) : none;
    this.forward = this.boxes.map(() => []);
    this.backward = this.boxes.map(() => []);
    (clip.forward ?? []).forEach((step, t) => this.addEdges(this.forward, step, t, t + 1));
    (clip.backward ?? []).forEach((step, t) => this.addEdges(this.backward, step, t + 1, t));
    this.strongestNeighbour = Math.max(
      0, ...this.neighbours.map((edges, node) => edges.find(e => e.node !== node)?.weight ?? 0));
  }

  // Sides as shares of the frame; null for a padded box.
  boxesOfFrame(sides) {
    return Array.from({ length: this.numBoxes }, (_, k) => {
      const [top = 0, left = 0, bottom = 0, right = 0] =
        sides.slice(4 * k, 4 * k + 4).map(side => side / 10000);
      return bottom > top && right > left ? { top, left, bottom, right } : null;
    });
  }

  addEdges(edges, step, from, to) {
    for (let place = 0; place < step.length; place += 3) {
      const [source, target, weight] = step.slice(place, place + 3);
      edges[from * this.numBoxes + source].push(
        { node: to * this.numBoxes + target, weight: weight / 100000 });
    }
    for (let k = 0; k < this.numBoxes; k++) {
      edges[from * this.numBoxes + k].sort((one, other) => other.weight - one.weight);
    }
  }

  frameOf(node) {
    return Math.floor(node / this.numBoxes);
  }

  nodesOf(frame) {
    return Array.from({ length: this.numBoxes }, (_, k) => frame * this.numBoxes + k)
      .filter(node => this.boxes[node]);
  }

  name(node) {
    return `box\u00a0${node % this.numBoxes + 1} of\u00a0frame\u00a0${this.frameOf(node) + 1}`;
  }

  // The strongest edges followed from frame to frame, back to the past and on to the future, in the
  // order of time. `weight` is of the edge by which a node was reached: null at the start.
  trajectory(node, threshold) {
    const past = this.follow(this.backward, node, threshold).reverse();
    return [...past, { node, weight: null }, ...this.follow(this.forward, node, threshold)];
  }

  follow(edges, node, threshold) {
    const reached = [];
    for (let best = edges[node][0]; best && best.weight >= threshold; best = edges[best.node][0]) {
      reached.push(best);
    }
    return reached;
  }
}

function unpackNeighbours(row) {
  return Array.from({ length: row.length / 2 }, (_, place) => (
    { node: row[2 * place], weight: row[2 * place + 1] / 100000 }));
}
