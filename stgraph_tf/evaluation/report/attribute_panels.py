"""The section of attributes: mean average precision by groups of classes, models side by side.

As Figure 5 of the paper, from the same numbers as `attribute_plot`; drawn here so that a panel is
as wide as a phone, and in the page's colours.
"""

from stgraph_tf.evaluation import error_analysis
from stgraph_tf.evaluation.error_analysis import AttributeResult
from stgraph_tf.evaluation.report import numbers
from stgraph_tf.evaluation.report.axes import Axes, legend
from stgraph_tf.evaluation.report.inputs import Inputs
from stgraph_tf.viz.markup import Markup, element, join

# Classes of the style; models beyond share the last.
_NUM_COLORS = 5
_TICKS = (0.05, 0.1, 0.2)


def section(inputs: Inputs) -> Markup | None:
    """A panel an attribute; None where the classes have no attributes."""
    if not inputs.class_attributes:
        return None
    models = {**inputs.compared, inputs.measures["config"]: inputs.scored}
    results = error_analysis.analyse(models, inputs.class_attributes)
    if not results:
        return None
    highest = max(
        mean + error
        for result in results
        for model in models
        for mean, error in zip(result.mean_ap[model], result.standard_error[model], strict=True)
    )
    kinds = _kinds(list(models))
    panels = [element("figure", _panel(result, kinds, highest)) for result in results]
    about = (
        "Mean average precision of the classes of each group, in percent; the bars are standard "
        "errors. Below each group is the number of its classes."
    )
    return element(
        "section",
        element("h2", "By attributes of the classes"),
        element("p", about, class_="about"),
        legend(kinds),
        element("div", join(*panels), class_="panels"),
        class_="wide",
    )


def _panel(result: AttributeResult, kinds: list[tuple[str, str]], highest: float) -> Markup:
    step = next((step for step in _TICKS if highest <= 5 * step), _TICKS[-1])
    ticks = [step * number for number in range(7) if step * (number - 1) < highest]
    num_groups = len(result.groups)
    axes = Axes((-0.5, num_groups - 0.5), (0, ticks[-1]), width=360, height=270, bottom=62)
    drawn = [
        _model(axes, result, name, kind, shift=0.1 * (place - (len(kinds) - 1) / 2))
        for place, (kind, name) in enumerate(kinds)
    ]
    # Ranges are short of room side by side.
    names = [name.replace(" to ", "\u2013") for name in result.groups]
    groups = zip(names, result.counts, strict=True)
    plot = axes.svg(
        join(*drawn),
        description=_description(result),
        x_label=f"group, number of {result.unit}",
        y_label="mAP, %",
        x_ticks=[(place, f"{name}\n({count})") for place, (name, count) in enumerate(groups)],
        y_ticks=[(tick, f"{100 * tick:.0f}") for tick in ticks],
        x_grid=False,
    )
    return join(element("figcaption", result.title), plot)


def _model(axes: Axes, result: AttributeResult, name: str, kind: str, shift: float) -> Markup:
    parts = []
    means = result.mean_ap[name]
    for place, (mean, error) in enumerate(zip(means, result.standard_error[name], strict=True)):
        x = axes.x(place + shift)
        high, low = axes.y(mean + error), axes.y(max(0.0, mean - error))
        title = f"{name}, {result.groups[place]}: {numbers.percent(mean)}"
        parts += [
            element("path", d=f"M{x:.1f} {high:.1f}V{low:.1f}", class_="line error"),
            element("circle", element("title", title), cx=x, cy=axes.y(mean), r=4.5),
        ]
    places = [place + shift for place in range(len(means))]
    line = element("path", d=axes.path(places, means), class_="line")
    return element("g", line, *parts, class_=kind)


def _description(result: AttributeResult) -> str:
    told = [
        f"{name}: "
        + ", ".join(
            f"{group} {numbers.percent(mean)}"
            for group, mean in zip(result.groups, means, strict=True)
        )
        for name, means in result.mean_ap.items()
    ]
    return f"{result.title} {'; '.join(told)}"


def _kinds(models: list[str]) -> list[tuple[str, str]]:
    """Classes of the style and the models they are of: the last is the report's own."""
    return [
        (f"model{min(place, _NUM_COLORS - 1) if name != models[-1] else 0}", name)
        for place, name in enumerate(models, start=1)
    ]
