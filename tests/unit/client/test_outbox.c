/* What is owed, while some of it is on its way. */
#include "client/outbox.h"

#include "support/check.h"

#include <stdio.h>

static void add(struct outbox *outbox, const char *id)
{
	outbox_add(outbox, id, NULL, 0);
}

static void expect(const struct outbox *outbox, const char *expected)
{
	char ids[256] = "";
	size_t count = 0;

	for (const struct outbox_item *item = outbox->first; item != NULL; item = item->next) {
		size_t length = strlen(ids);
		snprintf(ids + length, sizeof ids - length, "%s ", item->id);
		assert_true(item->next != NULL || item == outbox->last);
		count++;
	}
	assert_string_equal(ids, expected);
	assert_int_equal(outbox->count, count);
}

static void test_waits_once(void **state)
{
	struct outbox outbox = { 0 };

	(void)state;
	add(&outbox, "a");
	add(&outbox, "b");
	add(&outbox, "a");
	expect(&outbox, "a b ");
	outbox_release(&outbox);
}

/* What is owed again while it is on its way is not forgotten with the answer to the first. */
static void test_owed_again_while_on_its_way(void **state)
{
	struct outbox outbox = { 0 };

	(void)state;
	add(&outbox, "a");
	add(&outbox, "b");
	assert_int_equal(outbox_send(&outbox, 10), 2);
	add(&outbox, "a");
	add(&outbox, "c");
	add(&outbox, "a");
	expect(&outbox, "a b a c ");
	outbox_item_free(outbox_settle(&outbox));
	outbox_item_free(outbox_settle(&outbox));
	assert_null(outbox_settle(&outbox));
	expect(&outbox, "a c ");
	outbox_release(&outbox);
}

static void test_returned_goes_once(void **state)
{
	struct outbox outbox = { 0 };

	(void)state;
	add(&outbox, "a");
	add(&outbox, "b");
	assert_int_equal(outbox_send(&outbox, 10), 2);
	add(&outbox, "c");
	add(&outbox, "b");
	outbox_return(&outbox);
	expect(&outbox, "a b c ");
	assert_int_equal(outbox_send(&outbox, 10), 3);
	add(&outbox, "c");
	outbox_return(&outbox);
	expect(&outbox, "a b c ");
	add(&outbox, "d");
	expect(&outbox, "a b c d ");
	outbox_release(&outbox);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waits_once),
		cmocka_unit_test(test_owed_again_while_on_its_way),
		cmocka_unit_test(test_returned_goes_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
