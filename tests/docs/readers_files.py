"""What a reader has at hand, in small: the parts of the folders that `folders` makes."""

import csv
import json
import os
import subprocess
from collections.abc import Sequence

from stgraph_tf.data.shapes.film import Film, FilmSettings, make_film
from tests.data.sources import grey_films
from tests.docs.folders import write


def _mine(folder: str, environment: dict[str, str]) -> None:
    """Films of one's own with manifests and boxes, and one film more."""
    settings = FilmSettings(num_frames=16, single_label=True)
    lines, boxes = {"train": [], "validation": []}, []
    for split, count in (("train", 8), ("validation", 4)):
        for index in range(count):
            film = make_film(settings, split, index)
            _write_film(os.path.join(folder, "films", f"{film.id}.mp4"), film)
            lines[split].append({"id": film.id, "video": f"{film.id}.mp4", "labels": film.labels})
            boxes.append({"id": film.id, **film.proposals})
    boxes += [{**boxes[-1], "id": name} for name in ("a", "b")]
    labels = sorted({label for entries in lines.values() for e in entries for label in e["labels"]})
    for split, entries in lines.items():
        _write_lines(os.path.join(folder, f"{split}.jsonl"), entries)
    _write_lines(os.path.join(folder, "boxes.jsonl"), boxes)
    write(os.path.join(folder, "labels.txt"), "".join(f"{label}\n" for label in labels))
    film = make_film(settings, "validation", 4)
    for name in ("film", "a", "b"):
        _write_film(os.path.join(folder, f"{name}.mp4"), film)
    _write_lines(os.path.join(folder, "film_boxes.jsonl"), [{"id": "film", **film.proposals}])


def _classes(folder: str, environment: dict[str, str]) -> None:
    """A folder of films for each class: `films/CLASS/NAME.mp4`."""
    settings = FilmSettings(num_frames=16, single_label=True)
    for index in range(12):
        film = make_film(settings, "train", index)
        place = os.path.join(folder, "films", "push" if index % 2 else "follow")
        _write_film(os.path.join(place, f"film{index}.mp4"), film)


def _demo(folder: str, environment: dict[str, str]) -> None:
    """What `make demo` leaves."""
    _run(["make", "demo"], folder, environment)


def _charades(folder: str, environment: dict[str, str]) -> None:
    """Charades' lists, a few films, and the attributes of its classes."""
    classes = [f"c{index:03d}" for index in range(157)]
    head = "id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length"
    lists = {
        "Charades_v1_classes.txt": [f"{name} Doing thing {name}" for name in classes],
        "Charades_v1_attributes_class.csv": [
            "class,Seq,PoseVar,Obj",
            *(
                f"{name},{i % 2},{0.65 + 0.01 * (i % 20)},{i % 3 % 2}"
                for i, name in enumerate(classes)
            ),
        ],
    }
    for split, names in (("train", "ABCDE"), ("test", "FGH")):
        lists[f"Charades_v1_{split}.csv"] = [head]
        for i, name in enumerate(names):
            actions = f"c{i:03d} 0.00 2.00;c{i + 2:03d} 1 3"
            lists[f"Charades_v1_{split}.csv"].append(f"{name},S,Home,6,7,Yes,,,,{actions},4.00")
            grey_films.write_film(os.path.join(folder, "Charades_v1_480", f"{name}.mp4"), 48, 12)
    for name, lines in lists.items():
        text = "".join(f"{line}\n" for line in lines)
        # The page on data has them in a folder, the one on evaluation beside what is submitted.
        write(os.path.join(folder, "Charades", name), text)
        write(os.path.join(folder, name), text)


def _charades_shards(folder: str, environment: dict[str, str]) -> None:
    """Charades, prepared: `data/charades`."""
    _charades(folder, environment)
    for split in ("train", "test"):
        command = [
            *("python", "tools/prepare_dataset.py", "--source=charades", "--boxes=none"),
            *("--videos=Charades_v1_480", f"--annotations=Charades/Charades_v1_{split}.csv"),
            *("--output=data/charades", "--num_shards=2"),
        ]
        _run(command, folder, environment)


def _something(folder: str, environment: dict[str, str]) -> None:
    """Both versions of Something-Something, and boxes of Something-Else."""
    first = os.path.join(folder, "annotations", "something-something-v1-")
    write(f"{first}labels.csv", "Holding something\nPushing something\n")
    write(f"{first}train.csv", "1;Holding something\n2;Pushing something\n")
    names = [f"{index + 1:05d}.jpg" for index in range(24)]
    for video in ("1", "2"):
        grey_films.write_frames(os.path.join(folder, "20bn-something-something-v1", video), names)
    second = os.path.join(folder, "annotations")
    write(f"{second}/labels.json", json.dumps({"Holding something": "0", "Pushing it": "1"}))
    entry = {"id": "7", "label": "holding a cup", "template": "Holding [something]"}
    write(f"{second}/train.json", json.dumps([{**entry, "placeholders": ["a cup"]}]))
    grey_films.write_film(os.path.join(folder, "20bn-something-something-v2", "7.webm"), 24, 12)
    box = {"box2d": {"x1": 10, "y1": 10, "x2": 40, "y2": 30}, "category": "cup",
           "standard_category": "0000"}  # fmt: skip
    frame = {"name": "7/0001.jpg", "labels": [box], "nr_instances": 1, "gt_placeholders": ["cup"]}
    write(os.path.join(folder, "bounding_box_smthsmth_part1.json"), json.dumps({"7": [frame]}))


def _kinetics(folder: str, environment: dict[str, str]) -> None:
    film = "---QUuC4vJs_000084_000094"
    grey_films.write_film(os.path.join(folder, "train", "arm wrestling", f"{film}.mp4"), 24, 12)
    with open(os.path.join(folder, "kinetics_400_train.csv"), "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["label", "youtube_id", "time_start", "time_end", "split"])
        table.writerow(["arm wrestling", "---QUuC4vJs", 84, 94, "train"])


PARTS = {
    "mine": _mine,
    "classes": _classes,
    "demo": _demo,
    "charades": _charades,
    "charades_shards": _charades_shards,
    "something": _something,
    "kinetics": _kinetics,
}


def _write_lines(path: str, entries: Sequence[dict]) -> None:
    write(path, "".join(json.dumps(entry) + "\n" for entry in entries))


def _write_film(path: str, film: Film) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(film.mp4)


def _run(command: Sequence[str], folder: str, environment: dict[str, str]) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-6000:]}")
