#include "cli/since.h"

#include "cli/file.h"
#include "cli/output.h"
#include "pure/tile.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum exit_code since_read(const struct invocation *invocation, const struct trust *trust, struct since *out)
{
	const char *path = flag_value(invocation, "since");
	char tiles[PATH_MAX];
	struct stat status;

	*out = (struct since){ 0 };
	if (path == NULL)
		return EXIT_OK;
	enum exit_code code = trust_read_checkpoint(invocation, trust, path, &out->note, &out->checkpoint);
	out->given = code == EXIT_OK;
	const char *slash = strrchr(path, '/');
	int length = slash != NULL ? (int)(slash - path) : 1;
	if (snprintf(out->directory, sizeof out->directory, "%.*s", length, slash != NULL ? path : ".") <
			(int)sizeof out->directory &&
		snprintf(tiles, sizeof tiles, "%s/tile/0", out->directory) < (int)sizeof tiles)
		out->has_tiles = stat(tiles, &status) == 0;
	return code;
}

void since_release(struct since *since)
{
	buffer_release(&since->note);
}

uint64_t since_size(const struct since *since, uint64_t size)
{
	return since->given && since->checkpoint.size <= size ? since->checkpoint.size : 0;
}

void since_leaves(struct since *since, uint64_t first, const uint8_t *hashes, unsigned count)
{
	struct tile_id id = { 0, first / TILE_WIDTH };
	unsigned width = tile_width(id, since->checkpoint.size);
	char path[TILE_PATH_MAX], whole[PATH_MAX];
	struct buffer tile;

	if (!since->given || !since->has_tiles || since->differs || width == 0)
		return;
	buffer_init(&tile, TILE_BYTES);
	tile_path(id, width, path);
	if (snprintf(whole, sizeof whole, "%s/%s", since->directory, path) >= (int)sizeof whole ||
		file_read(whole, &tile) != FILE_OK)
		since->has_tiles = false;
	for (unsigned i = 0; since->has_tiles && i < width && !since->differs; i++) {
		size_t at = (size_t)i * MERKLE_HASH_SIZE;
		if (at + MERKLE_HASH_SIZE > tile.length)
			break;
		since->differs = i >= count || memcmp(tile.data + at, hashes + at, MERKLE_HASH_SIZE) != 0;
		since->different = first + i;
	}
	buffer_release(&tile);
}

uint64_t since_judge(const struct since *since, const struct checkpoint *now, const struct merkle_hash *root,
	struct verdict *verdict)
{
	const struct checkpoint *then = &since->checkpoint;

	if (!since->given)
		return 0;
	if (strcmp(then->origin, now->origin) != 0) {
		verdict_fault(verdict, VERDICT_WHOLE, "the earlier checkpoint is of another log, `%s`", then->origin);
		return 0;
	}
	if (then->size > now->size) {
		verdict_fault(verdict, VERDICT_WHOLE,
			"the log was rolled back: at the earlier checkpoint it had %" PRIu64
			" entries, now it has %" PRIu64,
			then->size, now->size);
		return 0;
	}
	bool continued = then->size == 0 || memcmp(root->bytes, then->root.bytes, MERKLE_HASH_SIZE) == 0;
	if (continued)
		printf("  %-*s the first %" PRIu64 " entries are as they were signed\n", OUTPUT_KEY_WIDTH, "since",
			then->size);
	if (since->has_tiles && since->differs && (!continued || verdict->faults > 0))
		verdict_fault_exact(verdict, since->different,
			"%sentry %" PRIu64 " is not the one that was there at the earlier checkpoint of %" PRIu64
			" entries",
			continued ? "" : "another history (a fork): ", since->different, then->size);
	else if (!continued)
		verdict_fault(verdict, VERDICT_WHOLE,
			"another history (a fork): something changed between size 0 and size %" PRIu64
			", that of the earlier checkpoint",
			then->size);
	return continued ? then->size : 0;
}
