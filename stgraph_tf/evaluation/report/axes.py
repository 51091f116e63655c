"""Plots as SVG whose colours are the page's, so that they follow it from light to dark.

Coordinates are those of the SVG's `viewBox`: `x` to the right, `y` downwards. Colours are classes
and variables of `style.CSS`.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from stgraph_tf.viz.markup import Markup, element, join


class Axes:
    """A plot's area with its scales, both linear.

    Args:
        x_range: the numbers at the left and the right end.
        y_range: those at the lower and the upper end.
        width: of the picture.
        height: of the picture.
        bottom: space below the area, for the names of the ticks and the axis.
    """

    def __init__(
        self,
        x_range: tuple[float, float],
        y_range: tuple[float, float],
        *,
        width: int = 440,
        height: int = 340,
        bottom: int = 46,
    ):
        self.width, self.height = width, height
        self.left, self.top = 48, 12
        self.right, self.bottom = width - 16, height - bottom
        self._x_range, self._y_range = x_range, y_range

    def x(self, value: float) -> float:
        low, high = self._x_range
        return self.left + (value - low) / (high - low) * (self.right - self.left)

    def y(self, value: float) -> float:
        low, high = self._y_range
        return self.bottom - (value - low) / (high - low) * (self.bottom - self.top)

    def path(self, xs: Iterable[float], ys: Iterable[float]) -> str:
        """The `d` of a line through points, to a tenth of a unit."""
        points = [f"{self.x(x):.1f} {self.y(y):.1f}" for x, y in zip(xs, ys, strict=True)]
        return "M" + "L".join(points)

    def svg(
        self,
        content: Markup,
        *,
        description: str,
        x_label: str,
        y_label: str,
        x_ticks: Sequence[tuple[float, str]],
        y_ticks: Sequence[tuple[float, str]],
        x_grid: bool = True,
    ) -> Markup:
        """The whole picture.

        Args:
            content: what is drawn on the area.
            description: what is seen, for who does not see it.
            x_label: name of the axis below.
            y_label: name of the axis at the left.
            x_ticks: numbers and what stands below them.
            y_ticks: numbers and what stands at their left.
            x_grid: whether lines go up from the ticks below.
        """
        lines = [self._line(self.left, self.y(y), self.right, self.y(y)) for y, _ in y_ticks]
        if x_grid:
            lines += [self._line(self.x(x), self.top, self.x(x), self.bottom) for x, _ in x_ticks]
        texts = [
            element("text", name, x=self.left - 7, y=self.y(y) + 4, text_anchor="end")
            for y, name in y_ticks
        ]
        for x, name in x_ticks:
            rows = [
                element("tspan", row, x=self.x(x), y=self.bottom + 17 + 14 * number)
                for number, row in enumerate(name.split("\n"))
            ]
            texts.append(element("text", *rows, text_anchor="middle"))
        middle = (self.left + self.right) / 2
        x_name = element("text", x_label, x=middle, y=self.height - 6, text_anchor="middle")
        y_name = element(
            "text",
            y_label,
            transform=f"translate(13 {(self.top + self.bottom) / 2:g}) rotate(-90)",
            text_anchor="middle",
        )
        return element(
            "svg",
            element("g", *lines, class_="grid"),
            element("g", *texts, class_="ticks"),
            element("g", x_name, y_name, class_="axis"),
            content,
            viewBox=f"0 0 {self.width} {self.height}",
            role="img",
            aria_label=description,
            class_="plot",
        )

    @staticmethod
    def _line(x1: float, y1: float, x2: float, y2: float) -> Markup:
        return element("line", x1=x1, y1=y1, x2=x2, y2=y2)


def shares(step: float = 0.2) -> list[tuple[float, str]]:
    """Ticks from 0 to 100 %."""
    return [(float(x), f"{100 * x:.0f}") for x in np.arange(0, 1 + step / 2, step)]


def legend(names: Iterable[tuple[str, str]]) -> Markup:
    """What the colours mean.

    Args:
        names: classes of the style and what they stand for.
    """
    items = [
        element("li", element("i", class_=f"key {kind}", aria_hidden="true"), name)
        for kind, name in names
    ]
    return element("ul", join(*items), class_="legend")
