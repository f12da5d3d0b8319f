#include "service/rulebook_internal.h"

#include "base/memory.h"
#include "service/rules.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#define POLICY_FILE_MAX ((size_t)1 << 20)

static char *read_file(const char *path, size_t *length, char *why, size_t why_size)
{
	FILE *file = fopen(path, "re");
	if (!file) {
		snprintf(why, why_size, "%s: %s", path, strerror(errno));
		return NULL;
	}
	char *text = mem_alloc(POLICY_FILE_MAX + 1);
	*length = fread(text, 1, POLICY_FILE_MAX + 1, file);
	bool bad = ferror(file) || *length > POLICY_FILE_MAX;
	fclose(file);
	if (!bad)
		return text;
	snprintf(why, why_size, "%s: cannot be read, or is larger than a mebibyte", path);
	mem_free(text);
	return NULL;
}

static struct policy *read_policy(struct rulebook *rulebook)
{
	size_t length;
	struct policy_error error;
	char *text = read_file(rulebook->policy_file, &length, rulebook->why, sizeof rulebook->why);
	if (!text)
		return NULL;
	struct policy *policy = policy_parse(text, length, &error);
	mem_free(text);
	if (!policy)
		snprintf(rulebook->why, sizeof rulebook->why, "%s:%d:%d: %s", rulebook->policy_file, error.line,
			error.column, error.message);
	return policy;
}

static struct rules *rules_of_digest(const struct rulebook *rulebook, const uint8_t *digest)
{
	struct rules *rules;
	LL_FOREACH (rulebook->all, rules)
		if (!memcmp(policy_digest(rules->policy), digest, 32))
			break;
	return rules;
}

void rulebook_take_file(struct rulebook *rulebook)
{
	struct policy *policy = read_policy(rulebook);
	struct policy_text *text;
	if (!policy) {
		rulebook_give_up(rulebook, POLICY_ORDER_REFUSED, rulebook->why);
		return;
	}
	if (rulebook->ordered && memcmp(policy_digest(policy), rulebook->expected, sizeof rulebook->expected)) {
		rulebook_finish_order(rulebook, POLICY_ORDER_OTHER, policy, NULL, "");
		policy_free(policy);
		rulebook_take_next(rulebook);
		return;
	}
	struct rules *known = rules_of_digest(rulebook, policy_digest(policy));
	if (known) {
		if (known != rulebook->in_force)
			rulebook_activate(rulebook, known);
		else
			rulebook_finish_order(rulebook, POLICY_ORDER_IN_FORCE, policy, NULL, "");
		policy_free(policy);
		rulebook_take_next(rulebook);
		return;
	}
	LL_FOREACH (rulebook->pending, text) {
		if (memcmp(policy_digest(text->policy), policy_digest(policy), 32))
			continue;
		if (!text->in_force) {
			/* It was in force before another was: it is checked, then activated again. */
			policy_free(text->policy);
			LL_DELETE(rulebook->pending, text);
			mem_free(text);
			break;
		}
		policy_free(policy);
		rulebook_take_next(rulebook);
		return;
	}
	rulebook_add_pending(rulebook, policy, 0, false);
	rulebook_take_next(rulebook);
}

void rulebook_reload(struct rulebook *rulebook)
{
	if (rulebook->opening || rulebook->activating)
		return;
	rulebook->opening = true;
	rulebook->unfit_count = 0;
	rulebook_take_file(rulebook);
}
