"""No text becomes markup."""

from absl.testing import absltest

from stgraph_tf.viz.markup import element, join, name


class MarkupTest(absltest.TestCase):
    def test_texts_and_attributes_are_escaped(self):
        made = element("p", "a < b & c", title='"<x>"')
        self.assertEqual(made, '<p title="&quot;&lt;x&gt;&quot;">a &lt; b &amp; c</p>')

    def test_elements_inside_elements_are_not_escaped_again(self):
        made = element("p", element("b", "<"), ">")
        self.assertEqual(made, "<p><b>&lt;</b>&gt;</p>")

    def test_attributes(self):
        made = element("i", class_="a", aria_hidden="true", x=1 / 3, hidden=True, id=None, y=False)
        self.assertEqual(made, '<i class="a" aria-hidden="true" x="0.33333" hidden></i>')

    def test_elements_without_content_are_not_closed(self):
        self.assertEqual(element("img", alt=""), '<img alt="">')

    def test_control_characters_become_spaces(self):
        self.assertEqual(element("p", "a\x00b\x1bc"), "<p>a b c</p>")

    def test_none_is_left_out(self):
        self.assertEqual(join("a", None, "b"), "ab")

    def test_names_may_be_broken_and_are_escaped(self):
        self.assertEqual(name("put_<b>"), "put_<wbr>&lt;b&gt;")


if __name__ == "__main__":
    absltest.main()
