#ifndef NEEDTOKNOW_METHODS_H
#define NEEDTOKNOW_METHODS_H

#include <needtoknow/client.h>

#include <needtoknow/v1/audit.pb-c.h>
#include <needtoknow/v1/delivery.pb-c.h>
#include <needtoknow/v1/registry.pb-c.h>
#include <needtoknow/v1/rights.pb-c.h>
#include <needtoknow/v1/sharing.pb-c.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Every unary method, with its types. For each, `needtoknow_<name>()` is needtoknow_call() with the right ones:
 *
 *	Needtoknow__V1__ShareRequest request = NEEDTOKNOW__V1__SHARE_REQUEST__INIT;
 *	const Needtoknow__V1__ShareResponse *response;
 *	if (needtoknow_share(client, &request, &response, &status) != 0) ...
 *
 * X(service, name, Method). What a method does, needs and refuses stands in proto/needtoknow/v1.
 */
#define NEEDTOKNOW_UNARY_METHODS(X)                                                                                    \
	X(SharingService, share, Share)                                                                                \
	X(SharingService, reschedule, Reschedule)                                                                      \
	X(SharingService, reassign, Reassign)                                                                          \
	X(SharingService, revoke, Revoke)                                                                              \
	X(SharingService, get_disclosure, GetDisclosure)                                                               \
	X(SharingService, list_disclosures, ListDisclosures)                                                           \
	X(SharingService, explain, Explain)                                                                            \
	X(DeliveryService, list_assigned, ListAssigned)                                                                \
	X(DeliveryService, fetch, Fetch)                                                                               \
	X(DeliveryService, acknowledge, Acknowledge)                                                                   \
	X(DeliveryService, confirm_deletion, ConfirmDeletion)                                                          \
	X(AuditService, list_entries, ListEntries)                                                                     \
	X(AuditService, get_subject_report, GetSubjectReport)                                                          \
	X(AuditService, get_exposure, GetExposure)                                                                     \
	X(AuditService, get_register, GetRegister)                                                                     \
	X(AuditService, list_overdue_deletions, ListOverdueDeletions)                                                  \
	X(AuditService, get_checkpoint, GetCheckpoint)                                                                 \
	X(AuditService, get_inclusion_proof, GetInclusionProof)                                                        \
	X(AuditService, get_consistency_proof, GetConsistencyProof)                                                    \
	X(RegistryService, put_recipient, PutRecipient)                                                                \
	X(RegistryService, suspend_recipient, SuspendRecipient)                                                        \
	X(RegistryService, resume_recipient, ResumeRecipient)                                                          \
	X(RegistryService, revoke_device, RevokeDevice)                                                                \
	X(RegistryService, get_recipient, GetRecipient)                                                                \
	X(RegistryService, list_recipients, ListRecipients)                                                            \
	X(RegistryService, get_policy, GetPolicy)                                                                      \
	X(RegistryService, reload_policy, ReloadPolicy)                                                                \
	X(RightsService, register, Register)                                                                           \
	X(RightsService, get_subject_record, GetSubjectRecord)                                                         \
	X(RightsService, rectify, Rectify)                                                                             \
	X(RightsService, erase, Erase)                                                                                 \
	X(RightsService, object, Object)                                                                               \
	X(RightsService, lift_objection, LiftObjection)                                                                \
	X(RightsService, restrict, Restrict)                                                                           \
	X(RightsService, lift_restriction, LiftRestriction)                                                            \
	X(RightsService, list_requests, ListRequests)                                                                  \
	X(RightsService, extend_request, ExtendRequest)

struct needtoknow_method {
	const char *path; /* `/needtoknow.v1.SharingService/Share` */
	const ProtobufCMessageDescriptor *request;
	const ProtobufCMessageDescriptor *response;
};

#define NEEDTOKNOW_DECLARE_METHOD(service, name, Method)                                                               \
	extern const struct needtoknow_method needtoknow_method_##name;                                                \
	static inline int needtoknow_##name(struct needtoknow_client *client,                                          \
		const Needtoknow__V1__##Method##Request *request, const Needtoknow__V1__##Method##Response **response, \
		struct needtoknow_status *status)                                                                      \
	{                                                                                                              \
		const ProtobufCMessage *message;                                                                       \
		if (needtoknow_call(client, &needtoknow_method_##name, &request->base, &message, status) != 0)         \
			return -1;                                                                                     \
		if (response != NULL)                                                                                  \
			*response = (const Needtoknow__V1__##Method##Response *)message;                               \
		return 0;                                                                                              \
	}

NEEDTOKNOW_UNARY_METHODS(NEEDTOKNOW_DECLARE_METHOD)

/* The stream of a recipient; <needtoknow/receiver.h> does all that a receiving app should do with it. */
extern const struct needtoknow_method needtoknow_method_receive;
/* Entries of the ledger as they are recorded; for needtoknow_stream(). */
extern const struct needtoknow_method needtoknow_method_stream_entries;

#ifdef __cplusplus
}
#endif

#endif
