"""The head of the page: what was evaluated, and the numbers by which models are compared."""

from stgraph_tf.evaluation import protocol
from stgraph_tf.evaluation.report import numbers
from stgraph_tf.evaluation.report.inputs import Inputs
from stgraph_tf.viz.markup import Markup, element, join

_NAMES = {"mAP": "mAP", "top1": "top-1 accuracy", "top5": "top-5 accuracy"}


def section(inputs: Inputs) -> Markup:
    """The title, what was measured on what, and the headline numbers."""
    measures = inputs.measures
    tiles = [
        _tile(numbers.percent(measures[key]), name)
        for key, name in _NAMES.items()
        if key in measures
    ]
    if "mAP_of_random_scores" in measures:
        tiles.append(
            _tile(numbers.percent(measures["mAP_of_random_scores"]), "mAP of random scores")
        )
    for name, other in inputs.compared.items():
        headline = protocol.measures(other.labels, other.scores, inputs.multi_label)
        key, value = next(iter(headline.items()))
        tiles.append(_tile(numbers.percent(value), f"{_NAMES[key]} of {name}"))
    tiles.append(_tile(f"{measures['num_videos']:,}", f"videos of {measures['split']}"))
    clips = numbers.count(measures["clips_per_video"], "clip").partition(" ")
    pooled = f", {measures['pooling']}-pooled" if measures["clips_per_video"] > 1 else ""
    tiles.append(_tile(clips[0], f"{clips[2]} a video{pooled}"))
    return element(
        "header",
        element("h1", measures["config"]),
        element("p", "evaluated from ", element("code", str(measures["checkpoint"]))),
        element("dl", join(*tiles), class_="tiles"),
    )


def _tile(value: str, name: str) -> Markup:
    return element("div", element("dt", name), element("dd", value))
