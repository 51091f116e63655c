"""Tables of pairs of classes."""

from collections.abc import Sequence

from stgraph_tf.viz.markup import Markup, element, name


def pair_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, nothing: str) -> Markup:
    """A table whose first two columns are classes, and whose others are numbers.

    Args:
        head: names of the columns.
        rows: what stands in them.
        nothing: the sentence that stands for a table without rows.
    """
    if not rows:
        return element("p", nothing)
    body = [
        element(
            "tr",
            element("th", name(row[0]), scope="row"),
            element("td", name(row[1]), class_="name"),
            *(element("td", cell) for cell in row[2:]),
        )
        for row in rows
    ]
    table = element(
        "table",
        element("thead", element("tr", *(element("th", title, scope="col") for title in head))),
        element("tbody", *body),
        class_="pairs",
    )
    return element("div", table, class_="scroll", tabindex=0, role="group", aria_label="Table")
