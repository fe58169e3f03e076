"""Markdown pages as HTML: what they look like, and that nothing in them is loaded, run or followed."""

import html5lib
import pytest

from usaid.report.html_pages import html_page
from usaid.report.tables.files import make_table, write_table
from usaid.report.tables.render_markdown import escaped, render_markdown, table_line

HOSTILE = (
    '</td><script>alert(1)</script><img src="https://example.org/x"> [a](https://example.org) ![b](c) `d` | *e* _f_ \\'
)


def parsed(page):
    """The tree of a page that is valid HTML."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)


def text_of(element):
    return "".join(element.itertext())


def test_a_table_has_the_papers_layout_and_its_footnotes():
    table = make_table(3, [])
    tree = parsed(html_page(render_markdown(table), "Table III"))
    assert text_of(tree.find(".//title")) == "Table III"
    rows = tree.findall(".//tr")
    assert [text_of(cell) for cell in rows[0]] == ["", "Deep learning", "Semantic-aware", "Segmentation annotation"]
    assert text_of(rows[1]).split() == ["U-SAIDa", "✓", "(✓)", "✓", "(✓)", "✗", "(✗)"]
    assert [element.text for element in tree.findall(".//p/sup")] == [
        letter for letter, _ in table.lettered_footnotes if letter
    ]


def test_marks_of_ranks_and_line_breaks_stay():
    tree = parsed(html_page("**1** <u>2</u> <sup>a,b</sup> x<br>y", "t"))
    assert [element.tag for element in tree.find(".//p")] == ["strong", "u", "sup", "br"]


def test_texts_that_would_break_a_page_are_shown():
    tree = parsed(html_page("\n".join([table_line(["a"]), "| --- |", table_line([escaped(HOSTILE)])]), HOSTILE))
    assert text_of(tree.find(".//td")) == HOSTILE
    assert text_of(tree.find(".//title")) == HOSTILE
    assert tree.find(".//body//script") is None
    assert [*tree.iter("img"), *tree.iter("a")] == []


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "x <script>alert(1)</script>", "<sup onclick=x>a</sup>"])
def test_other_html_than_ours_is_text_even_where_it_was_not_escaped(text):
    tree = html5lib.parse(html_page(text, "t"), namespaceHTMLElements=False)
    assert text.removesuffix("</sup>") in text_of(tree.find(".//body"))
    assert tree.find(".//body//script") is None
    assert not any(element.attrib for element in tree.find(".//body").iter())


def test_a_link_to_a_file_beside_the_markdown_is_its_text():
    tree = parsed(html_page("see [the CSV file](kodak_quality.csv) and <https://example.org>", "t"))
    assert [*tree.iter("a")] == []
    assert "see the CSV file and" in text_of(tree.find(".//p"))


def test_a_table_is_written_with_its_page(tmp_path):
    write_table("3", [], tmp_path)
    page = (tmp_path / "table_3.html").read_text(encoding="utf-8")
    assert page == html_page((tmp_path / "table_3.md").read_text(encoding="utf-8"), "Table III")
