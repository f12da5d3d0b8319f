#include "service/train_clock.h"

#include "base/log.h"
#include "pure/time.h"

#define STEP_BACK_MAX TIME_SECOND
/* A database that fails over, or whose clock is slewed, may differ by seconds; a code that is due in an hour may not be
 * due now. */
#define STEP_AHEAD_MAX (60 * TIME_SECOND)

static int refuse(struct train_clock *clock, const char *what, int64_t microseconds)
{
	if (!clock->wrong)
		log_error("clock",
			"the database's clock stepped %s by %lld s: nothing is recorded or delivered; see CLOCK in "
			"needtoknowd(8)",
			what, (long long)(microseconds / TIME_SECOND));
	clock->wrong = true;
	return -1;
}

int train_clock_check(struct train_clock *clock, int64_t now, int64_t recorded_at, int64_t local)
{
	if (now < recorded_at - STEP_BACK_MAX)
		return refuse(clock, "back", recorded_at - now);
	if (clock->database) {
		int64_t ahead = (now - clock->database) - (local - clock->local);
		if (ahead > STEP_AHEAD_MAX)
			return refuse(clock, "ahead", ahead);
	}
	if (clock->wrong)
		log_info("clock", "the database's clock is plausible again");
	clock->wrong = false;
	clock->database = now;
	clock->local = local;
	return 0;
}

bool train_clock_wrong(const struct train_clock *clock)
{
	return clock->wrong;
}
