#ifndef NEEDTOKNOW_PURE_TEXT_LINE_H
#define NEEDTOKNOW_PURE_TEXT_LINE_H

#include <stddef.h>
#include <stdint.h>

/* What the text formats of a log (notes, checkpoints, proofs) are made of: lines that end with a line feed. */
struct text_line {
	const char *text; /* not NUL-terminated */
	size_t length; /* without the line feed */
};

/* The line at *at, *at past it and its line feed. 0, or -1: there is no line feed before `end`. */
int text_line_next(const char **at, const char *end, struct text_line *out);

/* ASCII digits without a leading zero. 0, or -1: not so, or above 2^64 - 1. */
int text_decimal(const char *text, size_t length, uint64_t *out);

#endif
