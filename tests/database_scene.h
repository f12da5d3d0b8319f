#ifndef TESTS_DATABASE_SCENE_H
#define TESTS_DATABASE_SCENE_H

#include "database_fixture.h"
#include "io/database.h"

/* A loop and one database on it, with everything that its callbacks said. Tests run the loop until a counter has come
 * so far. */
struct scene {
	struct loop *loop;
	struct database *database;
	struct loop_timer limit;
	int ups, downs, notifications, resyncs, troubles, answers;
	int answers_when_down; /* `answers` at the last on_down */
	char trouble[512];
	char payload[64];
	const int *awaited;
	int awaited_value;
	bool late;
};

/* What one segment was answered. */
struct answer {
	struct scene *scene;
	int calls; /* of done() */
	enum database_result result;
	char sqlstate[6];
	char message[256];
	int failed, count, rows;
	bool warned;
	char value[256]; /* the first of the last result's first row, as text */
	void (*then)(struct scene *scene);
};

/* A config with only a name and this connection string; the rest may be filled in. */
struct database_config scene_config(const char *conninfo);
void scene_open(struct scene *scene, const struct database_config *config);
/* The same, and waits for on_up. */
void scene_open_up(struct scene *scene, const struct database_config *config);
void scene_close(struct scene *scene);

/* Runs the loop until *counter is at least `value`; fails the test after 20 s. */
void scene_await(struct scene *scene, const int *counter, int value);

/* database_send(), answered into `answer`. */
void scene_send(struct scene *scene, struct answer *answer);
/* A segment of one text, or of one statement without parameters, sent and awaited. */
void scene_text(struct scene *scene, struct answer *answer, const char *text);
void scene_statement(struct scene *scene, struct answer *answer, const struct statement *statement);

#endif
