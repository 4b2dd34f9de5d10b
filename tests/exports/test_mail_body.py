"""A mail says the same in plain text and in HTML, and nothing in it is taken for markup."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from app.exports.mail_body import Block, Heading, Items, Link, Paragraph, Table, html_of, text_of
from app.i18n import Language

EVIL = "<script>alert(1)</script> & \"'"
BLOCKS: list[Block] = [
    Heading("Số hồ sơ"),
    Paragraph(EVIL),
    Items((EVIL, "hai")),
    Link("mở", 'https://x.vn/a?b=1&c="2"'),
    Table(("Mã", "Hạn"), ((("H44-1", EVIL), "https://x.vn/H44-1"), (("H44-2", "mai"), None))),
]


class Reader(HTMLParser):
    """Gathers the texts, the tags and the links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    return reader


def test_both_bodies_hold_the_same_words_and_links() -> None:
    plain = text_of(BLOCKS)
    page = read(html_of(BLOCKS, language=Language.VI, title="t"))

    assert "script" not in page.tags
    assert page.links == ['https://x.vn/a?b=1&c="2"', "https://x.vn/H44-1"]
    assert all(link in plain for link in page.links if link)
    for word in (EVIL, "hai", "H44-1", "H44-2", "mai", "mở"):
        assert word in plain
        assert word in "".join(page.texts)


@given(text=st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=60))
def test_any_text_comes_out_as_it_went_in(text: str) -> None:
    page = read(html_of([Paragraph(text)], language=Language.EN, title="t"))

    assert text in page.texts
