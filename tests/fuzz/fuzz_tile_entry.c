/* Entry bundles, from a directory that may be anybody's. */
#include "pure/tile.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void start_anywhere(const uint8_t *data, size_t size, size_t offset)
{
	const size_t start = offset;
	const uint8_t *entry = NULL;
	size_t length = SIZE_MAX;
	if (tile_next_entry(data, size, &offset, &entry, &length) != 0)
		assert(offset == start && entry == NULL && length == SIZE_MAX);
	else
		assert(entry == data + start + 2 && offset == start + 2 + length && offset <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t offset = 0, length, total = 0;
	const uint8_t *entry;
	struct merkle_hash leaf;
	while (tile_next_entry(data, size, &offset, &entry, &length) == 0) {
		total += 2 + length;
		assert(total == offset);
		merkle_leaf(entry, length, &leaf); /* reads every byte */
	}
	assert(offset <= size);

	size_t place = 0;
	memcpy(&place, data, size < sizeof place ? size : sizeof place);
	start_anywhere(data, size, place);
	start_anywhere(data, size, size == 0 ? 0 : place % (size + 2));
	start_anywhere(data, size, SIZE_MAX - place % 4);
	return 0;
}
