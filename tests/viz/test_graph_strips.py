"""Strips of a clip whose graphs are written down by hand, looked at pixel by pixel."""

import numpy as np
from absl.testing import absltest

from stgraph_tf.viz import drawing, graph_strips
from stgraph_tf.viz.explained_clip import ExplainedClip

# Frames of 96 x 96 are shown twice as large, 6 pixels apart.
TILE, PITCH = 192, 198
ORANGE, BLUE, GREEN = (255, 158, 27), (84, 190, 255), (130, 205, 130)


def clip(num_feature_frames: int = 3, **edges) -> ExplainedClip:
    """Grey frames; box 0 top left, box 1 bottom right, and padding."""
    boxes = np.zeros([num_feature_frames, 3, 4], np.float32)
    boxes[:, 0] = [0.125, 0.125, 0.375, 0.375]
    boxes[:, 1] = [0.625, 0.5, 0.875, 0.875]
    return ExplainedClip(
        frames=np.full([2 * num_feature_frames, 96, 96, 3], 128, np.uint8),
        boxes=boxes,
        scores=np.zeros(2, np.float32),
        **edges,
    )


def similar(num_feature_frames: int, node: int, neighbours: dict[int, float]) -> ExplainedClip:
    """A clip of which one node has neighbours."""
    shape = [num_feature_frames * 3, 4]
    indices, weights = np.full(shape, -1), np.zeros(shape, np.float32)
    indices[node, : len(neighbours)] = list(neighbours)
    weights[node, : len(neighbours)] = list(neighbours.values())
    return clip(num_feature_frames, neighbour_indices=indices, neighbour_weights=weights)


def tiles(strip) -> list[np.ndarray]:
    pixels = np.asarray(strip).astype(int)
    assert pixels.shape[0] == TILE and (pixels.shape[1] + 6) % PITCH == 0, pixels.shape
    return [pixels[:, left : left + TILE] for left in range(0, pixels.shape[1], PITCH)]


def corners(tile: np.ndarray, color) -> list[int] | None:
    """The outermost rows and columns of a colour: top, left, bottom, right."""
    places = np.argwhere((tile == color).all(axis=-1))
    return [*places.min(axis=0), *places.max(axis=0)] if places.size else None


class SimilarityTest(absltest.TestCase):
    def test_query_is_orange_the_strongest_neighbour_blue_and_others_faint(self):
        # Node 3 is box 0 of feature frame 1; it also looks at itself.
        strip = graph_strips.similarity(similar(3, 3, {3: 0.5, 1: 0.4, 6: 0.1}), 3)
        first, second, third = tiles(strip)
        self.assertEqual(corners(second, ORANGE), [24, 24, 71, 71])
        self.assertEqual(corners(first, BLUE)[1:], [96, 167, 167])  # with its caption above
        self.assertIsNone(corners(second, BLUE))
        # The weaker one has a quarter of the weight: its blue is a quarter of the way.
        weaker = [
            round(0.75 * weak + 0.25 * strong) for weak, strong in ((36, 84), (66, 190), (140, 255))
        ]
        self.assertIsNotNone(corners(third, weaker))
        self.assertIsNone(corners(third, BLUE))
        # A third of it is the frame.
        faint = [(128 + 2 * part) // 3 for part in GREEN]
        self.assertEqual(corners(first, faint), [24, 24, 71, 71])
        self.assertEqual(corners(second, faint), [120, 96, 167, 167])

    def test_what_has_next_to_no_weight_is_no_neighbour(self):
        (tile,) = tiles(graph_strips.similarity(similar(1, 0, {1: 5e-5}), 0))
        self.assertEqual(corners(tile, [(128 + 2 * part) // 3 for part in GREEN])[:2], [120, 96])

    def test_padding_is_not_drawn(self):
        for tile in tiles(graph_strips.similarity(similar(2, 0, {}), 0)):
            self.assertEqual(np.abs(tile[0:8, 0:8] - 128).max(), 0)

    def test_of_a_long_clip_the_frames_of_most_weight_are_shown(self):
        weights = {3 * 11: 0.3, 3 * 9 + 1: 0.2}
        strip = graph_strips.similarity(similar(12, 0, weights), 0)
        shown = tiles(strip)
        self.assertLen(shown, 8)
        self.assertIsNotNone(corners(shown[0], ORANGE))
        self.assertIsNotNone(corners(shown[-1], BLUE))  # frame 11
        self.assertIsNone(corners(shown[-2], ORANGE))
        self.assertIsNone(corners(shown[-3], BLUE))


class SpatialTemporalTest(absltest.TestCase):
    def strip(self, num_feature_frames=3, middle=1, **changes):
        blocks = np.zeros([num_feature_frames - 1, 3, 3], np.float32)
        blocks[:, 0, 0] = blocks[:, 1, 1] = 1.0
        edges = {"forward_edges": blocks, "backward_edges": blocks, **changes}
        return graph_strips.spatial_temporal(clip(num_feature_frames, **edges), middle)

    def test_each_trajectory_has_its_colour_on_every_frame(self):
        first, second = drawing.RANK_COLORS[5], drawing.RANK_COLORS[2]
        for tile in tiles(self.strip()):
            # The upper and the lower line; arrows cross the other two.
            self.assertTrue((tile[24, 24:72] == first).all())
            self.assertTrue((tile[167, 96:168] == second).all())

    def test_arrows_point_away_from_the_middle_frame(self):
        pixels = np.asarray(self.strip()).astype(int)
        color = drawing.RANK_COLORS[5]
        # Between the tiles, at the height of the upper boxes' centres, there is a line.
        for gap in (TILE + 3, PITCH + TILE + 3):
            self.assertEqual(pixels[48, gap].tolist(), list(color))
        # Its head is wider than the line, and stands at the centre of the box that it leads to.
        for centre, side in ((48, 1), (2 * PITCH + 48, -1)):
            head = (pixels[30:66, centre + 6 * side] == color).all(axis=-1).sum()
            line = (pixels[30:66, centre + 30 * side] == color).all(axis=-1).sum()
            self.assertGreater(head, line)

    def test_without_edges_there_is_no_arrow(self):
        none = np.zeros([2, 3, 3], np.float32)
        pixels = np.asarray(self.strip(forward_edges=none, backward_edges=none))
        self.assertEqual(pixels[48, TILE + 3].tolist(), list(graph_strips.BACKGROUND))

    def test_of_a_long_clip_the_frames_about_the_middle_are_shown(self):
        for middle in (0, 8, 15):
            self.assertLen(tiles(self.strip(16, middle)), 8)

    def test_large_and_tall_frames_fit_in_their_place(self):
        for height, width, size in ((600, 300, (96, 192)), (300, 600, (256, 128))):
            base = clip(1)
            tall = ExplainedClip(
                frames=np.zeros([1, height, width, 3], np.uint8),
                boxes=base.boxes,
                scores=base.scores,
                forward_edges=np.zeros([0, 3, 3]),
                backward_edges=np.zeros([0, 3, 3]),
            )
            self.assertEqual(graph_strips.spatial_temporal(tall, 0).size, size)


if __name__ == "__main__":
    absltest.main()
