import numpy as np
from absl.testing import absltest, parameterized

from stgraph_tf.data.shapes.render import outline_points, render
from stgraph_tf.data.shapes.scene import COLOURS, OUTLINES, Actor, Scene


def still(
    *,
    centre=(32, 32),
    diameter=12.0,
    outline="disc",
    colour="red",
    depth=0.0,
    stretch=(0.0, 0.0),
    frames=2,
):
    return Actor(
        np.tile(np.array(centre, float), (frames, 1)),
        np.tile(np.array(stretch, float), (frames, 1)),
        diameter,
        OUTLINES.index(outline),
        np.full(frames, COLOURS.index(colour)),
        depth,
    )


def shoot(*actors: Actor, size: int = 64, shake=(0.0, 0.0)):
    frames = len(actors[0].path)
    scene = Scene(list(actors), [], np.tile(np.array(shake, float), (frames, 1)))
    return render(scene, size, np.random.default_rng(0))


class RenderTest(parameterized.TestCase):
    def test_disc_has_the_box_worked_out_by_hand(self):
        # Centre (20, 40), radius 6: rows 14 to 26, columns 34 to 46 of 64.
        shot = shoot(still(centre=(20, 40)))
        expected = np.array([14, 34, 26, 46]) / 64
        np.testing.assert_allclose(shot.boxes[:, 0], [expected] * 2, atol=1e-6)
        self.assertTrue(shot.seen.all())

    def test_shake_moves_the_box(self):
        shot = shoot(still(centre=(20, 40)), shake=(1, -2))
        np.testing.assert_allclose(shot.boxes[0, 0], np.array([15, 32, 27, 44]) / 64, atol=1e-6)

    @parameterized.product(outline=OUTLINES, size=[64, 128])
    def test_box_surrounds_the_coloured_pixels(self, outline, size):
        shot = shoot(still(outline=outline, diameter=14, colour="red"), size=size)
        red = (shot.frames[0, ..., 0] > 200) & (shot.frames[0, ..., 1] < 100)
        rows, columns = np.nonzero(red)
        low = np.array([rows.min(), columns.min()]) / size
        high = np.array([rows.max(), columns.max()]) / size
        self.assertTrue((shot.boxes[0, 0, :2] <= low).all())
        self.assertTrue((shot.boxes[0, 0, 2:] >= high).all())
        # No further than the rim reaches.
        self.assertLess(np.abs(shot.boxes[0, 0] - np.concatenate([low, high])).max(), 5 / 64)

    def test_stretched_disc_has_the_ellipse_of_the_same_area(self):
        # Twice as long down, half as wide: 12 above and below the centre, 3 to either side.
        shot = shoot(still(centre=(32, 32), stretch=(np.log(2), 0)))
        np.testing.assert_allclose(shot.boxes[0, 0], np.array([20, 29, 44, 35]) / 64, atol=1e-6)

    def test_a_slanted_stretch_lies_along_its_axis(self):
        shot = shoot(still(centre=(32, 32), diameter=14, stretch=(0.4, 0.4)))
        red = (shot.frames[0, ..., 0] > 150) & (shot.frames[0, ..., 1] < 120)
        rows, columns = np.nonzero(red) - np.array([[31.5], [31.5]])
        covariance = np.cov(rows, columns)
        values, vectors = np.linalg.eigh(covariance)
        np.testing.assert_allclose(np.abs(vectors[:, 1]), np.sqrt([0.5, 0.5]), atol=0.05)
        # Lengths along and across are as exp(|s|) to exp(-|s|), less the rim on both.
        self.assertBetween(np.sqrt(values[1] / values[0]), 2.6, 4.0)

    @parameterized.parameters(*OUTLINES)
    def test_outline_points_lie_on_the_edge(self, outline):
        points = outline_points(OUTLINES.index(outline), np.zeros(2), count=720)
        self.assertEqual(points.shape, (720, 2))
        box = shoot(still(outline=outline, diameter=40), size=64).boxes[0, 0] * 64
        low, high = 32 + 20 * points.min(axis=0), 32 + 20 * points.max(axis=0)
        np.testing.assert_allclose(box, [*low, *high], atol=1.6)

    def test_outline_points_of_a_stretched_disc_are_an_ellipse(self):
        points = outline_points(0, np.array([np.log(2), 0]), count=8)
        np.testing.assert_allclose((points[:, 0] / 2) ** 2 + (points[:, 1] * 2) ** 2, 1, atol=1e-6)

    @parameterized.parameters(*COLOURS)
    def test_middle_has_the_colour_and_stands_out(self, colour):
        frame = shoot(still(colour=colour)).frames[0].astype(int)
        middle, around = frame[32, 32], frame[10:16, 10:16].reshape(-1, 3).mean(axis=0)
        self.assertGreater(np.abs(middle - around).max(), 80)

    def test_hidden_shape_has_no_box_and_what_hides_it_keeps_its_own(self):
        back, front = still(diameter=9, depth=1.0), still(diameter=14, colour="blue")
        for actors, hidden in (((back, front), 0), ((front, back), 1)):
            shot = shoot(*actors)
            self.assertFalse(shot.seen[:, hidden].any())
            self.assertTrue(shot.seen[:, 1 - hidden].all())
            np.testing.assert_array_equal(shot.boxes[:, hidden], 0)

    def test_box_of_a_half_hidden_shape_is_of_what_shows(self):
        back = still(centre=(32, 32), outline="square", diameter=12, depth=1.0)
        front = still(centre=(32, 38), outline="square", diameter=14, colour="blue")
        box = shoot(back, front).boxes[0, 0]
        # The front square's left side is at column 38 - 0.89 * 7 = 31.8.
        self.assertAlmostEqual(box[3] * 64, 32, delta=1)

    def test_colour_changes_on_its_frame(self):
        actor = still(frames=4)
        actor.colours[2:] = COLOURS.index("green")
        middle = shoot(actor).frames[:, 32, 32].astype(int)
        self.assertEqual([int(pixel.argmax()) for pixel in middle], [0, 0, 1, 1])

    def test_background_is_one_grey_a_film(self):
        scene = Scene([still(frames=3)], [], np.zeros((3, 2)))
        greys = []
        for seed in range(5):
            corner = render(scene, 64, np.random.default_rng(seed)).frames[:, :20]
            self.assertEqual(corner.min(), corner.max())
            greys.append(int(corner.min()))
        self.assertLen(set(greys), 5)
        self.assertBetween(min(greys), 40, 90)
        self.assertBetween(max(greys), 40, 90)


if __name__ == "__main__":
    absltest.main()
