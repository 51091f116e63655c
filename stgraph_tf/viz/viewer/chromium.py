"""Opens pages in Debian's headless Chromium, for tests and screenshots.

Nothing else needs it: a page that `page` made opens in any browser.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextlib.contextmanager
def launched() -> Iterator[Any]:
    """Starts a browser, and closes it at the end of the block.

    Yields:
        A `playwright.sync_api.Browser`.

    Raises:
        ValueError: playwright or Chromium is not installed.
    """
    try:
        from playwright import sync_api
    except ImportError as error:
        raise ValueError("playwright is missing: pip install 'playwright>=1.50'") from error
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        raise ValueError(
            "Chromium is missing: apt-get install --no-install-recommends chromium, "
            f"or put one of {', '.join(_NAMES)} on the PATH"
        )
    # Chromium's sandbox refuses to run as root, as in containers.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        try:
            yield browser
        finally:
            browser.close()
