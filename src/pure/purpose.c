#include "pure/purpose.h"

#include "pure/nearest.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Sorted. */
static const char *const purposes[] = {
	"dpv:AcademicResearch",
	"dpv:AccountManagement",
	"dpv:Advertising",
	"dpv:AgeVerification",
	"dpv:CombatClimateChange",
	"dpv:CommercialPurpose",
	"dpv:CommercialResearch",
	"dpv:CommunicationForCustomerCare",
	"dpv:CommunicationManagement",
	"dpv:CounterMoneyLaundering",
	"dpv:Counterterrorism",
	"dpv:CreditChecking",
	"dpv:CustomerCare",
	"dpv:CustomerClaimsManagement",
	"dpv:CustomerManagement",
	"dpv:CustomerOrderManagement",
	"dpv:CustomerRelationshipManagement",
	"dpv:CustomerSolvencyMonitoring",
	"dpv:DataAltruism",
	"dpv:DeliveryOfGoods",
	"dpv:DirectMarketing",
	"dpv:DisputeManagement",
	"dpv:EnforceAccessControl",
	"dpv:EnforceSecurity",
	"dpv:EstablishContractualAgreement",
	"dpv:FraudPreventionAndDetection",
	"dpv:FulfilmentOfContractualObligation",
	"dpv:FulfilmentOfObligation",
	"dpv:HumanResourceManagement",
	"dpv:IdentityAuthentication",
	"dpv:IdentityVerification",
	"dpv:ImproveExistingProductsAndServices",
	"dpv:ImproveHealthcare",
	"dpv:ImproveInternalCRMProcesses",
	"dpv:ImprovePublicServices",
	"dpv:ImproveTransportMobility",
	"dpv:IncreaseServiceRobustness",
	"dpv:InternalResourceOptimisation",
	"dpv:LegalCompliance",
	"dpv:MaintainFraudDatabase",
	"dpv:Marketing",
	"dpv:MemberPartnerManagement",
	"dpv:MisusePreventionAndDetection",
	"dpv:NonCommercialPurpose",
	"dpv:NonCommercialResearch",
	"dpv:OptimisationForConsumer",
	"dpv:OptimisationForController",
	"dpv:OptimiseUserInterface",
	"dpv:OrganisationComplianceManagement",
	"dpv:OrganisationGovernance",
	"dpv:OrganisationRiskManagement",
	"dpv:PaymentManagement",
	"dpv:Personalisation",
	"dpv:PersonalisedAdvertising",
	"dpv:PersonalisedBenefits",
	"dpv:PersonnelBehaviourMonitoring",
	"dpv:PersonnelHiring",
	"dpv:PersonnelManagement",
	"dpv:PersonnelMonitoring",
	"dpv:PersonnelOffboarding",
	"dpv:PersonnelOnboarding",
	"dpv:PersonnelPayment",
	"dpv:PersonnelPerformanceEvaluation",
	"dpv:PersonnelPerformanceManagement",
	"dpv:PersonnelPerformanceMonitoring",
	"dpv:PersonnelPerformancePrediction",
	"dpv:PersonnelPromotionManagement",
	"dpv:PersonnelTerminationManagement",
	"dpv:PersonnelWorkloadManagement",
	"dpv:PoliticalCampaign",
	"dpv:ProtectionOfIPR",
	"dpv:ProtectionOfNationalSecurity",
	"dpv:ProtectionOfPublicSecurity",
	"dpv:ProvideEventRecommendations",
	"dpv:ProvideOfficialStatistics",
	"dpv:ProvidePersonalisedRecommendations",
	"dpv:ProvideProductRecommendations",
	"dpv:PublicBenefit",
	"dpv:PublicPolicyMaking",
	"dpv:PublicRelations",
	"dpv:RecordManagement",
	"dpv:RecruitmentAdvertising",
	"dpv:RecruitmentApplicantBackgroundCheck",
	"dpv:RecruitmentApplicantCriminalBackgroundCheck",
	"dpv:RecruitmentApplicantInformationAuthentication",
	"dpv:RecruitmentApplicantSelection",
	"dpv:RecruitmentApplicationAnalysis",
	"dpv:RecruitmentApplicationManagement",
	"dpv:RecruitmentApplicationScreening",
	"dpv:RecruitmentInterviewAnalysis",
	"dpv:RecruitmentInterviewAssessment",
	"dpv:RecruitmentInterviewManagement",
	"dpv:RecruitmentInterviewScheduling",
	"dpv:RecruitmentManagement",
	"dpv:RecruitmentTargetedAdvertising",
	"dpv:RepairImpairments",
	"dpv:RequestedServiceProvision",
	"dpv:ResearchAndDevelopment",
	"dpv:RightsFulfilment",
	"dpv:ScientificResearch",
	"dpv:SearchFunctionalities",
	"dpv:SellDataToThirdParties",
	"dpv:SellInsightsFromData",
	"dpv:SellProducts",
	"dpv:SellProductsToDataSubject",
	"dpv:ServiceOptimisation",
	"dpv:ServicePersonalisation",
	"dpv:ServiceProvision",
	"dpv:ServiceRegistration",
	"dpv:ServiceUsageAnalytics",
	"dpv:SocialMediaMarketing",
	"dpv:TargetedAdvertising",
	"dpv:TechnicalServiceProvision",
	"dpv:UserInterfacePersonalisation",
	"dpv:VendorManagement",
	"dpv:VendorPayment",
	"dpv:VendorRecordsManagement",
	"dpv:VendorSelectionAssessment",
	"dpv:Verification",
};
#define PURPOSE_COUNT (sizeof purposes / sizeof *purposes)

/* What reaches one person by name or by profile. */
static const char *const direct_marketing[] = {
	"dpv:DirectMarketing",
	"dpv:PersonalisedAdvertising",
	"dpv:TargetedAdvertising",
};

static int compare(const void *purpose, const void *entry)
{
	return strcmp(purpose, *(const char *const *)entry);
}

bool purpose_known(const char *purpose)
{
	return bsearch(purpose, purposes, PURPOSE_COUNT, sizeof *purposes, compare) != NULL;
}

const char *purpose_nearest(const char *purpose)
{
	struct nearest nearest;
	nearest_init(&nearest, purpose);
	for (size_t i = 0; i < PURPOSE_COUNT; i++)
		nearest_try(&nearest, purposes[i]);
	return nearest.best;
}

bool purpose_is_direct_marketing(const char *purpose)
{
	for (size_t i = 0; i < sizeof direct_marketing / sizeof *direct_marketing; i++) {
		if (strcmp(purpose, direct_marketing[i]) == 0)
			return true;
	}
	return false;
}

const char *purpose_direct_marketing(size_t number)
{
	return number < sizeof direct_marketing / sizeof *direct_marketing ? direct_marketing[number] : NULL;
}
