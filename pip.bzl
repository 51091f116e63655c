"""Packages from requirements.lock, which MODULE.bazel makes targets of."""

# Without bzlmod there is no such hub: what the first python3 on PATH has installed serves then.
_BZLMOD = str(Label("//:pip.bzl")).startswith("@@")

def pip(*names):
    """Labels of packages.

    Args:
        *names: as the hub spells them, in lower case with underscores.

    Returns:
        What to add to `deps`.
    """
    return ["@pypi//" + name for name in names] if _BZLMOD else []
