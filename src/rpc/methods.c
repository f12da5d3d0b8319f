#include "rpc/methods.h"

#include <stddef.h>

const struct method *const methods[] = {
	&sharing_share,
	&sharing_get_disclosure,
	&sharing_list_disclosures,
	&sharing_explain,
	&delivery_receive,
	&delivery_list_assigned,
	&delivery_fetch,
	&delivery_acknowledge,
	&delivery_confirm_deletion,
	&audit_list_entries,
	&audit_stream_entries,
	&audit_get_subject_report,
	&audit_get_exposure,
	&audit_get_register,
	&audit_list_overdue_deletions,
	&audit_get_checkpoint,
	&audit_get_inclusion_proof,
	&audit_get_consistency_proof,
	&registry_put_recipient,
	&registry_get_recipient,
	&registry_list_recipients,
	&registry_get_policy,
	&health_check,
	&health_list,
	&health_watch,
	&reflection_v1,
	&reflection_v1alpha,
	NULL,
};
