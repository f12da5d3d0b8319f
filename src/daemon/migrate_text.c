#include "daemon/migrate_text.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* How long is the string, identifier, comment or dollar-quoted body that begins here? What has no end goes to the
 * text's end. */

static size_t to_end_of(const char *from, const char *end)
{
	const char *found = strstr(from, end);
	return found ? (size_t)(found - from) + strlen(end) : strlen(from);
}

static size_t quoted_span(const char *text, bool backslashes)
{
	char quote = text[0]; /* a doubled one is read as two neighbours, which comes to the same */
	size_t at = 1;
	while (text[at] && text[at] != quote)
		at += backslashes && text[at] == '\\' && text[at + 1] ? 2 : 1;
	return text[at] ? at + 1 : at;
}

static size_t block_comment_span(const char *text)
{
	size_t at = 2;
	for (int depth = 1; text[at] && depth > 0;) {
		bool opens = strncmp(text + at, "/*", 2) == 0;
		bool closes = strncmp(text + at, "*/", 2) == 0;
		depth += opens - closes;
		at += opens || closes ? 2 : 1;
	}
	return at;
}

static size_t dollar_span(const char *text)
{
	char tag[64];
	size_t length = 1;
	while (isalnum((unsigned char)text[length]) || text[length] == '_')
		length++;
	if (text[length] != '$' || isdigit((unsigned char)text[1]) || length + 2 > sizeof tag)
		return 1; /* a parameter, or nothing special */
	snprintf(tag, sizeof tag, "%.*s", (int)(length + 1), text);
	return length + 1 + to_end_of(text + length + 1, tag);
}

static bool in_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$';
}

static size_t opaque_span(const char *start, const char *text)
{
	if (strncmp(text, "--", 2) == 0)
		return to_end_of(text, "\n");
	if (strncmp(text, "/*", 2) == 0)
		return block_comment_span(text);
	if (*text == '"')
		return quoted_span(text, false);
	if (*text == '\'') {
		bool escapes = text > start && (text[-1] == 'E' || text[-1] == 'e') &&
			!(text > start + 1 && in_word(text[-2]));
		return quoted_span(text, escapes);
	}
	if (*text == '$' && !(text > start && in_word(text[-1])))
		return dollar_span(text);
	if (strncmp(text, "::", 2) == 0)
		return 2;
	return 0;
}

static const struct placeholder *find(
	const char *name, size_t length, const struct placeholder *placeholders, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strlen(placeholders[i].name) == length && strncmp(placeholders[i].name, name, length) == 0)
			return &placeholders[i];
	}
	return NULL;
}

static int line_of(const char *start, const char *text)
{
	int line = 1;
	for (; start < text; start++)
		line += *start == '\n';
	return line;
}

int migrate_substitute(const char *text, const struct placeholder *placeholders, size_t count, struct buffer *out,
	char *error, size_t error_size)
{
	const char *start = text;
	int full = 0;
	while (*text) {
		size_t span = opaque_span(start, text);
		if (span == 0 && strncmp(text, ":\"", 2) == 0) {
			size_t length = strcspn(text + 2, "\"");
			const struct placeholder *placeholder = find(text + 2, length, placeholders, count);
			if (!placeholder) {
				snprintf(error, error_size, "line %d: :\"%.*s\" is no placeholder that is known here",
					line_of(start, text), (int)length, text + 2);
				return -1;
			}
			full |= buffer_append(out, placeholder->quoted, strlen(placeholder->quoted));
			text += length + 3;
		} else {
			span = span ? span : 1;
			full |= buffer_append(out, text, span);
			text += span;
		}
	}
	full |= buffer_append(out, "", 1);
	if (full)
		snprintf(error, error_size, "it is too large");
	return full ? -1 : 0;
}
