#ifndef NEEDTOKNOW_SERVICE_RECIPIENT_NEWS_H
#define NEEDTOKNOW_SERVICE_RECIPIENT_NEWS_H

#include "service/call.h"

/*
 * Another worker has suspended a recipient or revoked a device: their streams that are open here end. What they may do
 * is decided from the database in any case; this is so that nothing that was recorded before still leaves.
 */
struct recipient_news;

struct recipient_news *recipient_news_new(struct service *service);
void recipient_news_free(struct recipient_news *news);
/* Something was told of recipients, or may have been missed. */
void recipient_news_heard(struct recipient_news *news);

#endif
