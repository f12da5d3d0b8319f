#include "cli/csv_read.h"

#include "pure/identifier.h"

#include <string.h>

#define BYTE_ORDER_MARK "\xEF\xBB\xBF"

const char *csv_reader_init(struct csv_reader *reader, char *text, size_t length)
{
	const size_t mark = sizeof BYTE_ORDER_MARK - 1;

	if (!utf8_valid(text, length))
		return "it is not in UTF-8: save it as CSV UTF-8";
	if (memchr(text, '\0', length) != NULL)
		return "it is no text: it holds a NUL";
	if (length >= mark && memcmp(text, BYTE_ORDER_MARK, mark) == 0) {
		text += mark;
		length -= mark;
	}
	*reader = (struct csv_reader){ .at = text, .end = text + length, .line = 1, .separator = ',' };
	*reader->end = '\0';
	size_t first = strcspn(text, "\r\n");
	if (memchr(text, ';', first) != NULL && memchr(text, ',', first) == NULL)
		reader->separator = ';';
	return NULL;
}

/* Where a line may end: at LF, CR LF or the end of the text. How many bytes that takes, 0: it goes on. */
static bool ends_here(const struct csv_reader *reader, size_t *length)
{
	*length = 0;
	if (reader->at == reader->end)
		return true;
	if (reader->at[0] == '\n')
		*length = 1;
	else if (reader->at[0] == '\r' && reader->at[1] == '\n')
		*length = 2;
	return *length > 0;
}

/* The text between quotes, which shrinks to what it says: `*end` is behind its last byte. */
static const char *read_quoted(struct csv_reader *reader, char **end)
{
	char *out = ++reader->at;

	for (; reader->at < reader->end; reader->at++) {
		if (reader->at[0] == '"' && reader->at[1] != '"')
			break;
		reader->at += reader->at[0] == '"';
		reader->line += reader->at[0] == '\n';
		*out++ = reader->at[0];
	}
	if (reader->at == reader->end)
		return "a quote is opened and never closed";
	reader->at++;
	*end = out;
	return NULL;
}

static const char *read_plain(struct csv_reader *reader, char **end)
{
	size_t length;

	while (!ends_here(reader, &length) && reader->at[0] != reader->separator) {
		if (reader->at[0] == '"')
			return "a quote stands in a cell that has none around it: write \"\" for it, and quotes around "
			       "all";
		reader->at++;
	}
	*end = reader->at;
	return NULL;
}

const char *csv_read(struct csv_reader *reader, struct csv_row *row)
{
	size_t length;

	row->count = 0;
	while (reader->at < reader->end && ends_here(reader, &length)) {
		reader->at += length;
		reader->line++;
	}
	row->line = reader->line;
	if (reader->at == reader->end)
		return NULL;
	for (;;) {
		bool quoted = reader->at[0] == '"';
		char *text = reader->at + quoted, *end = text;
		if (row->count == CSV_CELLS_MAX)
			return "it has too many cells";
		const char *wrong = (quoted ? read_quoted : read_plain)(reader, &end);
		if (wrong != NULL)
			return wrong;
		bool over = ends_here(reader, &length);
		if (!over && reader->at[0] != reader->separator)
			return "something follows a closing quote";
		row->cells[row->count] = text;
		row->quoted[row->count++] = quoted;
		reader->at += over ? length : 1;
		*end = '\0'; /* behind the separator or the quote, which has been read */
		if (!over)
			continue;
		reader->line += length > 0;
		return NULL;
	}
}
