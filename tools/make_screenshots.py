"""Makes the pictures of the viewer that stand in the documentation.

    python tools/make_screenshots.py --output docs/pictures

writes `viewer.png`, as on a desk, and `viewer_phone.png`, from the small example in
`docs/examples/viewer.json`. It needs Chromium and the package playwright.

    python tools/make_screenshots.py --report film.html --example viewer.json --output pictures

first makes the example from a page that `tools/predict.py --report` wrote.
"""

import io
import os
from collections.abc import Sequence

from absl import flags

from stgraph_tf import program

_OUTPUT = flags.DEFINE_string("output", None, "Folder of the pictures.", required=True)
_EXAMPLE = flags.DEFINE_string(
    "example",
    os.path.join(os.path.dirname(__file__), "../docs/examples/viewer.json"),
    "What the page shows: title, description and data of a page.",
)
_REPORT = flags.DEFINE_string(
    "report", None, "A page of predict.py, whose content is written to --example first."
)
_FRAME = flags.DEFINE_integer("frame", 4, "Feature frame with the chosen box, from 1.", 1)
_BOX = flags.DEFINE_integer("box", 2, "The chosen box of that frame, from 1.", 1)
_DARK = flags.DEFINE_bool("dark", False, "As in the dark.")

# Width, height and pixels to a pixel of the page.
_SCREENS = {"viewer.png": (1240, 1000, 1.25), "viewer_phone.png": (390, 844, 1.5)}


def main(argv: Sequence[str]) -> None:
    if len(argv) > 1:
        raise ValueError(f"unexpected argument {argv[1]!r}: every argument is a --flag")

    from stgraph_tf import files
    from stgraph_tf.viz.viewer import chromium, document

    if _REPORT.value:
        with open(_REPORT.value, encoding="utf-8") as file:
            example = document.content(file.read())
        with files.atomic_writer(_EXAMPLE.value) as file:
            file.write(document.as_json(example) + "\n")
    text = document.from_content(files.read_json(_EXAMPLE.value))
    with chromium.launched() as browser:
        for name, (width, height, scale) in _SCREENS.items():
            context = browser.new_context(
                viewport={"width": width, "height": height},
                device_scale_factor=scale,
                color_scheme="dark" if _DARK.value else "light",
            )
            png = _screenshot(context.new_page(), text)
            with files.atomic_writer(os.path.join(_OUTPUT.value, name), "wb") as file:
                file.write(png)
            print(f"{os.path.join(_OUTPUT.value, name)}: {len(png):,} bytes")


def _screenshot(tab, text: str) -> bytes:
    """The page with a box chosen, as PNG of few colours."""
    from PIL import Image

    tab.set_content(text)
    tab.wait_for_selector("body[data-ready]")
    frames, box = tab.locator("#timeline button"), tab.locator(".box").nth(_BOX.value - 1)
    if _FRAME.value > frames.count():
        raise ValueError(f"--frame must be at most {frames.count()}, received {_FRAME.value}")
    frames.nth(_FRAME.value - 1).click()
    if not box.is_visible():
        raise ValueError(f"frame {_FRAME.value} has no box {_BOX.value}")
    box.dispatch_event("click")
    image = Image.open(io.BytesIO(tab.screenshot())).convert("RGB")
    buffer = io.BytesIO()
    image.quantize(256, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


if __name__ == "__main__":
    program.run(main)
