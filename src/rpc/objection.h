#ifndef NEEDTOKNOW_RPC_OBJECTION_H
#define NEEDTOKNOW_RPC_OBJECTION_H

#include "rpc/asked.h"
#include "service/suppression.h"

#include <needtoknow/v1/audit.pb-c.h>

/* What holds of a subject's objections (GDPR art. 21) and withdrawn consents (art. 7(3)), and what it bars. */

/* As needtoknow.right_in_force has them. */
enum {
	RIGHT_OBJECTION = 3,
	RIGHT_CONSENT_WITHDRAWN = 4
};

struct objection {
	int kind;
	const char *purpose; /* "": all that may be objected to */
	int64_t raised_at;
	bool upheld; /* weighed, and it stands */
};

struct objections {
	size_t count, size;
	struct objection *all; /* by kind and purpose */
	/* Requests that wait for this purpose's objection to be weighed. */
	size_t open_count, open_size;
	uint8_t (*open)[16];
};

/* Reads them, and the requests about `purpose`; in when call->awaited is 0. */
void objections_ask(struct call *call, const char *subject_id, const char *purpose, struct objections *out);
const struct objection *objections_find(const struct objections *objections, int kind, const char *purpose);
/* In the train: those requests are answered. */
void objections_weighed(struct departure *departure, const struct objections *objections);

/* On what the policies that are in use have a purpose rest. Bits. */
enum purpose_basis {
	BASIS_CONSENT = 1, /* art. 7(3) */
	BASIS_MARKETING = 2, /* art. 21(2), (3), whatever its legal basis */
	BASIS_WEIGHED = 4, /* art. 21(1): legitimate interest, public task */
	BASIS_BINDING = 8, /* a contract, a legal obligation, a vital interest: there is no right to object */
};
/* 0: no service is for that purpose. "": all purposes. */
unsigned purpose_bases(const struct call *call, const char *purpose);

/* In the train: an entry of this kind about that right; its purpose is shown, and of a consent the legal basis. */
struct recorded objection_entry(struct call *call, struct departure *departure, struct asked *asked,
	Needtoknow__V1__EntryKind kind, Needtoknow__V1__Reason reason, int right, const char *purpose,
	const char *remark);
/* The same of a right that is raised, and its row. */
struct recorded objection_raise(struct call *call, struct departure *departure, struct asked *asked,
	Needtoknow__V1__Reason reason, int right, const char *purpose, const char *remark);

/*
 * A client who comes back (Register): what was said under one of their contacts holds for their new number. In the
 * train, after the entry that registers them. `recorded` has room for suppressed->count, in the same order. The
 * suppression of their contacts is taken over from whoever had it, in its time.
 */
void objections_carry_over(struct call *call, struct departure *departure, struct asked *asked,
	const struct suppressed *suppressed, struct recorded *recorded);
/* For the answer, in the call's arena; NULL when the call has failed. */
Needtoknow__V1__ReportedRight **objections_carried_over(
	struct call *call, const struct suppressed *suppressed, int64_t raised_at);

#endif
