#include <needtoknow/methods.h>

#define DEFINE_METHOD(service, name, Method)                                                                           \
	const struct needtoknow_method needtoknow_method_##name = {                                                    \
		.path = "/needtoknow.v1." #service "/" #Method,                                                        \
		.request = &needtoknow__v1__##name##_request__descriptor,                                              \
		.response = &needtoknow__v1__##name##_response__descriptor,                                            \
	};

NEEDTOKNOW_UNARY_METHODS(DEFINE_METHOD)
DEFINE_METHOD(DeliveryService, receive, Receive)
DEFINE_METHOD(AuditService, stream_entries, StreamEntries)
