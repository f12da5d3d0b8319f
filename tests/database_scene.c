#include "database_scene.h"

#include "support/patience.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void check(struct scene *scene)
{
	if (scene->awaited && *scene->awaited >= scene->awaited_value)
		loop_stop(scene->loop);
}

static void on_up(void *context)
{
	struct scene *scene = context;
	assert_true(database_up(scene->database));
	scene->ups++;
	check(scene);
}

static void on_down(void *context)
{
	struct scene *scene = context;
	assert_false(database_up(scene->database));
	scene->downs++;
	scene->answers_when_down = scene->answers;
	check(scene);
}

static void on_notify(void *context, const char *payload)
{
	struct scene *scene = context;
	if (payload) {
		scene->notifications++;
		snprintf(scene->payload, sizeof scene->payload, "%s", payload);
	} else {
		scene->resyncs++;
	}
	check(scene);
}

static void on_trouble(void *context, const char *reason)
{
	struct scene *scene = context;
	scene->troubles++;
	snprintf(scene->trouble, sizeof scene->trouble, "%s", reason);
	check(scene);
}

static void on_limit(void *context)
{
	struct scene *scene = context;
	scene->late = true;
	loop_stop(scene->loop);
}

struct database_config scene_config(const char *conninfo)
{
	return (struct database_config){ .name = "test", .conninfo = conninfo };
}

void scene_open(struct scene *scene, const struct database_config *config)
{
	const struct database_handler handler = {
		.on_up = on_up, .on_down = on_down, .on_notify = on_notify, .on_trouble = on_trouble, .context = scene
	};
	*scene = (struct scene){ .loop = loop_new() };
	assert_non_null(scene->loop);
	loop_timer_init(&scene->limit, scene->loop, on_limit, scene);
	scene->database = database_new(scene->loop, config, &handler);
}

void scene_open_up(struct scene *scene, const struct database_config *config)
{
	scene_open(scene, config);
	scene_await(scene, &scene->ups, 1);
}

void scene_close(struct scene *scene)
{
	database_free(scene->database);
	loop_timer_release(&scene->limit);
	loop_free(scene->loop);
}

void scene_await(struct scene *scene, const int *counter, int value)
{
	scene->awaited = counter;
	scene->awaited_value = value;
	loop_timer_set(&scene->limit, 20000000 * patience());
	while (*counter < value && !scene->late)
		assert_int_equal(loop_run(scene->loop), 0);
	loop_timer_clear(&scene->limit);
	scene->awaited = NULL;
	if (scene->late)
		fail_msg("waited in vain; the last trouble was: %s", scene->trouble);
}

static void show(struct answer *answer, const PGresult *result)
{
	answer->rows = PQntuples(result);
	if (answer->rows == 0 || PQgetisnull(result, 0, 0))
		return;
	int length = PQgetlength(result, 0, 0);
	snprintf(answer->value, sizeof answer->value, "%.*s", length, PQgetvalue(result, 0, 0));
}

static void on_done(void *context, const struct database_outcome *outcome)
{
	struct answer *answer = context;
	answer->calls++;
	answer->scene->answers++;
	answer->result = outcome->result;
	memcpy(answer->sqlstate, outcome->sqlstate, sizeof answer->sqlstate);
	snprintf(answer->message, sizeof answer->message, "%s", outcome->message);
	answer->failed = outcome->failed;
	answer->count = outcome->count;
	answer->warned = outcome->warned;
	if (outcome->count > 0)
		show(answer, outcome->results[outcome->count - 1]);
	if (answer->then)
		answer->then(answer->scene);
	check(answer->scene);
}

void scene_send(struct scene *scene, struct answer *answer)
{
	void (*then)(struct scene *) = answer->then;
	*answer = (struct answer){ .scene = scene, .then = then };
	database_send(scene->database, on_done, answer);
}

void scene_text(struct scene *scene, struct answer *answer, const char *text)
{
	database_open(scene->database);
	database_add_text(scene->database, text);
	scene_send(scene, answer);
	scene_await(scene, &answer->calls, 1);
}

void scene_statement(struct scene *scene, struct answer *answer, const struct statement *statement)
{
	database_open(scene->database);
	database_add(scene->database, statement, NULL);
	scene_send(scene, answer);
	scene_await(scene, &answer->calls, 1);
}
