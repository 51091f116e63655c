// Making and filling elements. What comes from data becomes text and never markup.

function byId(id) {
  return document.getElementById(id);
}

function make(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") made.addEventListener("click", value);
    else if (name.startsWith("--")) made.style.setProperty(name, value);
    else if (value !== null) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// A name whose line may also end behind an underscore or a slash.
function breakable(name) {
  return name.split(/(?<=[_/])/).flatMap((part, place) => place ? [make("wbr", {}), part] : [part]);
}

function percent(share) {
  const value = 100 * share;
  return `${value.toFixed(value < 9.995 ? 1 : 0)}\u00a0%`;
}

const WHOLE = { top: 0, left: 0, bottom: 1, right: 1 };

// A picture of a part of an image, `shape` times as wide as high, with a margin of what is around.
function crop(image, box, { description = "", shape = 1, margin = 1.15 } = {}) {
  const [across, down] = [144, Math.max(1, Math.round(144 / shape))];
  const canvas = make("canvas", { width: across, height: down, class: "crop" });
  if (description) {
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", description);
  } else {
    canvas.setAttribute("aria-hidden", "true");
  }
  const width = (box.right - box.left) * image.naturalWidth;
  const height = (box.bottom - box.top) * image.naturalHeight;
  const zoom = Math.min(across / width, down / height) / margin;
  const left = (box.left + box.right) / 2 * image.naturalWidth * zoom - across / 2;
  const top = (box.top + box.bottom) / 2 * image.naturalHeight * zoom - down / 2;
  const pen = canvas.getContext("2d");
  pen.imageSmoothingEnabled = !isSmall(image);
  pen.drawImage(image, -left, -top, image.naturalWidth * zoom, image.naturalHeight * zoom);
  return canvas;
}

// Of such images single pixels are shown as squares: that is what the network saw.
function isSmall(image) {
  return Math.max(image.naturalWidth, image.naturalHeight) <= 160;
}
