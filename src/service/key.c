#include "service/key.h"

#include "base/memory.h"
#include "pure/siphash.h"

#include <assert.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

struct key_entry {
	uint64_t hash;
	uint64_t written; /* the last train that wrote it; 0: none that anybody can have missed */
	uint64_t formation; /* of the train being formed, when it is aboard */
	enum key_mode mode; /* aboard: the strongest */
	struct key_entry *prev, *next; /* in the order of `written` */
	UT_hash_handle hh;
};

struct key_table {
	uint8_t sip_key[16];
	uint64_t formation;
	struct key_entry *entries;
	struct key_entry *written; /* oldest first */
	struct key_entry **aboard;
	size_t aboard_count, aboard_size;
	uint8_t *published;
	size_t published_size;
};

struct key_table *key_table_new(const uint8_t secret[32])
{
	struct key_table *table = mem_calloc(1, sizeof *table);
	memcpy(table->sip_key, secret, sizeof table->sip_key);
	table->formation = 1;
	return table;
}

void key_table_free(struct key_table *table)
{
	struct key_entry *entry, *next;
	if (!table)
		return;
	HASH_ITER (hh, table->entries, entry, next) {
		HASH_DEL(table->entries, entry);
		mem_free(entry);
	}
	mem_free(table->aboard);
	mem_free(table->published);
	mem_free(table);
}

uint64_t key_hash(const struct key_table *table, enum key_kind kind, const void *id, size_t length)
{
	/* The kind is mixed in behind the keyed hash: subject "7" and booking "7" are different keys. */
	return siphash(table->sip_key, id, length) ^ (UINT64_C(0x9e3779b97f4a7c15) * ((uint64_t)kind + 1));
}

static struct key_entry *find(const struct key_table *table, uint64_t hash)
{
	struct key_entry *entry;
	HASH_FIND(hh, table->entries, &hash, sizeof hash, entry);
	return entry;
}

static struct key_entry *find_or_add(struct key_table *table, uint64_t hash)
{
	struct key_entry *entry = find(table, hash);
	if (!entry) {
		entry = mem_calloc(1, sizeof *entry);
		entry->hash = hash;
		HASH_ADD(hh, table->entries, hash, sizeof entry->hash, entry);
	}
	return entry;
}

static void drop_if_idle(struct key_table *table, struct key_entry *entry)
{
	if (entry->written || entry->formation == table->formation)
		return;
	HASH_DEL(table->entries, entry);
	mem_free(entry);
}

enum key_answer key_table_ask(const struct key_table *table, const struct key *keys, size_t count, uint64_t read_train)
{
	enum key_answer answer = KEYS_FREE;
	for (size_t i = 0; i < count; i++) {
		const struct key_entry *entry = find(table, keys[i].hash);
		if (!entry)
			continue;
		if (entry->written > read_train && keys[i].mode != KEY_ADDED)
			return KEYS_STALE;
		if (entry->formation == table->formation &&
			(entry->mode != keys[i].mode || keys[i].mode == KEY_EXCLUSIVE))
			answer = KEYS_TAKEN;
	}
	return answer;
}

void key_table_board(struct key_table *table, const struct key *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct key_entry *entry = find_or_add(table, keys[i].hash);
		if (entry->formation != table->formation) {
			entry->formation = table->formation;
			entry->mode = keys[i].mode;
			if (table->aboard_count == table->aboard_size) {
				table->aboard_size = table->aboard_size ? table->aboard_size * 2 : 256;
				table->aboard = mem_realloc(table->aboard, table->aboard_size * sizeof *table->aboard);
			}
			table->aboard[table->aboard_count++] = entry;
		}
		if (entry->mode < keys[i].mode)
			entry->mode = keys[i].mode;
	}
}

static void mark_written(struct key_table *table, struct key_entry *entry, uint64_t train)
{
	if (entry->written)
		DL_DELETE(table->written, entry);
	entry->written = train;
	DL_APPEND(table->written, entry);
}

void key_table_depart(struct key_table *table, uint64_t train)
{
	size_t count = table->aboard_count;
	table->aboard_count = 0;
	table->formation++;
	for (size_t i = 0; i < count; i++) {
		struct key_entry *entry = table->aboard[i];
		if (entry->mode != KEY_SHARED)
			mark_written(table, entry, train);
		else
			drop_if_idle(table, entry);
	}
}

void key_table_disembark(struct key_table *table)
{
	size_t count = table->aboard_count;
	table->aboard_count = 0;
	table->formation++;
	for (size_t i = 0; i < count; i++)
		drop_if_idle(table, table->aboard[i]);
}

void key_table_foreign(struct key_table *table, uint64_t hash, uint64_t train)
{
	mark_written(table, find_or_add(table, hash), train);
}

void key_table_forget(struct key_table *table, uint64_t oldest)
{
	while (table->written && table->written->written <= oldest) {
		struct key_entry *entry = table->written;
		DL_DELETE(table->written, entry);
		entry->written = 0;
		drop_if_idle(table, entry);
	}
}

size_t key_table_size(const struct key_table *table)
{
	return HASH_COUNT(table->entries);
}

const uint8_t *key_table_written(struct key_table *table, size_t *length)
{
	size_t count = 0;
	if (table->published_size < table->aboard_count * 8) {
		table->published_size = table->aboard_size * 8;
		table->published = mem_realloc(table->published, table->published_size);
	}
	for (size_t i = 0; i < table->aboard_count; i++) {
		if (table->aboard[i]->mode == KEY_SHARED)
			continue;
		uint64_t hash = table->aboard[i]->hash;
		for (int byte = 0; byte < 8; byte++)
			table->published[count * 8 + (size_t)byte] = (uint8_t)(hash >> (56 - 8 * byte));
		count++;
	}
	*length = count * 8;
	return table->published;
}
