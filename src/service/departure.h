#ifndef NEEDTOKNOW_SERVICE_DEPARTURE_H
#define NEEDTOKNOW_SERVICE_DEPARTURE_H

#include "io/database.h"
#include "pure/merkle.h"
#include "service/column.h"

#include <needtoknow/v1/ledger.pb-c.h>

/*
 * What one train carries: the entries, packed and hashed as they are added, and the rows, a column array a statement.
 * Loaded by the calls' board() functions under the ledger's lock.
 */
struct departure;

/* In the order in which it is written. One statement each, in src/sql/train.sql. */
enum write_kind {
	WRITE_SUBJECT_KEY,
	WRITE_RECIPIENT,
	WRITE_RECIPIENT_SUSPENDED, /* or resumed */
	WRITE_DEVICE, /* known from now on */
	WRITE_DEVICE_REVOKED, /* nothing is due to it any more */
	WRITE_DEVICE_CLEARED, /* it has been ordered to delete all that it was sent */
	WRITE_EVERY_DEVICE, /* the recipient's deliver_to has changed to that */
	WRITE_ANY_DEVICE,
	WRITE_POLICY,
	WRITE_POLICY_ACTIVATION,
	WRITE_DISCLOSURE,
	WRITE_DISCLOSURE_END,
	WRITE_DISCLOSURE_MOVED,
	WRITE_DISCLOSURE_WITHHOLD,
	WRITE_DUE,
	WRITE_DUE_GONE, /* exactly these: a release that somebody else has claimed breaks the train */
	WRITE_DUE_TAKEN, /* of these, what is there */
	WRITE_DUE_ENDED, /* of these, what is still there, for whichever device */
	WRITE_DUE_MOVED, /* of these, what is still there is due at another time */
	WRITE_DUE_LOST, /* of this recipient and disclosure, wherever it is */
	WRITE_SENT,
	WRITE_SENT_REPEATED,
	WRITE_SENT_ACKNOWLEDGED,
	WRITE_SENT_FREED,
	WRITE_SENT_REOPENED, /* what was sent last of a release is due again */
	WRITE_SENT_CORRECTED, /* the same of one sending */
	WRITE_SENT_LEFT, /* by a device that was revoked: free for the others, or over where it was for that device */
	WRITE_SENT_CLOSED,
	WRITE_WITHDRAWAL,
	WRITE_DELETION_CONFIRMED,
	WRITE_ENTRY_REFERENCE,
	WRITE_REQUEST,
	WRITE_REQUEST_MORE, /* what it did besides, in a later train */
	WRITE_RIGHT, /* holds from now on; a line of right_in_force */
	WRITE_RIGHT_LIFTED,
	WRITE_RIGHT_UPHELD,
	WRITE_RIGHT_CONTACTS_READ,
	WRITE_RIGHT_CONTACTS_CHANGED, /* of all that the subject said: they are to be read again */
	WRITE_SUPPRESSION,
	WRITE_SUPPRESSION_LIFTED,
	WRITE_RIGHTS_REQUEST,
	WRITE_RIGHTS_REQUEST_STATE,
	WRITE_RIGHTS_REQUEST_EXTENDED,
	WRITE_RESTRICTION_NOTICE,
	WRITE_ERASURE,
	WRITE_ERASURE_STATE,
	WRITE_SUBJECT_KEY_DESTROYED,
	WRITE_ERASURE_COLUMN,
	WRITE_COLUMN_SWEEP, /* these columns are to be erased: the company is asked until it answers */
	WRITE_COLUMNS_SWEPT,
	WRITE_VERIFIER_KEY,
	WRITE_PRUNED,
	WRITE_RECIPIENT_SLICE, /* made by departure_send() from the entries */
	WRITE_KINDS,
};

/* What was recorded, to be told after the commit. */
struct recorded {
	uint64_t index;
	struct merkle_hash leaf;
	int64_t at;
};

struct departure *departure_new(void);
void departure_free(struct departure *departure);

/* Empty, behind this frontier, at this time. */
void departure_begin(struct departure *departure, const struct merkle_frontier *head, int64_t now);
/* Wipes rows and bodies. */
void departure_clear(struct departure *departure);

/* The train's time: of the database's clock, never before an earlier entry's. */
int64_t departure_now(const struct departure *departure);

/* Adds an entry; its recorded_at is set here. */
struct recorded departure_entry(struct departure *departure, Needtoknow__V1__LedgerEntry *entry);
/* Adds a row. */
void departure_write(struct departure *departure, enum write_kind kind, const struct cell *cells);

size_t departure_entries(const struct departure *departure);
uint64_t departure_first_index(const struct departure *departure);
const struct merkle_frontier *departure_frontier(const struct departure *departure);
/* An entry of this kind is in it. */
bool departure_carries(const struct departure *departure, Needtoknow__V1__EntryKind kind);

/* Adds the statements of all that was loaded to the open segment: rows, entries, the head. Returns how many. */
int departure_send(struct departure *departure, struct database *database, const uint8_t train_id[16]);

#endif
