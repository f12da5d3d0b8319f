#include "cli/page_parts.h"

#include "pure/time.h"

/* Readable on paper in black and white: what is the case is said in words, never by a colour alone. */
static const char style[] =
	"@page{size:A4;margin:16mm 14mm}"
	"*{box-sizing:border-box}"
	"body{margin:0 auto;padding:1.5rem;max-width:56rem;font:1rem/1.5 'Liberation Sans',Arial,Helvetica,sans-serif;"
	"color:#1a1a1a;background:#fff}"
	"h1{font-size:1.7rem;line-height:1.25;margin:0 0 1rem}"
	"h2{font-size:1.25rem;margin:2.2rem 0 .6rem;padding-top:.6rem;border-top:2px solid #1a1a1a}"
	"h3{font-size:1.05rem;margin:1.6rem 0 .4rem}"
	"table{border-collapse:collapse;width:100%;margin:.6rem 0 1.2rem;font-size:.92rem}"
	"caption{text-align:left;font-weight:bold;padding:.3rem 0}"
	"th,td{text-align:left;vertical-align:top;padding:.4rem .55rem;border:1px solid #8a8a8a}"
	"thead th{background:#ececec}"
	"tbody th{font-weight:bold;background:#f7f7f7}"
	"tbody th:first-letter,.label:first-letter{text-transform:uppercase}"
	"td p{margin:0 0 .3rem}td p:last-child{margin:0}"
	"dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;margin:.6rem 0}"
	"dt{font-weight:bold}dd{margin:0}"
	"strong.has{color:#17407a}strong.late{color:#a3000b}strong.open{color:#7a4a00}strong.not{color:#155a1e}"
	".small{font-size:.88em;color:#444}"
	"code,pre{font-family:'Liberation Mono','DejaVu Sans Mono',Consolas,monospace;font-size:.85rem}"
	"code{overflow-wrap:anywhere}"
	"pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f4f4f4;border:1px solid #bbb;padding:.6rem}"
	"@media "
	"print{body{padding:0;max-width:none;font-size:10.5pt}h2,h3,caption{break-after:avoid}table{font-size:.87em}"
	"tr,li,dl,pre{break-inside:avoid}thead{display:table-header-group}}";

/* No script and nothing from elsewhere may run in it, even if a text were not escaped. */
void page_begin(const struct page *page, enum phrase title)
{
	fprintf(page->file,
		"<!DOCTYPE html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
		"'unsafe-inline'\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<meta name=\"robots\" content=\"noindex\">\n",
		phrase_text(page->language, PHRASE_LANGUAGE_CODE));
	html_element(page, "title", title, NULL);
	fprintf(page->file, "<style>%s</style>\n</head>\n<body>\n<main>\n", style);
	html_element(page, "h1", title, NULL);
}

void page_fact(const struct page *page, enum phrase name, const char *value)
{
	html_element(page, "dt", name, NULL);
	fputs("<dd>", page->file);
	html_text(page, value);
	fputs("</dd>\n", page->file);
}

void page_end(const struct page *page)
{
	fputs("</main>\n</body>\n</html>\n", page->file);
}

void page_headings(const struct page *page, const enum phrase *headings, size_t count)
{
	fputs("<thead><tr>", page->file);
	for (size_t i = 0; i < count; i++)
		html_element(page, "th scope=\"col\"", headings[i], NULL);
	fputs("</tr></thead>\n", page->file);
}
