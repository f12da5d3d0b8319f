#include "service/recipient_news.h"

#include "base/memory.h"
#include "pure/time.h"
#include "service/batch.h"
#include "service/queue.h"
#include "service/service.h"
#include "sql.h"

struct recipient_news {
	struct service *service;
	struct loop_timer again;
	int64_t seen; /* the entry of the last change that was looked at */
	bool asking, wanted;
};

static void ask(struct recipient_news *news);

static void barred_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct recipient_news *news = target;
	const char *device = row_is_null(result, row, 3) ? NULL : PQgetvalue(result, row, 3);
	int64_t index = row_int(result, row, 1);
	if (index > news->seen)
		news->seen = index;
	queue_close(service_queues(call->service), PQgetvalue(result, row, 2), device);
}

static const struct read_kind recipients_barred = {
	.statement = &sql_recipients_barred,
	.from = READ_STATE,
	.types = { PG_INT8 },
	.row = barred_row,
};

static enum step_result barred_ask(struct call *call)
{
	struct recipient_news *news = call->state;
	batch_read(call, &recipients_barred, news, (struct cell[]){ cell_number(news->seen) });
	return STEP_NEXT;
}

static enum step_result barred_done(struct call *call)
{
	return call->awaited ? STEP_WAIT : STEP_DONE;
}

static void barred_release(struct call *call)
{
	struct recipient_news *news = call->state;
	news->asking = false;
	if (call->failed)
		loop_timer_set(&news->again, TIME_SECOND);
	else if (news->wanted)
		ask(news);
}

static const struct method barred_method = {
	.steps = { barred_ask, barred_done },
	.release = barred_release,
};

static void ask(struct recipient_news *news)
{
	struct call *call = call_new_own(news->service, &barred_method);
	call->state = news;
	news->wanted = false;
	news->asking = true;
	call_run(call);
}

void recipient_news_heard(struct recipient_news *news)
{
	news->wanted = true;
	if (!news->asking)
		ask(news);
}

static void try_again(void *context)
{
	recipient_news_heard(context);
}

struct recipient_news *recipient_news_new(struct service *service)
{
	struct recipient_news *news = mem_calloc(1, sizeof *news);
	news->service = service;
	news->seen = -1;
	loop_timer_init(&news->again, service_loop(service), try_again, news);
	return news;
}

void recipient_news_free(struct recipient_news *news)
{
	if (!news)
		return;
	loop_timer_release(&news->again);
	mem_free(news);
}
