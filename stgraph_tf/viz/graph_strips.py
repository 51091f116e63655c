"""Strips of feature frames with the edges of a graph drawn on them (Figures 3 and 4 of the paper).

Conventions are those of `explained_clip` and `drawing`.
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
from PIL import Image, ImageDraw

from stgraph_tf.viz import drawing, trajectories
from stgraph_tf.viz.drawing import Color, Outline
from stgraph_tf.viz.explained_clip import ExplainedClip
from stgraph_tf.viz.trajectories import Step

BACKGROUND: Color = (22, 25, 31)
_Edges = tuple[np.ndarray, np.ndarray]

_QUERY: Color = (255, 158, 27)
_STRONG: Color = (84, 190, 255)
_WEAK: Color = (36, 66, 140)
_OTHER: Color = (130, 205, 130)
# Colours of trajectories, apart from each other.
_TRAJECTORIES = tuple(drawing.RANK_COLORS[rank] for rank in (5, 2, 0, 4))
_EDGE: Color = (12, 14, 18)

_LEAST = 1e-4  # a weaker neighbour is none
_MAX_TILES = 8
_TILE_HEIGHT, _TILE_WIDTH = 192, 256  # pixels at most
_GAP = 6
_SMOOTH = 2  # arrows are drawn so many times as large


def similarity(clip: ExplainedClip, node: int) -> Image.Image:
    """One box and its strongest neighbours (Figure 3).

    The box is orange, its neighbours are the bluer the stronger, all others faint green. Where the
    clip has too many feature frames for a strip, those with the strongest neighbours are shown.

    Args:
        clip: of a model with the similarity graph.
        node: whose neighbours they are, `t * K + k`.
    """
    num_boxes = clip.boxes.shape[1]
    indices, weights = cast(_Edges, (clip.neighbour_indices, clip.neighbour_weights))
    edges = zip(indices[node], weights[node], strict=True)
    neighbours = {
        int(index): float(weight)
        for index, weight in edges
        if weight >= _LEAST and index not in (-1, node)
    }
    per_frame = np.zeros(clip.num_feature_frames)
    for index, weight in neighbours.items():
        per_frame[index // num_boxes] += weight
    per_frame[node // num_boxes] = np.inf
    shown = np.sort(np.argsort(-per_frame, kind="stable")[:_MAX_TILES]).tolist()
    strongest = max(neighbours.values(), default=1.0)
    tiles = []
    for frame in shown:
        nodes = {frame * num_boxes + box: clip.boxes[frame, box] for box in range(num_boxes)}
        outlines = [
            Outline(
                nodes[index],
                _blue(neighbours[index] / strongest),
                1 + round(2 * neighbours[index] / strongest),
                _percent(neighbours[index]),
            )
            for index in sorted(nodes.keys() & neighbours.keys(), key=neighbours.__getitem__)
        ]
        # Boxes of one thing lie on top of each other: of several captions none could be read.
        outlines[:-1] = [outline._replace(caption="") for outline in outlines[:-1]]
        if node in nodes:
            outlines.append(Outline(nodes[node], _QUERY, 3))
        others = [box for index, box in nodes.items() if index not in (node, *neighbours)]
        tiles.append(_tile(clip, frame, others, outlines))
    return _side_by_side(tiles)


def spatial_temporal(clip: ExplainedClip, middle: int) -> Image.Image:
    """Some boxes of a middle frame, followed along their strongest edges (Figure 4).

    Arrows that point right are forward edges, those that point left are backward edges; the wider,
    the stronger. Where the clip has too many feature frames for a strip, those about the middle are
    shown.

    Args:
        clip: of a model with the spatial-temporal graph.
        middle: the feature frame to begin with.
    """
    first = max(0, min(middle - _MAX_TILES // 2, clip.num_feature_frames - _MAX_TILES))
    shown = range(first, min(first + _MAX_TILES, clip.num_feature_frames))
    chosen = trajectories.starts(clip.boxes[middle], clip.mask[middle], len(_TRAJECTORIES))
    forward, backward = cast(_Edges, (clip.forward_edges, clip.backward_edges))
    paths = [trajectories.follow(forward, backward, middle, box) for box in chosen]
    colors: dict[tuple[int, int], Color] = {}
    for color, box, path in zip(_TRAJECTORIES, chosen, paths, strict=False):
        for place in ((middle, box), *((step.next_frame, step.next_box) for step in path)):
            colors.setdefault(place, color)
    tiles = []
    for frame in shown:
        width = 3 if frame == middle else 2
        boxes = dict(enumerate(clip.boxes[frame]))
        outlines = [
            Outline(boxes[box], color, width) for (of, box), color in colors.items() if of == frame
        ]
        others = [box for index, box in boxes.items() if (frame, index) not in colors]
        tiles.append(_tile(clip, frame, others, outlines))
    arrows = _Arrows(_side_by_side(tiles), tiles[0].size, first)
    for color, path in zip(_TRAJECTORIES, paths, strict=False):
        for step in path:
            if step.next_frame in shown:
                arrows.draw(step, clip.boxes, color)
    return arrows.composed()


class _Arrows:
    """Arrows over a strip, drawn larger and scaled down, so that they are smooth."""

    def __init__(self, strip: Image.Image, tile: tuple[int, int], first: int):
        self._strip = strip
        self._tile = tile
        self._first = first
        self._layer = Image.new("RGBA", [_SMOOTH * side for side in strip.size])
        self._pen = ImageDraw.Draw(self._layer)

    def draw(self, step: Step, boxes: np.ndarray, color: Color) -> None:
        """From the centre of one box to that of the next."""
        start = self._centre(step.frame, boxes[step.frame, step.box])
        end = self._centre(step.next_frame, boxes[step.next_frame, step.next_box])
        along = (end - start) / np.linalg.norm(end - start)
        across = np.array([-along[1], along[0]])
        width = _SMOOTH * (1 + 2 * step.weight)
        head = _SMOOTH * 6 + width
        neck = end - head * along
        for edge, fill in ((_SMOOTH, _EDGE), (0, color)):
            self._pen.line([*start, *neck], fill, round(width + 2 * edge))
            side = (head / 2 + edge) * across
            base = neck - edge * along
            corners = (end + 1.5 * edge * along, base + side, base - side)
            self._pen.polygon([tuple(corner) for corner in corners], fill)

    def composed(self) -> Image.Image:
        """The strip with its arrows."""
        layer = self._layer.reduce(_SMOOTH)
        return Image.alpha_composite(self._strip.convert("RGBA"), layer).convert("RGB")

    def _centre(self, frame: int, box: np.ndarray) -> np.ndarray:
        """`(x, y)` of a box's centre on the layer; never the same on two frames."""
        width, height = self._tile
        box = np.clip(box, 0, 1)
        y, x = (box[:2] + box[2:]) / 2 * (height, width)
        return _SMOOTH * np.array([x + (frame - self._first) * (width + _GAP), y])


def _tile(
    clip: ExplainedClip, frame: int, others: Sequence[np.ndarray], outlines: Sequence[Outline]
) -> Image.Image:
    """A feature frame at the size at which it is shown: others faintly, then the outlines."""
    picture = _scaled(clip.frames[frame * clip.stride])
    # Padding has no pixel to be drawn on.
    faint = [Outline(box, _OTHER, 1) for box in others if np.all(box[2:] > box[:2])]
    mixed = (picture + 2 * drawing.draw_outlines(picture, faint).astype(np.uint16)) // 3
    drawn = drawing.draw_outlines(mixed.astype(np.uint8), outlines)
    return Image.fromarray(drawing.draw_note(drawn, f"frame {frame * clip.stride}"))


def _scaled(frame: np.ndarray) -> np.ndarray:
    """Small frames are enlarged by whole pixels, which keeps them crisp; large ones shrunk."""
    height, width = frame.shape[:2]
    zoom = min(_TILE_HEIGHT / height, _TILE_WIDTH / width)
    if zoom >= 2:
        return frame.repeat(int(zoom), axis=0).repeat(int(zoom), axis=1)
    size = max(1, round(width * zoom)), max(1, round(height * zoom))
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS))


def _side_by_side(tiles: Sequence[Image.Image]) -> Image.Image:
    width, height = tiles[0].size
    strip = Image.new("RGB", (len(tiles) * (width + _GAP) - _GAP, height), BACKGROUND)
    for place, tile in enumerate(tiles):
        strip.paste(tile, (place * (width + _GAP), 0))
    return strip


def _percent(weight: float) -> str:
    percent = 100 * weight
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.2g} %"


def _blue(strength: float) -> Color:
    """From the weak colour at 0 to the strong one at 1."""
    weak, strong = np.array(_WEAK), np.array(_STRONG)
    red, green, blue = np.rint(weak + strength * (strong - weak)).astype(int).tolist()
    return red, green, blue
