#include "pure/policy_model.h"

#include "pure/duration.h"
#include "pure/time.h"

/* How long things are kept (GDPR art. 5(1)(e)), and the limits. */

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
#define YEAR (TIME_SECOND * 86400 * 365)
#define KEEP_ALLOWED DURATION_ALLOWED ", or 0d"
#define ANCHORED_ALLOWED                                                                                               \
	"contract-end or financial-year-end, with + and a duration if need be, such as financial-year-end+10y"

static int read_keep(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	struct policy_period *period = member;
	if (value->kind != YAML_KIND_TEXT || duration_parse(value->text, &period->keep) != 0)
		return yaml_refuse_text(reader, value, KEEP_ALLOWED);
	period->text = value->text;
	return 0;
}

static int check_reason(struct yaml_reader *reader, const struct yaml_value *value, const struct policy_period *period)
{
	if (period->keep > YEAR && period->because == NULL)
		return yaml_refuse(reader, value,
			"`%.80s` is longer than a year and has no `because`; allowed: with the reason, in words",
			period->text);
	return 0;
}

static const struct yaml_key period_keys[] = {
	{ "keep", read_keep, 0, true, KEEP_ALLOWED },
	{ "because", yaml_read_text, offsetof(struct policy_period, because), false, "the reason, in words" },
};
static const struct yaml_map period_map = { "a period", COUNT_OF(period_keys), period_keys };

static int read_period(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	if (yaml_read_map(reader, value, &period_map, member) != 0)
		return -1;
	return check_reason(reader, yaml_tree_get(value, "keep"), member);
}

static int read_disclosures(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	struct policy_period *period = member;
	period->text = value->text;
	return policy_read_duration(reader, value, &period->keep);
}

static const char *const anchors[] = {
	[RETENTION_CONTRACT_END] = "contract-end",
	[RETENTION_FINANCIAL_YEAR_END] = "financial-year-end",
};

const char *retention_anchor_name(enum retention_anchor anchor)
{
	return anchors[anchor];
}

static int read_anchored(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	struct policy_column_retention *columns = member;
	size_t anchor;
	if (value->kind != YAML_KIND_TEXT ||
		duration_parse_anchored(value->text, anchors, COUNT_OF(anchors), &anchor, &columns->after.keep) != 0 ||
		columns->after.keep < 0)
		return yaml_refuse_text(reader, value, ANCHORED_ALLOWED);
	columns->anchor = (enum retention_anchor)anchor;
	columns->after.text = value->text;
	return 0;
}

static int read_column_fields(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	struct policy_column_retention *columns = member;
	if (yaml_expect_list(reader, value, "source.column, such as client.home_address") != 0)
		return -1;
	struct policy_field *fields = yaml_alloc(reader, value->count, sizeof *fields);
	for (const struct yaml_value *item = value->first; item != NULL; item = item->next) {
		if (policy_read_field_name(reader, item, &fields[columns->field_count]) != 0)
			return -1;
		columns->field_count++;
	}
	columns->fields = fields;
	return 0;
}

static const struct yaml_key column_keys[] = {
	{ "fields", read_column_fields, 0, true, "a list of source.column" },
	{ "keep", read_anchored, 0, true, ANCHORED_ALLOWED },
	{ "because", yaml_read_text, offsetof(struct policy_column_retention, after.because), false,
		"the reason, in words" },
};
static const struct yaml_map column_map = { "a retention of columns", COUNT_OF(column_keys), column_keys };

/* Two periods for one column contradict each other. */
static int check_once(struct yaml_reader *reader, const struct yaml_value *list)
{
	struct name_table seen;
	name_table_init(&seen);
	int result = 0;
	for (const struct yaml_value *item = list->first; item != NULL && result == 0; item = item->next) {
		const struct yaml_value *field = yaml_tree_get(item, "fields")->first;
		for (; field != NULL && result == 0; field = field->next) {
			if (!name_table_add(&seen, field->text, field))
				result = yaml_refuse(
					reader, field, "`%.80s` is given twice under `columns`", field->text);
		}
	}
	name_table_release(&seen);
	return result;
}

static int read_columns(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	struct policy_retention *retention = member;
	if (yaml_expect_list(reader, value, "maps with fields, keep, because") != 0)
		return -1;
	struct policy_column_retention *columns = yaml_alloc(reader, value->count, sizeof *columns);
	for (const struct yaml_value *item = value->first; item != NULL; item = item->next) {
		struct policy_column_retention *column = &columns[retention->column_count];
		if (yaml_read_map(reader, item, &column_map, column) != 0 ||
			check_reason(reader, yaml_tree_get(item, "keep"), &column->after) != 0)
			return -1;
		retention->column_count++;
	}
	retention->columns = columns;
	return check_once(reader, value);
}

static const struct yaml_key retention_keys[] = {
	{ "disclosures", read_disclosures, offsetof(struct policy_retention, disclosures), true, DURATION_ALLOWED },
	{ "ledger_bodies", read_period, offsetof(struct policy_retention, ledger_bodies), true, "keep, because" },
	{ "subject_key_after_erasure", read_period, offsetof(struct policy_retention, subject_key_after_erasure), true,
		"keep, because" },
	{ "backups", read_keep, offsetof(struct policy_retention, backups), true, KEEP_ALLOWED },
	{ "columns", read_columns, 0, false, "a list of maps with fields, keep, because" },
};
static const struct yaml_map retention_map = { "the retention", COUNT_OF(retention_keys), retention_keys };

int policy_read_retention(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	struct policy *policy = member;
	return yaml_read_map(reader, value, &retention_map, &policy->retention);
}

static int read_acknowledge_within(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	int64_t duration;
	if (policy_read_duration(reader, value, &duration) != 0)
		return -1;
	if (duration > 3600 * TIME_SECOND)
		return yaml_refuse_text(reader, value, "1s to 1h");
	*(int64_t *)member = duration;
	return 0;
}

static const struct yaml_key limit_keys[] = {
	{ "acknowledge_within", read_acknowledge_within, offsetof(struct policy, acknowledge_within), true,
		"1s to 1h" },
};
static const struct yaml_map limit_map = { "the limits", COUNT_OF(limit_keys), limit_keys };

int policy_read_limits(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	return yaml_read_map(reader, value, &limit_map, member);
}
