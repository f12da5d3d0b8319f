#ifndef NEEDTOKNOW_PURE_NAME_TABLE_H
#define NEEDTOKNOW_PURE_NAME_TABLE_H

#include <stdbool.h>
#include <stddef.h>

/* Names to things, by hash (FNV-1a, open addressing). Neither is copied: both live at least as long as the table. */
struct name_table {
	struct name_slot *slots; /* a power of two of them; NULL while empty */
	size_t capacity;
	size_t count;
};

void name_table_init(struct name_table *table);
void name_table_release(struct name_table *table);

/* false when the name is there already; then nothing has changed. `thing` is not NULL. */
bool name_table_add(struct name_table *table, const char *name, const void *thing);
/* NULL when there is none of that name. */
const void *name_table_find(const struct name_table *table, const char *name);

#endif
