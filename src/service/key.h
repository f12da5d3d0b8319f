#ifndef NEEDTOKNOW_SERVICE_KEY_H
#define NEEDTOKNOW_SERVICE_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Who may travel together, and whose reading is out of date. A call declares keys: shared for what it has read,
 * exclusive for what it writes, added for what it adds to without having read what others added. Two calls with the
 * same key ride the same train when both share it or both add to it; and a call that read before a train that wrote or
 * added to one of its keys (here, or in another worker, which publishes the keys that it wrote) reads again, unless it
 * only adds. Keys are keyed 8-byte hashes: a collision costs a second reading and nothing else.
 */
enum key_kind {
	KEY_SUBJECT,
	KEY_SUBJECT_SHARES, /* which disclosures it has */
	KEY_RECIPIENT,
	KEY_BOOKING, /* which disclosures it has */
	KEY_DISCLOSURE,
	KEY_RELEASE, /* disclosure and release: who sends it */
	KEY_REQUEST, /* caller and request id */
	KEY_POLICY, /* which policy is in force */
	KEY_PRUNING, /* how far bodies may go */
	KEY_VERIFIER, /* which keys sign the ledger */
};

enum key_mode {
	KEY_SHARED,
	KEY_ADDED,
	KEY_EXCLUSIVE
};

struct key {
	uint64_t hash;
	enum key_mode mode;
};

struct key_table;

/* `secret`: 32 bytes, the same in all workers. */
struct key_table *key_table_new(const uint8_t secret[32]);
void key_table_free(struct key_table *table);

uint64_t key_hash(const struct key_table *table, enum key_kind kind, const void *id, size_t length);

/* May a call with these keys, read after train `read_train`, board the train that is being formed? */
enum key_answer {
	KEYS_FREE,
	KEYS_TAKEN,
	KEYS_STALE
};
enum key_answer key_table_ask(const struct key_table *table, const struct key *keys, size_t count, uint64_t read_train);
/* It boards. */
void key_table_board(struct key_table *table, const struct key *keys, size_t count);
/* The train that was being formed departs as number `train`: what it wrote is newer than every reading that began
 * before it. */
void key_table_depart(struct key_table *table, uint64_t train);
/* Nobody departs: all that boarded is ashore again. */
void key_table_disembark(struct key_table *table);
/* Another worker's train wrote this key. */
void key_table_foreign(struct key_table *table, uint64_t hash, uint64_t train);
/* No call ashore or aboard has read before `oldest`: what was written earlier is forgotten. */
void key_table_forget(struct key_table *table, uint64_t oldest);

/* Keys that are remembered. */
size_t key_table_size(const struct key_table *table);

/* The keys aboard that are not only shared, 8 bytes each, big-endian; for the other workers. Valid until the table
 * changes. */
const uint8_t *key_table_written(struct key_table *table, size_t *length);

#endif
