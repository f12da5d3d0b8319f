#ifndef NEEDTOKNOW_RPC_METHODS_H
#define NEEDTOKNOW_RPC_METHODS_H

#include "service/call.h"

/* Every method that is served, one file a group. Ends with NULL. */
extern const struct method *const methods[];

extern const struct method sharing_share, sharing_reschedule, sharing_reassign, sharing_revoke, sharing_get_disclosure,
	sharing_list_disclosures, sharing_explain;
extern const struct method delivery_receive, delivery_list_assigned, delivery_fetch, delivery_acknowledge,
	delivery_confirm_deletion;
extern const struct method audit_list_entries, audit_stream_entries;
extern const struct method audit_get_subject_report, audit_get_exposure, audit_get_register,
	audit_list_overdue_deletions;
extern const struct method audit_get_checkpoint, audit_get_inclusion_proof, audit_get_consistency_proof;
extern const struct method registry_put_recipient, registry_get_recipient, registry_list_recipients,
	registry_suspend_recipient, registry_resume_recipient, registry_revoke_device, registry_get_policy,
	registry_reload_policy;
extern const struct method rights_list_requests, rights_extend_request;
extern const struct method rights_erase;
extern const struct method rights_object, rights_lift_objection;
extern const struct method rights_register, rights_get_subject_record, rights_rectify;
extern const struct method rights_restrict, rights_lift_restriction;
extern const struct method health_check, health_list, health_watch;
extern const struct method reflection_v1, reflection_v1alpha;

#endif
