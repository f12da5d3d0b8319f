#ifndef NEEDTOKNOW_CLI_WORDS_H
#define NEEDTOKNOW_CLI_WORDS_H

#include <stddef.h>

/* `a,b,c` taken apart; an empty word is left out. */
struct words {
	char **items; /* each a string of its own */
	size_t count;
};

void words_split(struct words *words, const char *text);
void words_release(struct words *words);

#endif
