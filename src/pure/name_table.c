#include "pure/name_table.h"

#include "base/memory.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

struct name_slot {
	const char *name; /* NULL: free */
	const void *thing;
};

void name_table_init(struct name_table *table)
{
	*table = (struct name_table){ .slots = NULL };
}

void name_table_release(struct name_table *table)
{
	mem_free(table->slots);
	name_table_init(table);
}

static uint64_t hash_name(const char *name)
{
	uint64_t hash = UINT64_C(14695981039346656037);
	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * UINT64_C(1099511628211);
	return hash ^ hash >> 32;
}

/* Where the name is, or would be put. There is always a free slot. */
static struct name_slot *find_slot(const struct name_table *table, const char *name)
{
	size_t mask = table->capacity - 1;
	size_t at = (size_t)hash_name(name) & mask;
	while (table->slots[at].name != NULL && strcmp(table->slots[at].name, name) != 0)
		at = (at + 1) & mask;
	return &table->slots[at];
}

static void grow(struct name_table *table)
{
	struct name_table old = *table;
	table->capacity = old.capacity > 0 ? old.capacity * 2 : 16;
	table->slots = mem_calloc(table->capacity, sizeof *table->slots);
	for (size_t i = 0; i < old.capacity; i++) {
		if (old.slots[i].name != NULL)
			*find_slot(table, old.slots[i].name) = old.slots[i];
	}
	mem_free(old.slots);
}

bool name_table_add(struct name_table *table, const char *name, const void *thing)
{
	assert(thing != NULL);
	if (table->count >= table->capacity / 2)
		grow(table);
	struct name_slot *slot = find_slot(table, name);
	if (slot->name != NULL)
		return false;
	*slot = (struct name_slot){ .name = name, .thing = thing };
	table->count++;
	return true;
}

const void *name_table_find(const struct name_table *table, const char *name)
{
	return table->count > 0 ? find_slot(table, name)->thing : NULL;
}
