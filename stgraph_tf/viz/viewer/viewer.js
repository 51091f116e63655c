// The page: which clip, which moment, which box; and what changes them.

const DATA = JSON.parse(byId("data").textContent);
const MOST_LABELS = 5;

const stage = new Stage(node => choose(node === state.node ? null : node));
const images = [];
let graph;
let timer = null;
const state = { clip: null, moment: 0, node: null };

function frame() {
  return Math.floor(state.moment / state.clip.perFrame);
}

function imageAt(moment) {
  return images[state.clip.pictures[moment]];
}

function imageOf(node) {
  return imageAt(graph.frameOf(node) * state.clip.perFrame);
}

function secondsOf(frame) {
  return state.clip.seconds?.[frame] ?? null;
}

// Sliders are finer at their lower end, where most weights lie.
function threshold(id, largest) {
  return largest * (byId(id).value / 100) ** 2;
}

async function openClip(clip) {
  pause();
  await Promise.all(clip.pictures.map(async place => {
    images[place] ??= Object.assign(new Image(), { src: DATA.pictures[place] });
    await images[place].decode();
  }));
  graph = new Graph(clip);
  Object.assign(state, { clip, moment: 0, node: null });
  stage.open(clip, graph);
  byId("timeline").replaceChildren(...clip.boxes.map((_, t) => makeFrameButton(t)));
  showLabels();
  showWhatIsMissing();
  for (const id of ["similarity-threshold", "edge-threshold"]) byId(id).value = 0;
  render();
}

function makeFrameButton(t) {
  const seconds = secondsOf(t);
  const when = seconds === null ? "" : `, ${seconds.toFixed(1)} s`;
  return make("li", {}, make(
    "button", { type: "button", onclick: () => goTo(t), "aria-label": `Frame ${t + 1}${when}` },
    crop(imageAt(t * state.clip.perFrame), WHOLE,
      { shape: state.clip.width / state.clip.height, margin: 1 }),
    make("i", { class: "share", "aria-hidden": "true" }),
    make("span", { "aria-hidden": "true" }, `${t + 1}`)));
}

function showLabels() {
  const { scores, truth } = state.clip;
  const order = scores.map((_, index) => index).sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0));
  const shown = order.filter((index, rank) => rank < MOST_LABELS || truth?.includes(index));
  const hasMarks = DATA.pooled !== null && DATA.clips.length > 1;
  byId("labels").replaceChildren(...shown.map(index => make(
    "li", { class: truth?.includes(index) ? "true" : null },
    make("span", { class: "label" }, ...breakable(DATA.labels[index]),
      ...(truth?.includes(index) ? [make("small", {}, " ✓ true label")] : [])),
    make("i", { class: "bar", "aria-hidden": "true", "--share": 100 * (scores[index] ?? 0),
      "--mark": hasMarks ? 100 * DATA.pooled[index] : -10 }),
    make("strong", {}, scores[index] === null ? "no number" : percent(scores[index])))));
  const count = `${shown.length} of ${scores.length} labels`;
  byId("labels-about").textContent = hasMarks
    ? `Of this clip; a mark is the ${DATA.pooling} over the film's clips. ${count}.`
    : `${count}, best first.`;
}

function showWhatIsMissing() {
  const one = graph.numFrames === 1;
  const notes = [
    graph.numNodes ? "" : "There are no boxes in this clip: its graph has no nodes.",
    graph.hasSimilarity ? "" : "This model has no similarity graph.",
    graph.hasSpatialTemporal ? "" : "This model has no spatial-temporal graph.",
    graph.hasSimilarity || graph.hasSpatialTemporal ? "" : "Its scores come from no edges.",
    one ? "The clip has one feature frame: no box has a neighbouring frame." : "",
  ].filter(Boolean);
  byId("missing").replaceChildren(...notes.map(note => make("p", {}, note)));
  byId("hint").hidden = !graph.numNodes;
  for (const id of ["back", "play", "forth"]) byId(id).disabled = state.clip.pictures.length < 2;
}

function render() {
  const t = frame();
  const isChosen = state.node !== null;
  const neighbours = isChosen ? shownNeighbours() : [];
  const trajectory = isChosen && graph.hasSpatialTemporal
    ? graph.trajectory(state.node, threshold("edge-threshold", 1)) : [];
  stage.show(imageAt(state.moment), t, state.node, neighbours, trajectory);
  const seconds = secondsOf(t);
  byId("position").textContent = `Frame ${t + 1} of ${graph.numFrames}` +
    (seconds === null ? "" : ` · ${seconds.toFixed(1)} s`);
  showTimeline(t, neighbours, trajectory);
}

// The panels change with the box and the thresholds, not from moment to moment.
function showRelations() {
  const { node } = state;
  byId("relations").hidden = node === null;
  byId("nothing-chosen").hidden = node !== null;
  if (node === null) return;
  showChosen(graph, node, imageOf(node), secondsOf(graph.frameOf(node)));
  byId("similarity").hidden = !graph.hasSimilarity;
  byId("spatial-temporal").hidden = !graph.hasSpatialTemporal;
  if (graph.hasSimilarity) showNeighbours(graph, node, shownNeighbours(), imageOf, choose);
  if (graph.hasSpatialTemporal) {
    const least = threshold("edge-threshold", 1);
    showTrajectory(graph, node, graph.trajectory(node, least), imageOf, choose);
    showEdges("forward", graph, graph.forward[node], least, choose);
    showEdges("backward", graph, graph.backward[node], least, choose);
  }
  showThreshold("similarity", graph.strongestNeighbour);
  showThreshold("edge", 1);
}

function showThreshold(name, largest) {
  const least = percent(threshold(`${name}-threshold`, largest));
  byId(`${name}-least`).textContent = least;
  byId(`${name}-threshold`).setAttribute("aria-valuetext", least);
}

function shownNeighbours() {
  const least = threshold("similarity-threshold", graph.strongestNeighbour);
  return graph.neighbours[state.node].filter(edge => edge.weight >= least);
}

function showTimeline(t, neighbours, trajectory) {
  const sums = new Array(graph.numFrames).fill(0);
  for (const { node, weight } of neighbours) sums[graph.frameOf(node)] += weight;
  const most = Math.max(...sums);
  [...byId("timeline").children].forEach((item, place) => {
    const [button] = item.children;
    button.setAttribute("aria-current", place === t);
    button.tabIndex = place === t ? 0 : -1;
    button.style.setProperty("--share", most ? Math.round(100 * sums[place] / most) : 0);
    item.classList.toggle("of-chosen",
      state.node !== null && graph.frameOf(state.node) === place);
    item.classList.toggle("on-trajectory",
      trajectory.some(step => graph.frameOf(step.node) === place));
  });
  const list = byId("timeline");
  const item = list.children[t];
  list.scrollLeft = item.offsetLeft - list.offsetLeft - (list.clientWidth - item.clientWidth) / 2;
}

function choose(node) {
  pause();
  // The lists are made anew: who came there by keys goes on at the box on the frame.
  const focus = document.activeElement;
  const cameByKeys = byId("relations").contains(focus) && focus.matches(":focus-visible");
  const last = node ?? state.node;
  state.node = node;
  if (node !== null) state.moment = graph.frameOf(node) * state.clip.perFrame;
  showRelations();
  render();
  if (cameByKeys) stage.focus(last);
  say(node === null ? "No box chosen." : summary(node));
}

function summary(node) {
  const next = edges => edges.length ? `${graph.name(edges[0].node)}, ${percent(edges[0].weight)}`
    : "none";
  const neighbour = graph.neighbours[node].filter(edge => edge.node !== node);
  return [
    `${capitalized(graph.name(node))} chosen.`,
    graph.hasSimilarity ? `Strongest neighbour: ${next(neighbour)}.` : "",
    graph.hasSpatialTemporal ? `Strongest forward edge: ${next(graph.forward[node])}. ` +
      `Strongest backward edge: ${next(graph.backward[node])}.` : "",
  ].filter(Boolean).join(" ");
}

function goTo(t) {
  pause();
  state.moment = Math.min(Math.max(t, 0), graph.numFrames - 1) * state.clip.perFrame;
  render();
  const buttons = byId("timeline");
  if (buttons.contains(document.activeElement)) buttons.children[frame()].firstChild.focus();
  say(`Frame ${frame() + 1} of ${graph.numFrames}, ${graph.nodesOf(frame()).length} boxes.`);
}

function play() {
  byId("play").textContent = "Pause";
  timer = setInterval(() => {
    state.moment = (state.moment + 1) % state.clip.pictures.length;
    render();
  }, 1000 * state.clip.pace);
}

function pause() {
  clearInterval(timer);
  timer = null;
  byId("play").textContent = "Play";
}

function playOrPause() {
  if (timer === null) play();
  else pause();
}

function say(text) {
  byId("status").textContent = text;
}

const KEYS = {
  " ": () => playOrPause(),
  ArrowLeft: () => goTo(frame() - 1),
  ArrowRight: () => goTo(frame() + 1),
  Home: () => goTo(0),
  End: () => goTo(graph.numFrames - 1),
  Escape: () => choose(null),
};

// Keys that an element needs for itself stay its own: arrows of a slider, the space of a button.
function isTaken(event) {
  const { tagName } = event.target;
  return ["INPUT", "SELECT"].includes(tagName) ? event.key !== "Escape"
    : ["BUTTON", "SUMMARY"].includes(tagName) && event.key === " ";
}

document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTaken(event)) return;
  const action = KEYS[event.key];
  if (!action || !graph) return;
  event.preventDefault();
  action();
});
byId("back").addEventListener("click", () => goTo(frame() - 1));
byId("play").addEventListener("click", playOrPause);
byId("forth").addEventListener("click", () => goTo(frame() + 1));
byId("clear").addEventListener("click", () => choose(null));
for (const id of ["similarity-threshold", "edge-threshold"]) {
  byId(id).addEventListener("input", () => {
    showRelations();
    render();
  });
}

function clipName(clip, place) {
  const [first, last] = [clip.seconds?.at(0), clip.seconds?.at(-1)];
  const when = [first, last].map(seconds => seconds?.toFixed(1)).filter(Boolean).join(" to ");
  return clip.title || `${place + 1} of ${DATA.clips.length}${when ? `, ${when} s` : ""}`;
}

byId("clip").append(...DATA.clips.map((clip, place) => make(
  "option", { value: place }, clipName(clip, place))));
byId("clips").hidden = DATA.clips.length === 1;
byId("clip").addEventListener("change", () => {
  openClip(DATA.clips[byId("clip").value]).then(showRelations);
});
openClip(DATA.clips[0]).then(() => {
  showRelations();
  document.body.dataset.ready = "";
});
