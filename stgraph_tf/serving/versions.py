"""Versions of an exported model: `DIR/1`, `DIR/2`, ..., of which a server takes the highest."""

import os

import tensorflow as tf


def path_of(output: str, version: int) -> str:
    """The folder of a version."""
    return os.path.join(output, str(version))


def numbers(output: str) -> list[int]:
    """The versions in a folder, rising; none where the folder does not exist."""
    if not tf.io.gfile.isdir(output):
        return []
    names = [name.rstrip("/") for name in tf.io.gfile.listdir(output)]
    return sorted(int(name) for name in names if name.isascii() and name.isdecimal())


def unused(output: str, version: int | None = None) -> int:
    """The version to publish as: `version`, or the one after the highest, 1 if there is none.

    Raises:
        ValueError: `version` exists.
    """
    if version is None:
        return max(numbers(output), default=0) + 1
    if tf.io.gfile.exists(path_of(output, version)):
        raise ValueError(f"{path_of(output, version)} exists; a published version is never changed")
    return version


def find(path: str) -> str:
    """The SavedModel that `path` means: itself, or the newest version in it.

    Raises:
        ValueError: there is neither.
    """
    if not tf.io.gfile.exists(path):
        raise ValueError(f"{path} does not exist")
    for folder in (path, *(path_of(path, number) for number in reversed(numbers(path)))):
        if tf.io.gfile.exists(os.path.join(folder, "saved_model.pb")):
            return folder
    raise ValueError(f"{path} is no SavedModel, nor a folder with versions of one")
