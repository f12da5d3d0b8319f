#include "cli/words.h"

#include "base/memory.h"

#include <string.h>

void words_split(struct words *words, const char *text)
{
	words->items = mem_calloc(strlen(text) / 2 + 1, sizeof *words->items);
	words->count = 0;
	while (*text != '\0') {
		size_t length = strcspn(text, ",");
		if (length > 0)
			words->items[words->count++] = mem_strndup(text, length);
		text += length;
		text += *text == ',';
	}
}

void words_release(struct words *words)
{
	for (size_t i = 0; i < words->count; i++)
		mem_free(words->items[i]);
	mem_free(words->items);
	words->items = NULL;
	words->count = 0;
}
