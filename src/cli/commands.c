#include "cli/audit_exposure.h"
#include "cli/audit_list.h"
#include "cli/audit_overdue.h"
#include "cli/audit_register.h"
#include "cli/audit_report.h"
#include "cli/change.h"
#include "cli/checkpoint.h"
#include "cli/command.h"
#include "cli/disclosure.h"
#include "cli/export_tiles.h"
#include "cli/help.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/policy.h"
#include "cli/prove.h"
#include "cli/receive.h"
#include "cli/recipient.h"
#include "cli/retention_plan.h"
#include "cli/rights.h"
#include "cli/share.h"
#include "cli/suspension.h"
#include "cli/verify.h"
#include "pure/nearest.h"

#include <string.h>

#define TIMES                                                                                                          \
	"Times are `now`, `+2h`, `-30s`, `now+1d` (units s, m, h, d, y), or RFC 3339, as 2026-11-23T09:00:00+01:00."

#define BULK "With --file many requests, a line each (CSV in UTF-8, the first line names the columns)."
#define BULK_END                                                                                                       \
	"\nWhat no column says the flags say for all lines; `received` is RFC 3339. Run again, it goes on where it "   \
	"stopped: a request id is made of\nwhat a line asks. FILE.results.csv says what became of each line."

static enum exit_code version_run(const struct invocation *invocation)
{
	(void)invocation;
	puts("needtoknow " NEEDTOKNOW_VERSION);
	return EXIT_OK;
}

const struct command commands[] = {
	{ .name = "share",
		.group = "Sharing (role booking)",
		.summary = "Let a recipient be sent what a service needs for a booking",
		.details = "Records the right; each release is sent when the policy says that it is due.\n" TIMES,
		.examples = "  needtoknow share --booking B000001 --subject C000001 --recipient sparkle \\\n"
			    "    --service home-cleaning --from now --to +2h\n",
		.flags = share_flags,
		.connects = true,
		.run = share_run },
	{ .name = "explain",
		.group = "Sharing (role booking)",
		.summary = "Say what share would do, and do nothing",
		.details = "Ends with 0 when it would be allowed and with 3 when it would be refused.\n" TIMES,
		.examples = "  needtoknow explain --booking B000001 --subject C000001 --recipient sparkle \\\n"
			    "    --service gardening --from +1d --to now+26h\n",
		.flags = explain_flags,
		.connects = true,
		.run = explain_run },
	{ .name = "disclosure get",
		.group = "Sharing (role booking)",
		.summary = "Show a disclosure and its releases",
		.operand = "DISCLOSURE_ID",
		.examples = "  needtoknow disclosure get 0a44cf42-4f0e-4d0c-9a15-5a3d6a1c6c59\n",
		.flags = disclosure_get_flags,
		.connects = true,
		.run = disclosure_get_run },
	{ .name = "disclosure list",
		.group = "Sharing (role booking)",
		.summary = "List the disclosures of a booking, a client or a recipient",
		.examples = "  needtoknow disclosure list --booking B000001\n"
			    "  needtoknow disclosure list --recipient sparkle --json\n",
		.flags = disclosure_list_flags,
		.connects = true,
		.run = disclosure_list_run },
	{ .name = "disclosure reschedule",
		.group = "Sharing (role booking)",
		.summary = "Move a booking's window, and with it what is still to be sent",
		.operand = "DISCLOSURE_ID",
		.details = "What was sent stays sent; it is sent once more with the new times.\n" TIMES,
		.examples = "  needtoknow disclosure reschedule 0a44cf42-4f0e-4d0c-9a15-5a3d6a1c6c59 --from +1d --to "
			    "now+26h\n",
		.flags = disclosure_reschedule_flags,
		.connects = true,
		.run = disclosure_reschedule_run },
	{ .name = "disclosure revoke",
		.group = "Sharing (role booking)",
		.summary = "End a disclosure, or all of a booking, and have deleted what was sent",
		.operand = "ID",
		.details = "Once it is answered nothing of it is sent any more. Each device that was sent something is "
			   "ordered to delete it.",
		.examples = "  needtoknow disclosure revoke 0a44cf42-4f0e-4d0c-9a15-5a3d6a1c6c59 --reason 'no show'\n"
			    "  needtoknow disclosure revoke B000001 --booking --reason cancelled\n",
		.flags = disclosure_revoke_flags,
		.connects = true,
		.run = disclosure_revoke_run },
	{ .name = "disclosure reassign",
		.group = "Sharing (role booking)",
		.summary = "Give a booking to another recipient, and have deleted what the first was sent",
		.operand = "DISCLOSURE_ID",
		.details = "In one step: never both, never neither. Refused as a whole when it could not be shared "
			   "with the other.",
		.examples =
			"  needtoknow disclosure reassign 0a44cf42-4f0e-4d0c-9a15-5a3d6a1c6c59 --recipient verdure\n",
		.flags = disclosure_reassign_flags,
		.connects = true,
		.run = disclosure_reassign_run },
	{ .name = "receive",
		.group = "Receiving (role recipient)",
		.summary = "Receive what is due, acknowledge it, and delete it in time",
		.details = "Prints each delivery: what, for which booking, until when. What is received stays in this "
			   "process's memory until it\n"
			   "expires or is withdrawn; then it is wiped, and the deletion is confirmed to needtoknow. A "
			   "connection that is lost\n"
			   "is made again. Ctrl-C ends it. Values go to standard output and nowhere else: what becomes "
			   "of them there is yours to\n"
			   "see to.",
		.examples = "  needtoknow receive\n"
			    "  needtoknow receive --until-empty --json --show-sensitive\n",
		.flags = receive_flags,
		.connects = true,
		.run = receive_run },
	{ .name = "audit list",
		.group = "Auditing (role auditor)",
		.summary = "List entries of the ledger: who got what, when, why",
		.details =
			"Each filter that is given must hold. The question is itself an entry of the ledger.\n" TIMES,
		.examples = "  needtoknow audit list --subject C000001\n"
			    "  needtoknow audit list --kinds DELIVERED,REFUSED --from -24h --newest-first --limit 20\n"
			    "  needtoknow audit list --recipient sparkle --limit 0 --format csv >sparkle.csv\n"
			    "  needtoknow audit list --from-index 1000 --follow --format json\n",
		.flags = audit_list_flags,
		.connects = true,
		.run = audit_list_run },
	{ .name = "audit report",
		.group = "Auditing (role auditor)",
		.summary = "Report who was given what of a client's (GDPR art. 15), also as a page to send them",
		.operand = "SUBJECT_ID",
		.details =
			"--format html makes a page for the client in plain French or English, to print or to send: "
			"who "
			"has what of theirs,\n"
			"until when, why, what is kept by which law, and how to check it. Times on it are those of TZ. "
			"Staff appear by role.",
		.examples = "  needtoknow audit report C000001\n"
			    "  needtoknow audit report C000001 --format html --language fr --out C000001.html\n"
			    "  needtoknow audit report C000001 --format csv >C000001.csv\n",
		.flags = audit_report_flags,
		.connects = true,
		.run = audit_report_run },
	{ .name = "audit exposure",
		.group = "Auditing (role auditor)",
		.summary = "Say what a recipient, or a device of it, held, and of whom",
		.operand = "RECIPIENT_ID",
		.details = "For a lost phone or a breach (GDPR art. 33): every release that was sent to it, from when "
			   "until "
			   "when it was held.\n"
			   "What was not confirmed as deleted counts as still held.\n" TIMES,
		.examples = "  needtoknow audit exposure sparkle --device phone-2 --from -72h\n"
			    "  needtoknow audit exposure sparkle --format csv >exposure.csv\n",
		.flags = audit_exposure_flags,
		.connects = true,
		.run = audit_exposure_run },
	{ .name = "audit register",
		.group = "Auditing (role auditor)",
		.summary = "Print the record of processing activities (GDPR art. 30), from the policy in force",
		.examples = "  needtoknow audit register\n"
			    "  needtoknow audit register --format csv >register.csv\n",
		.flags = audit_register_flags,
		.connects = true,
		.run = audit_register_run },
	{ .name = "audit overdue",
		.group = "Auditing (role auditor)",
		.summary = "List deletions that were ordered and not confirmed in time",
		.details = "The longest overdue first, a line a device.",
		.examples = "  needtoknow audit overdue\n"
			    "  needtoknow audit overdue --format json\n",
		.flags = audit_overdue_flags,
		.connects = true,
		.run = audit_overdue_run },
	{ .name = "audit checkpoint",
		.group = "Auditing (role auditor)",
		.summary = "Print the ledger's last signed checkpoint, and keep it",
		.details = "A checkpoint that is kept where the service cannot reach it is what later shows that "
			   "nothing was "
			   "changed. With\n"
			   "--save it replaces the one in FILE, if that is a beginning of it; else FILE stays as it "
			   "is, and "
			   "the command fails.",
		.examples = "  needtoknow audit checkpoint --vkey ledger.vkey --save checkpoint\n",
		.flags = audit_checkpoint_flags,
		.connects = true,
		.run = audit_checkpoint_run },
	{ .name = "audit export-tiles",
		.group = "Auditing (role auditor)",
		.summary = "Write the ledger, or what is new of it, as a directory of C2SP tiles",
		.operand = "DIR",
		.details =
			"As https://c2sp.org/tlog-tiles says: checkpoint, tile/<L>/<N>[.p/<W>], "
			"tile/entries/<N>[.p/<W>], up to the last\n"
			"checkpoint, and verified while it is written. It can be interrupted at any moment; the next "
			"one goes on.",
		.examples = "  needtoknow audit export-tiles ledger --vkey ledger.vkey\n",
		.flags = audit_export_tiles_flags,
		.connects = true,
		.run = audit_export_tiles_run },
	{ .name = "audit verify",
		.group = "Auditing (role auditor)",
		.summary = "Verify the ledger: of a service, of exported tiles, or one entry by its proof",
		.details =
			"Without --tiles and --proof every entry is asked of the service. With them nothing is: all "
			"that is "
			"needed is the\n"
			"key. --since names an earlier checkpoint; when it stands in an exported directory, the first "
			"entry that\n"
			"differs is named. Ends with 0 when all is right and with 1 when something does not verify: "
			"then the first\n"
			"entry or tile that is wrong is named, and how.",
		.examples = "  needtoknow audit verify --vkey ledger.vkey --since checkpoint\n"
			    "  needtoknow audit verify --tiles ledger --vkey ledger.vkey --since checkpoint\n"
			    "  needtoknow audit verify --proof 17.tlog-proof --entry 17.entry --vkey ledger.vkey\n",
		.flags = audit_verify_flags,
		.connects = true,
		.run = audit_verify_run },
	{ .name = "audit prove",
		.group = "Auditing (role auditor)",
		.summary = "Write a proof of one entry, to hand to an authority",
		.operand = "INDEX",
		.details =
			"A C2SP tlog-proof file and, beside it, the entry's bytes. Whoever has the log's key verifies "
			"them offline, with\n"
			"`needtoknow audit verify --proof` or any tool of that family.",
		.examples = "  needtoknow audit prove 17 --vkey ledger.vkey\n",
		.flags = audit_prove_flags,
		.connects = true,
		.run = audit_prove_run },
	{ .name = "rights register",
		.group = "Clients' rights (role rights)",
		.summary = "Put a new client into the company's database (GDPR art. 13, 14)",
		.details = "FILE is CSV: a line `column,value`, then a line a column; an empty value without quotes is "
			   "none. "
			   "Answers the client number.\nWhat the same person objected to earlier holds for the new "
			   "number too.\n" TIMES,
		.examples = "  needtoknow rights register --columns client.csv --origin direct --notice 2026-05 "
			    "--channel phone\n",
		.flags = rights_register_flags,
		.connects = true,
		.run = rights_register_run },
	{ .name = "rights record",
		.group = "Clients' rights (role rights)",
		.summary = "Say all that the company has about a client, and who was given it (GDPR art. 15, 20)",
		.operand = "SUBJECT_ID",
		.details = "--format html makes a page for the client in plain French or English, --format json what "
			   "programs read (art. 20).\nIt holds the client's data word for word: --out writes a file "
			   "that you alone can "
			   "read. Times on the page are those of TZ.\n" TIMES,
		.examples = "  needtoknow rights record C000001 --channel email --format html --language fr --out "
			    "C000001.html\n"
			    "  needtoknow rights record C000001 --channel letter --format json --out C000001.json\n",
		.flags = rights_record_flags,
		.connects = true,
		.run = rights_record_run },
	{ .name = "rights rectify",
		.group = "Clients' rights (role rights)",
		.summary = "Correct what the company has about a client, and tell who was given it (GDPR art. 16, 19)",
		.operand = "[SUBJECT_ID]",
		.details = "A value comes from a file or standard input, never from the command line, which others can "
			   "read.\n" BULK " Columns: subject, column, value; channel, received." BULK_END,
		.examples = "  printf %s \"$phone\" | needtoknow rights rectify C000001 --column client.phone "
			    "--value-file - "
			    "--channel phone\n"
			    "  needtoknow rights rectify --file phones.csv --channel account --received "
			    "2026-11-23T09:00:00+01:00\n",
		.flags = rights_rectify_flags,
		.connects = true,
		.run = rights_rectify_run },
	{ .name = "rights erase",
		.group = "Clients' rights (role rights)",
		.summary = "Erase what no law keeps of a client, and have deleted what was sent (GDPR art. 17, 19)",
		.operand = "[SUBJECT_ID]",
		.details = "--dry-run says first what would be erased, what is held, by which law and until when, and "
			   "what is booked.\n"
			   "It cannot be undone.\n" BULK " Columns: subject; channel, received." BULK_END,
		.examples = "  needtoknow rights erase C000001 --channel letter --dry-run\n"
			    "  needtoknow rights erase C000001 --channel letter --received 2026-11-20T09:00:00+01:00 "
			    "--cancel-bookings\n",
		.flags = rights_erase_flags,
		.connects = true,
		.run = rights_erase_run },
	{ .name = "rights object",
		.group = "Clients' rights (role rights)",
		.summary = "Object to a purpose, or withdraw a consent, for a client (GDPR art. 7(3), 21)",
		.operand = "[SUBJECT_ID]",
		.details = "It holds with the answer, which names the article: nothing of that purpose is delivered "
			   "any more. "
			   "Ends with 3 where there is\nno right to object, and says why.\n" BULK
			   " Columns: subject; purpose, reason, channel, received." BULK_END,
		.examples =
			"  needtoknow rights object C000001 --purpose dpv:DirectMarketing --channel email\n"
			"  needtoknow rights object C000001 --purpose dpv:DirectMarketing --channel account --lift\n"
			"  needtoknow rights object --file opt-out.csv --purpose dpv:DirectMarketing --channel email "
			"\\\n"
			"    --received 2026-11-23T09:00:00+01:00\n",
		.flags = rights_object_flags,
		.connects = true,
		.run = rights_object_run },
	{ .name = "rights restrict",
		.group = "Clients' rights (role rights)",
		.summary =
			"Have nothing of a client's used, and nothing deleted, until it is lifted (GDPR art. 18, 19)",
		.operand = "[SUBJECT_ID]",
		.details = "Each device that was sent something is told to keep it and not to use it; of the lifting, "
			   "too.\n" BULK " Columns: subject; reason, channel, received." BULK_END,
		.examples = "  needtoknow rights restrict C000001 --channel letter --reason 'says that the address is "
			    "wrong'\n"
			    "  needtoknow rights restrict C000001 --channel letter --lift\n",
		.flags = rights_restrict_flags,
		.connects = true,
		.run = rights_restrict_run },
	{ .name = "rights list",
		.group = "Clients' rights (role rights)",
		.summary = "List the requests and the date by which each is to be answered (GDPR art. 12(3))",
		.details = "Those that are open and overdue first.",
		.examples = "  needtoknow rights list --open\n"
			    "  needtoknow rights list --subject C000001 --format json\n",
		.flags = rights_list_flags,
		.connects = true,
		.run = rights_list_run },
	{ .name = "rights extend",
		.group = "Clients' rights (role rights)",
		.summary = "Take two months more for a request, once (GDPR art. 12(3))",
		.operand = "REQUEST_ID",
		.examples = "  needtoknow rights extend 7c1f7a3e-52a1-4d53-8f5e-1f0f0f8a4f57 --reason 'twelve years of "
			    "paper files'\n",
		.flags = rights_extend_flags,
		.connects = true,
		.run = rights_extend_run },
	{ .name = "recipient put",
		.group = "Recipients (role admin)",
		.summary = "Register a recipient, or replace what is known of it",
		.operand = "RECIPIENT_ID",
		.details = TIMES,
		.examples = "  needtoknow recipient put sparkle --name 'Sparkle SARL' --agreement DPA-2026-014 \\\n"
			    "    --services home-cleaning,gardening\n",
		.flags = recipient_put_flags,
		.connects = true,
		.run = recipient_put_run },
	{ .name = "recipient get",
		.group = "Recipients (role admin)",
		.summary = "Show a recipient and its devices",
		.operand = "RECIPIENT_ID",
		.examples = "  needtoknow recipient get sparkle\n",
		.flags = recipient_get_flags,
		.connects = true,
		.run = recipient_get_run },
	{ .name = "recipient list",
		.group = "Recipients (role admin)",
		.summary = "List the recipients",
		.examples = "  needtoknow recipient list --json\n",
		.flags = recipient_list_flags,
		.connects = true,
		.run = recipient_list_run },
	{ .name = "recipient suspend",
		.group = "Recipients (role admin)",
		.summary = "Send a recipient nothing more, and withdraw all that is live",
		.operand = "RECIPIENT_ID",
		.details =
			"It is answered when nothing is live any more. What was withdrawn stays so: after `recipient "
			"resume` a booking is shared anew.\nIts devices are still told what to delete, and may confirm "
			"it.",
		.examples = "  needtoknow recipient suspend sparkle --reason 'breach reported on 3 March'\n",
		.flags = recipient_suspend_flags,
		.connects = true,
		.run = recipient_suspend_run },
	{ .name = "recipient resume",
		.group = "Recipients (role admin)",
		.summary = "Let a suspended recipient be sent things again",
		.operand = "RECIPIENT_ID",
		.examples = "  needtoknow recipient resume sparkle\n",
		.flags = recipient_resume_flags,
		.connects = true,
		.run = recipient_resume_run },
	{ .name = "recipient revoke-device",
		.group = "Recipients (role admin)",
		.summary = "Send a lost device nothing more, and order it to delete what it has",
		.operand = "RECIPIENT_ID",
		.second_operand = "DEVICE",
		.details =
			"DEVICE is the name in its certificate (`default` where that has none); `recipient get` lists "
			"those that were seen. For good: a phone\nthat was found again gets a certificate with another "
			"name. What it had not acknowledged goes to the recipient's other devices.",
		.examples = "  needtoknow recipient revoke-device sparkle phone-2\n",
		.flags = recipient_revoke_device_flags,
		.connects = true,
		.run = recipient_revoke_device_run },
	{ .name = "policy reload",
		.group = "Policy in force (role admin)",
		.summary = "Put the service's policy file in force, if it is the one that was approved",
		.operand = "FILE",
		.details = "FILE is the policy as it was approved. The service takes its own policy file into force "
			   "when that is "
			   "the same,\nbyte for byte, and fits the company's database; else it says why, and the "
			   "policy in force "
			   "stays.",
		.examples = "  needtoknow policy reload policy.yaml --approved-by 'Claire Martin, DPO'\n",
		.flags = policy_reload_flags,
		.connects = true,
		.run = policy_reload_run },
	{ .name = "policy check",
		.group = "Policy (no connection)",
		.summary = "Say whether a policy file is good, and where it is not",
		.operand = "FILE",
		.details = "With --database also whether it fits a company's database: views, columns and their types; "
			   "the "
			   "plan and cost of\neach lookup by key, which may not scan; and what the connecting role may "
			   "read that the policy does not name.\nNothing of a client's is read. Ends with 1 when the "
			   "policy "
			   "could not take effect there, with 4 when the\ndatabase did not answer.",
		.examples =
			"  needtoknow policy check policy.yaml\n"
			"  needtoknow policy check policy.yaml --database 'dbname=company user=needtoknow_source'\n",
		.flags = policy_check_flags,
		.run = policy_check_run },
	{ .name = "policy explain",
		.group = "Policy (no connection)",
		.summary = "Say in words who gets what, when and why",
		.operand = "FILE",
		.second_operand = "[SERVICE]",
		.examples = "  needtoknow policy explain policy.yaml home-cleaning --language en\n",
		.flags = policy_explain_flags,
		.run = policy_explain_run },
	{ .name = "policy diff",
		.group = "Policy (no connection)",
		.summary = "Say who would see more under another policy, and who less",
		.operand = "OLD",
		.second_operand = "NEW",
		.details = "A line a change: `more`, `less` or `same`. What cannot be compared counts as more. Ends "
			   "with 0 "
			   "when nobody\nsees more, with 1 when anybody does, and with 2 when a file is not a policy: "
			   "a gate for "
			   "reviews.",
		.examples = "  needtoknow policy diff policy.yaml proposal.yaml\n",
		.run = policy_diff_run },
	{ .name = "policy register",
		.group = "Policy (no connection)",
		.summary = "Print the record of processing activities (GDPR art. 30) that a policy makes",
		.operand = "FILE",
		.details = "As `audit register` prints it of the policy in force, but for who receives now.",
		.examples = "  needtoknow policy register policy.yaml --format csv > register.csv\n",
		.flags = policy_register_flags,
		.run = policy_register_run },
	{ .name = "policy grants",
		.group = "Policy (no connection)",
		.summary = "Print the SQL that lets a role read what the policy needs, and no more",
		.operand = "FILE",
		.details = "And lets it read the company's change queue, which says which columns changed, and remove\n"
			   "from it what was corrected.",
		.examples = "  needtoknow policy grants policy.yaml --role needtoknow_source | psql company\n",
		.flags = policy_grants_flags,
		.run = policy_grants_run },
	{ .name = "retention plan",
		.group = "Retention (no connection)",
		.summary = "Say whose columns a policy's retention would have erased now, and erase nothing",
		.operand = "FILE",
		.details = "Asks the company's database, through its function retention_due(), for each group of the "
			   "policy's retention.columns\nand for what an erasure held until a law's date: how many "
			   "clients, the oldest, and who.",
		.examples =
			"  needtoknow retention plan policy.yaml --database 'dbname=company user=needtoknow_rights'\n",
		.flags = retention_plan_flags,
		.run = retention_plan_run },
	{ .name = "version", .group = "Others", .summary = "Print the version", .run = version_run },
	{ .name = "help",
		.group = "Others",
		.summary = "List the commands, or tell about one: needtoknow help share",
		.run = NULL },
	{ 0 },
};

/* Of the words at the front of a command line: which command, and how many words its name has. */
static const struct command *find(int argc, char **argv, int *words)
{
	for (const struct command *command = commands; command->name != NULL; command++) {
		const char *space = strchr(command->name, ' ');
		size_t first = space != NULL ? (size_t)(space - command->name) : strlen(command->name);
		if (argc < 1 || strlen(argv[0]) != first || strncmp(argv[0], command->name, first) != 0)
			continue;
		if (space == NULL || (argc > 1 && strcmp(argv[1], space + 1) == 0)) {
			*words = space == NULL ? 1 : 2;
			return command;
		}
	}
	return NULL;
}

static bool is_group(const char *word)
{
	size_t length = strlen(word);

	for (const struct command *command = commands; command->name != NULL; command++) {
		if (strncmp(command->name, word, length) == 0 && command->name[length] == ' ')
			return true;
	}
	return false;
}

static bool asks_for_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

/* No command: the nearest one, of as many words as were written. */
static enum exit_code unknown(int argc, char **argv)
{
	char written[128];
	struct nearest nearest;
	bool group = is_group(argv[0]);

	if (group && argc > 1)
		snprintf(written, sizeof written, "%s %s", argv[0], argv[1]);
	else
		snprintf(written, sizeof written, "%s", argv[0]);
	nearest_init(&nearest, written);
	for (const struct command *command = commands; command->name != NULL; command++)
		nearest_try(&nearest, command->name);
	if (group && argc == 1) {
		fprintf(stderr, "needtoknow %s: which of these?\n\n", argv[0]);
		help_overview(stderr, argv[0]);
		return EXIT_USAGE;
	}
	fprintf(stderr, "needtoknow: there is no command `%s`", written);
	options_suggest(&nearest, "", stderr);
	fprintf(stderr, "\n`needtoknow help` lists them.\n");
	return EXIT_USAGE;
}

/* `help`, `help share`, `--help`, `recipient --help`. */
static enum exit_code help_run(int argc, char **argv)
{
	int words;

	if (argc == 0) {
		help_overview(stdout, NULL);
		return EXIT_OK;
	}
	const struct command *command = find(argc, argv, &words);
	if (command != NULL && command->run != NULL) {
		help_command(stdout, command);
		return EXIT_OK;
	}
	if (command != NULL || !is_group(argv[0]) || (argc > 1 && !asks_for_help(argv[1])))
		return command != NULL ? help_run(0, NULL) : unknown(argc, argv);
	help_overview(stdout, argv[0]);
	return EXIT_OK;
}

static enum exit_code run(int argc, char **argv)
{
	struct invocation invocation;
	bool help;
	int words;

	if (argc < 2) {
		help_overview(stderr, NULL);
		return EXIT_USAGE;
	}
	if (asks_for_help(argv[1]))
		return help_run(argc - 2, argv + 2);
	if (strcmp(argv[1], "--version") == 0)
		return version_run(NULL);
	const struct command *command = find(argc - 1, argv + 1, &words);
	if (command == NULL && argc > 2 && asks_for_help(argv[2]))
		return help_run(argc - 1, argv + 1);
	if (command == NULL)
		return unknown(argc - 1, argv + 1);
	enum exit_code code = options_parse(command, argc, argv, 1 + words, &invocation, &help, stderr);
	if (help) {
		help_command(stdout, command);
		return EXIT_OK;
	}
	return code == EXIT_OK ? command->run(&invocation) : code;
}

enum exit_code cli_main(int argc, char **argv)
{
	enum exit_code code = run(argc, argv);

	/* What could not be written was not done, as far as whoever reads it knows. */
	if (output_flush() != 0 && code == EXIT_OK)
		code = EXIT_FAILED;
	return code;
}
