"""Recognizes the actions in a film.

    python tools/predict.py --saved_model runs/charades/saved_model --video film.mp4 \
        --boxes boxes.jsonl

The film is cut into clips as in evaluation, at the frame rate that the model was trained with; the
clips' scores are pooled as there. A model that was exported with `--rpn` finds the boxes itself.

`--report film.html` writes a page that plays the clips and shows, of every box, the edges of the
space-time region graph that the scores come from. It is one file and needs no network.
"""

import math
import os
import time
from collections.abc import Iterable, Sequence

from absl import flags

from stgraph_tf import program

_SAVED_MODEL = flags.DEFINE_string(
    "saved_model", None, "An exported model: the folder of its versions, or of one of them."
)
_VIDEO = flags.DEFINE_string("video", None, "A film, or a folder of JPEG or PNG frames.")
_FPS = flags.DEFINE_float("fps", None, "Frames a second of a folder of frames.", lower_bound=0.001)
_BOXES = flags.DEFINE_string(
    "boxes",
    None,
    "Object boxes: none, or a proposals file (JSON lines), of which the line with the film's name "
    "as id counts, or the only line; something_else:PATH or coco:RESULTS,IMAGES@FPS; or a detector "
    "that finds them: rpn:CHECKPOINT or saved_model:DIR. If not given, the model's own does.",
)
_TOP = flags.DEFINE_integer("top", 5, "Labels to print.", lower_bound=1)
_JSON = flags.DEFINE_string("json", None, "File to write all scores to.")
_REPORT = flags.DEFINE_string(
    "report", None, "HTML file to write the viewer to: the clips with their boxes and edges."
)


def main(argv: Sequence[str]) -> None:
    if len(argv) > 1:
        raise ValueError(f"unexpected argument {argv[1]!r}: every argument is a --flag")

    import numpy as np
    import tensorflow as tf

    from stgraph_tf import files
    from stgraph_tf.serving import film_clips, score_table
    from stgraph_tf.serving.predictor import Predictor
    from stgraph_tf.viz import viewer

    if _FPS.value is None and tf.io.gfile.isdir(_VIDEO.value):
        raise ValueError(f"{_VIDEO.value} is a folder of frames: --fps must say how many a second")
    spec = _BOXES.value or "none"
    started = time.monotonic()
    predictor = Predictor(_SAVED_MODEL.value)
    detector = film_clips.find_detector(spec, predictor.clip.num_boxes)
    boxes = None if detector else film_clips.find_boxes(spec, _VIDEO.value)
    if _BOXES.value is None and not predictor.finds_boxes:
        raise ValueError(
            f"--boxes must say where the film's boxes are (or none): {predictor.path} has no "
            f"detector inside"
        )
    loaded = time.monotonic()
    film = film_clips.read(_VIDEO.value, predictor.clip, boxes, _FPS.value, detector)
    decoded = time.monotonic()
    clip_scores: Iterable[np.ndarray]
    clip_boxes: Sequence[np.ndarray] | np.ndarray
    if _BOXES.value is None:
        found = program.progress(predictor.detected(film), total=len(film), unit="clip")
        clip_scores, clip_boxes = zip(*found, strict=True)
        num_boxes = int(np.any(clip_boxes, axis=-1).sum())
    else:
        clip_scores, clip_boxes = predictor.clip_scores(film), film.boxes
        num_boxes = int(film.num_boxes.sum())
    if _REPORT.value:
        clips = predictor.explained(film, clip_boxes)
        explained = list(program.progress(clips, total=len(film), unit="clip"))
        clip_scores = [clip.scores for clip in explained]
    elif _BOXES.value is not None:
        clip_scores = program.progress(clip_scores, total=len(film), unit="clip")
    scores = film.pool(clip_scores, predictor.clip.pooling)
    scored = time.monotonic()

    ranked = score_table.ranked(predictor.labels, scores)
    print(score_table.text(ranked[: _TOP.value]))
    clip = predictor.clip
    num_feature_frames = math.prod(film.boxes.shape[:2])
    print(
        f"\nmodel   {predictor.path}\n"
        f"film    {_VIDEO.value}, {film.num_stored} frames at {clip.frame_rate:g} a second\n"
        f"clips   {len(film)} of {clip.num_frames} frames, pooled by {clip.pooling}\n"
        f"boxes   {num_boxes} on {num_feature_frames} feature frames"
        f"{', found by the model' if _BOXES.value is None else ''}\n"
        f"time    {loaded - started:.1f} s to load the model, {decoded - loaded:.1f} s to decode "
        f"the film, {scored - decoded:.1f} s to score it"
    )
    if _JSON.value:
        files.write_json(
            _JSON.value,
            {
                "saved_model": predictor.path,
                "video": _VIDEO.value,
                "num_frames": film.num_stored,
                "num_clips": len(film),
                "num_boxes": num_boxes,
                "predictions": [{"label": label, "score": score} for label, score in ranked],
            },
        )
    if _REPORT.value:
        viewer.write(
            _REPORT.value,
            os.path.basename(_VIDEO.value.rstrip("/")),
            explained,
            predictor.labels,
            description=f"{clip.model}, {clip.checkpoint}",
            pooled_scores=scores,
            pooling=clip.pooling,
        )
        print(f"report  {_REPORT.value}")


if __name__ == "__main__":
    flags.mark_flags_as_required(["saved_model", "video"])
    program.run(main)
