#include "cli/show.h"

#include "cli/output.h"

#include <inttypes.h>

static enum style state_style(int state)
{
	switch (state) {
	case NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_ACTIVE:
		return STYLE_GOOD;
	case NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_RESTRICTED:
		return STYLE_WARNING;
	default:
		return STYLE_BAD;
	}
}

void show_releases(Needtoknow__V1__Release *const *releases, size_t count)
{
	char due[OUTPUT_TIME_MAX];

	for (size_t i = 0; i < count; i++) {
		const Needtoknow__V1__Release *release = releases[i];
		printf("  %s%-12s%s ", output_style(stdout, STYLE_DIM), i == 0 ? "releases" : "",
			output_style(stdout, STYLE_PLAIN));
		output_text(stdout, release->name);
		printf(", due %s", output_time(release->due_at, due));
		if (release->state != NEEDTOKNOW__V1__RELEASE_STATE__RELEASE_STATE_UNSPECIFIED)
			printf(", %s", output_enum(&needtoknow__v1__release_state__descriptor, (int)release->state));
		for (size_t field = 0; field < release->n_fields; field++) {
			fputs(field == 0 ? ": " : ", ", stdout);
			output_text(stdout, release->fields[field]);
		}
		putchar('\n');
	}
}

void show_receipt(const Needtoknow__V1__Receipt *receipt)
{
	char recorded[OUTPUT_TIME_MAX];

	if (receipt == NULL)
		return;
	printf("  %s%-12s%s entry %" PRIu64 " of %s, leaf ", output_style(stdout, STYLE_DIM), "ledger",
		output_style(stdout, STYLE_PLAIN), receipt->ledger_index, output_time(receipt->recorded_at, recorded));
	output_hex(stdout, receipt->leaf_hash.data, receipt->leaf_hash.len);
	putchar('\n');
}

void show_disclosure(const Needtoknow__V1__Disclosure *disclosure)
{
	char time[OUTPUT_TIME_MAX];

	printf("%s%s%s ", output_style(stdout, STYLE_BOLD), disclosure->disclosure_id,
		output_style(stdout, STYLE_PLAIN));
	printf("%s%s%s\n", output_style(stdout, state_style((int)disclosure->state)),
		output_enum(&needtoknow__v1__disclosure_state__descriptor, (int)disclosure->state),
		output_style(stdout, STYLE_PLAIN));
	output_line(stdout, "recipient", disclosure->recipient_id);
	output_line(stdout, "service", disclosure->service);
	output_line(stdout, "purpose", disclosure->purpose);
	output_line(stdout, "basis", disclosure->legal_basis);
	output_line(stdout, "booking", disclosure->booking_id[0] != '\0' ? disclosure->booking_id : "-");
	output_line(stdout, "from", output_time(disclosure->starts_at, time));
	output_line(stdout, "to", output_time(disclosure->ends_at, time));
	output_line(stdout, "expires", output_time(disclosure->expires_at, time));
	show_releases(disclosure->releases, disclosure->n_releases);
}
