#include "pure/note.h"

#include "base/memory.h"
#include "pure/base64.h"
#include "support/check.h"

#include <openssl/err.h>
#include <stdio.h>

/* The keys and the note of the documentation of golang.org/x/mod/sumdb/note. */
#define NEUMANN "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
#define NEUMANN_PRIVATE "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
#define ENOCH "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
#define TEXT                                                                                                           \
	"If you think cryptography is the answer to your problem,\n"                                                   \
	"then you don't know what your problem is.\n"
#define NEUMANN_LINE                                                                                                   \
	"— PeterNeumann "                                                                                            \
	"x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
#define ENOCH_LINE                                                                                                     \
	"— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"

static struct note_verifier verifier(const char *text)
{
	struct note_verifier out;
	assert_int_equal(note_verifier_parse(&out, text), 0);
	return out;
}

static struct note_signer generate(const char *name)
{
	struct note_signer out;
	assert_int_equal(note_signer_generate(&out, name), 0);
	return out;
}

static enum note_result open_with(const char *note, const struct note_verifier *verifiers, size_t count)
{
	size_t length = 99;
	enum note_result result = note_open(note, strlen(note), verifiers, count, &length);
	if (result != NOTE_OK)
		assert_int_equal(length, 99);
	assert_int_equal(ERR_peek_error(), 0); /* nothing is left for whoever asks OpenSSL next */
	return result;
}

static void test_the_published_note_opens_and_is_what_we_sign(void **state)
{
	(void)state;
	const struct note_verifier neumann = verifier(NEUMANN), enoch = verifier(ENOCH);
	static const char note[] = TEXT "\n" NEUMANN_LINE;
	size_t length;
	assert_int_equal(note_open(note, strlen(note), &neumann, 1, &length), NOTE_OK);
	assert_int_equal(length, strlen(TEXT));
	assert_int_equal(open_with(note, &enoch, 1), NOTE_UNKNOWN_KEY);
	assert_int_equal(open_with(note, NULL, 0), NOTE_UNKNOWN_KEY);

	struct note_signer signer;
	assert_int_equal(note_signer_parse(&signer, NEUMANN_PRIVATE), 0);
	char *signed_note = note_sign(TEXT, &signer, 1); /* Ed25519 has no chance in it */
	assert_string_equal(signed_note, note);
	mem_free(signed_note);

	const struct note_verifier both[] = { enoch, neumann };
	assert_int_equal(open_with(TEXT "\n" NEUMANN_LINE ENOCH_LINE, both, 2), NOTE_OK);
	assert_int_equal(open_with(TEXT "\n" ENOCH_LINE NEUMANN_LINE, both, 1), NOTE_OK);
	assert_int_equal(open_with(TEXT "\n" ENOCH_LINE NEUMANN_LINE, both + 1, 1), NOTE_OK);
}

/* Heads that sum.golang.org has signed, years apart. */
static void test_notes_of_a_public_log_open(void **state)
{
	(void)state;
	const struct note_verifier sum =
		verifier("sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8");
	static const char *const notes[] = {
		"go.sum database tree\n3935567\nSapHtgdNCeF00Cx8kqztePV24kgzNg++Xovae42HAMw=\n\n"
		"— sum.golang.org "
		"Az3grsm7Wm4CVNR1RHq9BFnu9jzcRlU2uw7lr0gfUWgO6+rqPNjT+fUTl9gH0NRTgdwW9nItuQSMbhSaLCsk8YeYSAs=\n",
		"go.sum database tree\n6476701\nmb8QLQIs0Z0yP5Cstq6guj87oXWeC9gEM8oVikmm9Wk=\n\n"
		"— sum.golang.org "
		"Az3grsLX85Gz+s1SiTbgkuqxgItqFq7gsMUEyVnrsa9LM7Us9S+1xbFIGu95949rj4nPRYfvimWEPWL+o3GeoWwOoAw=\n",
		/* With somebody else's signature too. */
		"go.sum database tree\n15067302\ngJyioq6dwR9n+NjEWORfYmH+ubeYm3kH42BBQ0bTpYI=\n\n"
		"— sum.golang.org "
		"Az3grp1rvWOs5NKlr/xR4GLN/CDyzzakmt1o61uSxYKpK1SerqOP2ClbX/peKUZjYnyomH5Xz7GZG3TpB7OeKn4E2ww=\n"
		"— test.example.com "
		"qTGhC/xIPQ0AXKHK6Y+9ypRfuvMZWPjRXM8NiOg5M1WREn07VQXyuIXM3NRNav3ieVFLUqDRK77PWDmL6w8w84UqeAw=\n",
		"go.sum database tree\n19777102\n+g50vJoV4VVGa6aiQF3LYGUZHEP4pvGkW38vlR7WKtU=\n\n"
		"— sum.golang.org "
		"Az3griMTLHyRzj7jMuyEt85a2JnegVME6Lx3xLEBdzTd3FMDiD5y3bHV24rcl0yijOtWxV0zyygwTdo/rnaennuoqgU=\n",
		"go.sum database tree\n28891140\n++pUIeKTwGvykMUkmM3AT97PwQipMT6H/p7t86E0Sp0=\n\n"
		"— sum.golang.org "
		"Az3grqNvOILDz7xwAKugtVFZwd+I9IyB/mHrUYzcVaS9zKsRVdRLNGLFpnAcLhyoBBkdIYEzK/+7Eu4wanYttLrPsQo=\n",
		"go.sum database tree\n52544510\n+TGlZfnTizQCJgyZR56QixD8+X4dd8Wefy8U1w6k0Ig=\n\n"
		"— sum.golang.org "
		"Az3grn6d1PSjcypDf9bfcFVU5fvJB7VkLc0MAbz8jqeQVnSbAj9pKcsB5dJt5VdswPDUtiFar5LPRBu+uEQAT1CDfAc=\n",
		"go.sum database tree\n65209736\n5+uGFjx6xBZG8ip1+wi77v+grwbhhukIrxEUS8PXvRo=\n\n"
		"— sum.golang.org "
		"Az3grnbssgK7ubgFX36gVETtNv0U23qxyAhAMai2QUfeGa3nB/akvkMdlUErfcZz7l/R3cVtYspg3dxXABkGZZKdsQ8=\n",
	};
	for (size_t i = 0; i < sizeof notes / sizeof *notes; i++)
		assert_int_equal(open_with(notes[i], &sum, 1), NOTE_OK);
}

static void test_no_bit_of_a_note_may_change(void **state)
{
	(void)state;
	const struct note_verifier neumann = verifier(NEUMANN);
	char note[] = TEXT "\n" NEUMANN_LINE;
	for (size_t i = 0; i < strlen(TEXT "\n" NEUMANN_LINE); i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			size_t length = 99;
			note[i] ^= (char)(1u << bit);
			assert_int_not_equal(note_open(note, sizeof note - 1, &neumann, 1, &length), NOTE_OK);
			assert_int_equal(length, 99);
			note[i] ^= (char)(1u << bit);
		}
	}
	for (size_t length = 0; length < sizeof note - 1; length++) {
		size_t text_length;
		assert_int_equal(note_open(note, length, &neumann, 1, &text_length), NOTE_MALFORMED);
	}
	assert_int_equal(open_with(note, &neumann, 1), NOTE_OK);
}

static void test_what_is_no_note(void **state)
{
	(void)state;
	const struct note_verifier neumann = verifier(NEUMANN);
	static const char *const notes[] = { "", "\n", "\n\n", "\n\n\n", "x", "text\n", "text\n\n", "\n" NEUMANN_LINE,
		TEXT NEUMANN_LINE, /* no empty line */
		TEXT "\n" NEUMANN_LINE "\n", /* an empty line behind it */
		TEXT "\n" NEUMANN_LINE "\n" NEUMANN_LINE "x", TEXT "\n" NEUMANN_LINE "x\n", TEXT "\nx\n" NEUMANN_LINE,
		TEXT "\r\n" NEUMANN_LINE, "a\tb\n\n" NEUMANN_LINE,
		"a\x01"
		"b\n\n" NEUMANN_LINE,
		"\x80\n\n" NEUMANN_LINE, "\xc0\x80\n\n" NEUMANN_LINE, "\xed\xa0\x80\n\n" NEUMANN_LINE,
		/* Lines that are no signatures. */
		TEXT "\n— \n", TEXT "\n—\n", TEXT "\n— x\n", TEXT "\n— x \n", TEXT "\n—  AAAAAAA=\n",
		TEXT "\n— x  AAAAAAA=\n", TEXT "\n- x AAAAAAA=\n", TEXT "\n—x AAAAAAA=\n", TEXT "\n – x AAAAAAA=\n",
		TEXT "\n— a+b AAAAAAA=\n", TEXT "\n— a\u00a0b AAAAAAA=\n", TEXT "\n— a\u2003b AAAAAAA=\n",
		TEXT "\n— a\u3000 AAAAAAA=\n", TEXT "\n— a\xc2\x85 AAAAAAA=\n", TEXT "\n— x AAAAAAA= \n",
		TEXT "\n— x AAAAAAA=\r\n", TEXT "\n— x AAAAAAA\n", TEXT "\n— x AAAAAAB=\n", TEXT "\n— x AAAAAA-=\n",
		TEXT "\n— x AAAAAAAAAA\n", TEXT "\n— x ====\n",
		/* A key's id and nothing signed; less than an id. */
		TEXT "\n— x AAAAAA==\n", TEXT "\n— x AAAA\n", TEXT "\n— PeterNeumann x08gow==\n",
		/* Also behind a good one. */
		TEXT "\n" NEUMANN_LINE "— x AAAAAA==\n", TEXT "\n" NEUMANN_LINE "— x AAAAAAA\n" };
	for (size_t i = 0; i < sizeof notes / sizeof *notes; i++)
		assert_int_equal(open_with(notes[i], &neumann, 1), NOTE_MALFORMED);
	static const char zero[] = "a\0b\n\n" NEUMANN_LINE;
	size_t length = 99;
	assert_int_equal(note_open(zero, sizeof zero - 1, &neumann, 1, &length), NOTE_MALFORMED);
}

static void test_unknown_signatures_are_passed_over(void **state)
{
	(void)state;
	const struct note_verifier neumann = verifier(NEUMANN);
	static const char *const notes[] = {
		TEXT "\n— x AAAAAAA=\n" NEUMANN_LINE,
		TEXT "\n" NEUMANN_LINE "— x AAAAAAA=\n",
		/* The name with another id, the id with another name, and a name as long as it likes. */
		TEXT "\n— PeterNeumann AAAAAAA=\n" NEUMANN_LINE,
		TEXT "\n" NEUMANN_LINE "— Peter x08gowA=\n",
		TEXT "\n" NEUMANN_LINE "— PeterNeumannx x08gowA=\n",
		TEXT "\n" NEUMANN_LINE "— été/\x7f AAAAAAA=\n",
		TEXT "\n" NEUMANN_LINE NEUMANN_LINE,
	};
	for (size_t i = 0; i < sizeof notes / sizeof *notes; i++)
		assert_int_equal(open_with(notes[i], &neumann, 1), NOTE_OK);
	assert_int_equal(open_with(TEXT "\n— x AAAAAAA=\n— PeterNeumann AAAAAAA=\n", &neumann, 1), NOTE_UNKNOWN_KEY);
}

static void test_a_wrong_signature_of_a_known_key_refuses_the_whole(void **state)
{
	(void)state;
	const struct note_verifier both[] = { verifier(NEUMANN), verifier(ENOCH) };
	static const char *const notes[] = {
		"another text\n\n" NEUMANN_LINE,
		/* Too short, too long. */
		TEXT "\n— PeterNeumann x08gowA=\n",
		TEXT "\n— PeterNeumann "
		     "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAMA\n",
		/* One is right and one is wrong, in either order, of one key or two. */
		TEXT "\n" NEUMANN_LINE "— PeterNeumann x08gowA=\n",
		TEXT "\n— PeterNeumann x08gowA=\n" NEUMANN_LINE,
		TEXT "\n" NEUMANN_LINE "— EnochRoot rwz+eAA=\n",
		TEXT "\n— EnochRoot rwz+eAA=\n" NEUMANN_LINE,
		/* The text goes to the last empty line. */
		TEXT "\n" NEUMANN_LINE "\n" NEUMANN_LINE,
	};
	for (size_t i = 0; i < sizeof notes / sizeof *notes; i++)
		assert_int_equal(open_with(notes[i], both, 2), NOTE_BAD_SIGNATURE);
}

static void test_more_signatures_than_the_limit_are_refused(void **state)
{
	(void)state;
	const struct note_verifier neumann = verifier(NEUMANN);
	for (size_t extra = NOTE_SIGNATURES_MAX - 1; extra <= NOTE_SIGNATURES_MAX; extra++) {
		char note[4096] = TEXT "\n" NEUMANN_LINE;
		for (size_t i = 0; i < extra; i++)
			strncat(note, "— x AAAAAAA=\n", sizeof note - strlen(note) - 1);
		assert_int_equal(open_with(note, &neumann, 1), extra < NOTE_SIGNATURES_MAX ? NOTE_OK : NOTE_MALFORMED);
	}
}

static void test_a_note_has_a_greatest_length(void **state)
{
	(void)state;
	const struct note_signer signer = generate("long");
	char *text = mem_calloc(NOTE_TEXT_MAX + 2, 1);
	memset(text, 'x', NOTE_TEXT_MAX);
	text[NOTE_TEXT_MAX] = '\n';
	assert_null(note_sign(text, &signer, 1));
	/* The last that fits: with its signature. */
	text[NOTE_TEXT_MAX - 1] = '\n';
	text[NOTE_TEXT_MAX] = '\0';
	char *note = note_sign(text, &signer, 1);
	assert_int_equal(open_with(note, &signer.public, 1), NOTE_MALFORMED);
	size_t more = strlen(note) - NOTE_TEXT_MAX;
	mem_free(note);
	note = note_sign(text + more, &signer, 1);
	assert_int_equal(strlen(note), NOTE_TEXT_MAX);
	assert_int_equal(open_with(note, &signer.public, 1), NOTE_OK);
	mem_free(note);
	mem_free(text);
}

static void test_texts_that_no_note_can_have_are_not_signed(void **state)
{
	(void)state;
	const struct note_signer signer = generate("log.example");
	static const char *const texts[] = { "", "no line feed", "a\tb\n", "a\r\n", "\x80\n", "\x1f\n" };
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		assert_null(note_sign(texts[i], &signer, 1));
	static const char *const good[] = { "\n", "a\n", "a\n\nb\n", "\n\n", "été\n— x AAAAAAA=\n", "\x7f\n" };
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		char *note = note_sign(good[i], &signer, 1);
		size_t length = 0;
		assert_int_equal(note_open(note, strlen(note), &signer.public, 1, &length), NOTE_OK);
		assert_int_equal(length, strlen(good[i]));
		mem_free(note);
	}
}

static void test_several_keys_sign_and_any_of_them_opens(void **state)
{
	(void)state;
	struct note_signer signers[NOTE_KEYS_MAX];
	struct note_verifier verifiers[NOTE_KEYS_MAX];
	for (size_t i = 0; i < NOTE_KEYS_MAX; i++) {
		signers[i] = generate("log.example/audit");
		verifiers[i] = signers[i].public;
	}
	char *note = note_sign("x\n", signers, NOTE_KEYS_MAX);
	for (size_t i = 0; i < NOTE_KEYS_MAX; i++)
		assert_int_equal(open_with(note, &verifiers[i], 1), NOTE_OK);
	assert_int_equal(open_with(note, verifiers, NOTE_KEYS_MAX), NOTE_OK);
	const struct note_signer stranger = generate("log.example/audit");
	assert_int_equal(open_with(note, &stranger.public, 1), NOTE_UNKNOWN_KEY);
	mem_free(note);
}

static void test_keys_as_text(void **state)
{
	(void)state;
	char text[NOTE_KEY_TEXT_MAX];
	struct note_signer signer;
	assert_int_equal(note_signer_parse(&signer, NEUMANN_PRIVATE "\n"), 0);
	note_signer_text(&signer, text);
	assert_string_equal(text, NEUMANN_PRIVATE);
	note_verifier_text(&signer.public, text);
	assert_string_equal(text, NEUMANN);
	struct note_verifier neumann;
	assert_int_equal(note_verifier_parse(&neumann, NEUMANN "\n"), 0);
	assert_memory_equal(&neumann, &signer.public, sizeof neumann);
	assert_int_equal(neumann.id, 0xc74f20a3);

	/* The longest, and what is made comes back. */
	char name[NOTE_KEY_NAME_MAX + 2] = { 0 };
	memset(name, 'n', NOTE_KEY_NAME_MAX);
	const struct note_signer made = generate(name);
	note_signer_text(&made, text);
	assert_true(strlen(text) < NOTE_KEY_TEXT_MAX);
	assert_int_equal(note_signer_parse(&signer, text), 0);
	assert_memory_equal(&signer, &made, sizeof made);
	note_verifier_text(&made.public, text);
	assert_int_equal(note_verifier_parse(&neumann, text), 0);
	assert_memory_equal(&neumann, &made.public, sizeof neumann);

	const struct note_signer other = generate(name);
	assert_memory_not_equal(other.seed, made.seed, sizeof made.seed);
	name[NOTE_KEY_NAME_MAX] = 'n';
	assert_int_equal(note_signer_generate(&signer, name), -1);
}

static void test_what_is_no_key(void **state)
{
	(void)state;
	static const char *const verifiers[] = { "", "+", "++", "PeterNeumann", "PeterNeumann+",
		"PeterNeumann+c74f20a3", "PeterNeumann+c74f20a3+",
		"+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
		"PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
		"PeterNeumanm+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
		"PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TX",
		"PeterNeumann+c74f20a3+AhpC2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
		"PeterNeumann+c74f20a3+Ahpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
		"PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10Q=",
		"PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWAAAA",
		"PeterNeumann+c74f20a3+AQ==", "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
		"PeterNeumann+c74f20a+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
		"PeterNeumann+c74f20a30+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", NEUMANN " ", " " NEUMANN,
		NEUMANN "\n\n", NEUMANN "\r\n", NEUMANN_PRIVATE };
	for (size_t i = 0; i < sizeof verifiers / sizeof *verifiers; i++) {
		struct note_verifier out = { .id = 99 };
		assert_int_equal(note_verifier_parse(&out, verifiers[i]), -1);
		assert_int_equal(out.id, 99);
	}
	static const char *const signers[] = { "", NEUMANN, "PRIVATE+KEY+", "PRIVATE+KEY", "private+key+" NEUMANN,
		"PRIVATE+KEY+" NEUMANN, /* a public key is no seed of its id */
		"PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFa",
		"PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKD==",
		"PRIVATE+KEY+PeterNeumann+c74f20b3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
		"PRIVATE+KEY+Peter Neumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz" };
	for (size_t i = 0; i < sizeof signers / sizeof *signers; i++) {
		struct note_signer out = { .public.id = 99 };
		assert_int_equal(note_signer_parse(&out, signers[i]), -1);
		assert_int_equal(out.public.id, 99);
	}
}

static void test_names_of_keys(void **state)
{
	(void)state;
	struct note_signer signer = { .public.id = 99 };
	static const char *const bad[] = { "", "a+b", "a b", " a", "a\tb", "a\nb", "a\x01", "a\x7f", "\xc2\x85",
		"a\xc2\x90", "a\u00a0", "\u1680", "\u2000", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000",
		"\xff", "\xc3" };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(note_signer_generate(&signer, bad[i]), -1);
	assert_int_equal(signer.public.id, 99);
	static const char *const good[] = { "a", "example.com/log42", "été.example", "\u200b", "\u1681", "日本" };
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		const struct note_signer made = generate(good[i]);
		char *note = note_sign("x\n", &made, 1);
		assert_int_equal(open_with(note, &made.public, 1), NOTE_OK);
		mem_free(note);
	}
}

static void test_results_in_words(void **state)
{
	(void)state;
	assert_string_equal(note_result_text(NOTE_OK), "");
	for (enum note_result result = NOTE_MALFORMED; result <= NOTE_BAD_SIGNATURE; result++)
		assert_true(strlen(note_result_text(result)) > 10);
}

static void sign_with_nothing(void *unused)
{
	(void)unused;
	note_sign("x\n", NULL, 0);
}

static void test_a_note_without_a_signer_is_a_mistake(void **state)
{
	(void)state;
	assert_true(ends_process(sign_with_nothing, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_published_note_opens_and_is_what_we_sign),
		cmocka_unit_test(test_notes_of_a_public_log_open),
		cmocka_unit_test(test_no_bit_of_a_note_may_change),
		cmocka_unit_test(test_what_is_no_note),
		cmocka_unit_test(test_unknown_signatures_are_passed_over),
		cmocka_unit_test(test_a_wrong_signature_of_a_known_key_refuses_the_whole),
		cmocka_unit_test(test_more_signatures_than_the_limit_are_refused),
		cmocka_unit_test(test_a_note_has_a_greatest_length),
		cmocka_unit_test(test_texts_that_no_note_can_have_are_not_signed),
		cmocka_unit_test(test_several_keys_sign_and_any_of_them_opens),
		cmocka_unit_test(test_keys_as_text),
		cmocka_unit_test(test_what_is_no_key),
		cmocka_unit_test(test_names_of_keys),
		cmocka_unit_test(test_results_in_words),
		cmocka_unit_test(test_a_note_without_a_signer_is_a_mistake),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
