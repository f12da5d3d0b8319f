"""A page for clients, as a browser would read it, and what no such page may hold."""

from html.parser import HTMLParser

VOID = {"meta", "br", "hr"}
ALLOWED = {"html", "head", "meta", "title", "style", "body", "main", "section", "h1", "h2", "h3", "p", "dl", "dt", "dd", "ul", "li",
           "table", "caption", "thead", "tbody", "tr", "th", "td", "strong", "time", "pre", "code"}
ATTRIBUTES = {"lang", "charset", "http-equiv", "content", "name", "class", "scope", "rowspan", "colspan", "datetime"}


class Page(HTMLParser):
    """Asserts that the page is whole and loads nothing; keeps its tables, headings and text."""

    def __init__(self, source):
        super().__init__(convert_charrefs=True)
        self.open, self.text, self.language = [], "", None
        self.tables, self.headings, self.commands = [], [], []
        self.feed(source)
        self.close()
        assert not self.open, f"not closed: {self.open}"
        assert [level for level, _ in self.headings][0] == 1 and [level for level, _ in self.headings].count(1) == 1
        for (above, _), (level, text) in zip(self.headings, self.headings[1:]):
            assert level <= above + 1, f"the heading {text!r} skips a level"
        self.text = " ".join(self.text.split())

    def handle_decl(self, declaration):
        assert declaration == "DOCTYPE html" and not self.open

    def handle_starttag(self, tag, attributes):
        assert tag in ALLOWED, f"<{tag}>"
        assert {name for name, _ in attributes} <= ATTRIBUTES, attributes
        attributes = dict(attributes)
        if tag == "html":
            self.language = attributes["lang"]
        if tag == "table":
            self.tables.append({"caption": None, "rows": []})
        if tag == "tr":
            self.tables[-1]["rows"].append([])
        if tag in ("td", "th"):
            assert tag == "td" or attributes["scope"] in ("col", "row", "rowgroup")
            self.tables[-1]["rows"][-1].append({"tag": tag, "text": "", "rows": int(attributes.get("rowspan", 1)), "times": []})
        if tag == "time":
            self.tables and self.tables[-1]["rows"] and self.tables[-1]["rows"][-1] and (
                self.tables[-1]["rows"][-1][-1]["times"].append(attributes["datetime"]))
        if tag in ("h1", "h2", "h3"):
            self.headings.append((int(tag[1]), ""))
        if tag == "pre":
            self.commands.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}>"
        if tag == "table":
            assert self.tables[-1]["caption"], "a table without a caption"

    def handle_data(self, data):
        if "style" in self.open:
            assert "url(" not in data and "@import" not in data
            return
        self.text += data + (" " if data.strip() else "")
        if self.open and self.open[-1] in ("h1", "h2", "h3"):
            level, text = self.headings[-1]
            self.headings[-1] = (level, text + data)
        if "caption" in self.open:
            self.tables[-1]["caption"] = (self.tables[-1]["caption"] or "") + data
        elif "td" in self.open or "th" in self.open:
            self.tables[-1]["rows"][-1][-1]["text"] += data
        if "pre" in self.open:
            self.commands[-1] += data

    def grid(self, number):
        """A table's body with what spans rows repeated: lists of cells."""
        rows, pending = [], {}
        for row in self.tables[number]["rows"][1:]:
            cells, given = [], iter(row)
            width = len(self.tables[number]["rows"][0])
            for column in range(width):
                left, cell = pending.get(column, (0, None))
                if left == 0:
                    cell = next(given)
                    left = cell["rows"]
                pending[column] = (left - 1, cell)
                cells.append(cell)
            assert next(given, None) is None, "a row with too many cells"
            rows.append(cells)
        return rows
