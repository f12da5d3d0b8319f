#include "pure/nearest.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#define LONGEST 64 /* longer names are compared by their first bytes */

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Three rows of the usual table: this one, the one before and, for swaps, the one before that. */
static size_t distance(const char *a, const char *b)
{
	size_t a_length = strnlen(a, LONGEST);
	size_t b_length = strnlen(b, LONGEST);
	size_t rows[3][LONGEST + 1];
	size_t *above = rows[0], *row = rows[1], *two_above = rows[2];

	for (size_t j = 0; j <= b_length; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		size_t *spare = two_above;
		two_above = above;
		above = row;
		row = spare;
		row[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			size_t change = above[j - 1] + (a[i - 1] != b[j - 1]);
			row[j] = smaller(change, smaller(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = smaller(row[j], two_above[j - 2] + 1);
		}
	}
	return row[b_length];
}

void nearest_init(struct nearest *nearest, const char *wanted)
{
	*nearest = (struct nearest){ .wanted = wanted, .best = NULL, .distance = SIZE_MAX };
}

void nearest_try(struct nearest *nearest, const char *known)
{
	/* Only the case is wrong: nothing can be nearer. */
	size_t slips = strcasecmp(nearest->wanted, known) == 0 ? 0 : distance(nearest->wanted, known);
	size_t longer = strlen(nearest->wanted) > strlen(known) ? strlen(nearest->wanted) : strlen(known);
	if (slips > (longer + 1) / 3 || slips >= longer || slips >= nearest->distance)
		return;
	nearest->best = known;
	nearest->distance = slips;
}
