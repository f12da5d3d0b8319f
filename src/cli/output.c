#include "cli/output.h"

#include "base/memory.h"
#include "pure/time.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char stdout_buffer[65536];

void output_init(void)
{
	setvbuf(stdout, stdout_buffer, _IOFBF, sizeof stdout_buffer);
	json_set_alloc_funcs(mem_alloc, mem_free);
}

int output_flush(void)
{
	int result = fflush(stdout);

	mem_wipe(stdout_buffer, sizeof stdout_buffer);
	return result == 0 && !ferror(stdout) ? 0 : -1;
}

const char *output_style(FILE *file, enum style style)
{
	static const char *const sequences[] = { "\033[0m", "\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[33m" };
	const char *no_color = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");

	if (no_color != NULL && no_color[0] != '\0')
		return "";
	if (terminal == NULL || strcmp(terminal, "dumb") == 0 || !isatty(fileno(file)))
		return "";
	return sequences[style];
}

/* How many bytes at `text` are to be shown as escapes: C0, DEL, C1, and the marks that change the direction of writing.
 */
static size_t unprintable(const unsigned char *text)
{
	if (text[0] < 0x20 || text[0] == 0x7F)
		return 1;
	if (text[0] == 0xC2 && text[1] >= 0x80 && text[1] <= 0x9F)
		return 2;
	if (text[0] == 0xE2 && text[1] == 0x80 &&
		((text[2] >= 0x8E && text[2] <= 0x8F) || (text[2] >= 0xA8 && text[2] <= 0xAE)))
		return 3;
	if (text[0] == 0xE2 && text[1] == 0x81 && text[2] >= 0xA6 && text[2] <= 0xA9)
		return 3;
	return 0;
}

size_t output_escape(FILE *file, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t hidden = unprintable(at);

	if (*at == '\n') {
		fputs("\\n", file);
		return 1;
	}
	for (size_t i = 0; i < hidden; i++)
		fprintf(file, "\\x%02X", at[i]);
	return hidden;
}

void output_text(FILE *file, const char *text)
{
	while (*text != '\0') {
		size_t escaped = output_escape(file, text);
		if (escaped == 0)
			putc(*text, file);
		text += escaped != 0 ? escaped : 1;
	}
}

void output_pair(FILE *file, const char *key, int width, const char *value)
{
	int padding = width - (int)strlen(key);

	fprintf(file, "  %s", output_style(file, STYLE_DIM));
	output_text(file, key);
	fprintf(file, "%s%*s ", output_style(file, STYLE_PLAIN), padding > 0 ? padding : 0, "");
	output_text(file, value);
	putc('\n', file);
}

void output_line(FILE *file, const char *key, const char *value)
{
	output_pair(file, key, OUTPUT_KEY_WIDTH, value);
}

const char *output_time(const Google__Protobuf__Timestamp *time, char out[OUTPUT_TIME_MAX])
{
	int64_t microseconds;

	if (time == NULL || time_from_timestamp(time, &microseconds) != 0)
		return "-";
	time_format(microseconds - (microseconds % TIME_SECOND + TIME_SECOND) % TIME_SECOND, out);
	return out;
}

static json_t *json_time(const Google__Protobuf__Timestamp *time)
{
	char text[TIME_TEXT_MAX];
	int64_t microseconds;

	if (time_from_timestamp(time, &microseconds) != 0)
		return json_null();
	time_format(microseconds, text);
	return json_string(text);
}

/* `DISCLOSURE_STATE_` of `DISCLOSURE_STATE_UNSPECIFIED`, the first of every enum. */
static size_t prefix_length(const ProtobufCEnumDescriptor *type)
{
	static const char first[] = "UNSPECIFIED";
	const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(type, 0);
	size_t length = value != NULL ? strlen(value->name) : 0;

	if (length < sizeof first - 1 || strcmp(value->name + length - (sizeof first - 1), first) != 0)
		return 0;
	return length - (sizeof first - 1);
}

const char *output_enum(const ProtobufCEnumDescriptor *type, int value)
{
	const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(type, value);

	return known != NULL ? known->name + prefix_length(type) : "?";
}

int output_enum_parse(const ProtobufCEnumDescriptor *type, const char *name, size_t length, int *out)
{
	size_t prefix = prefix_length(type);

	for (unsigned i = 0; i < type->n_values; i++) {
		const char *known = type->values[i].name + prefix;
		if (strlen(known) == length && strncasecmp(known, name, length) == 0) {
			*out = type->values[i].value;
			return 0;
		}
	}
	return -1;
}

void output_hex(FILE *file, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		fprintf(file, "%02x", bytes[i]);
}

static json_t *json_hex(const ProtobufCBinaryData *bytes)
{
	static const char digits[] = "0123456789abcdef";
	char *text = mem_alloc(bytes->len * 2 + 1);

	for (size_t i = 0; i < bytes->len; i++) {
		text[i * 2] = digits[bytes->data[i] >> 4];
		text[i * 2 + 1] = digits[bytes->data[i] & 0x0F];
	}
	json_t *json = json_stringn(text, bytes->len * 2);
	mem_free(text);
	return json;
}

static json_t *json_submessage(const ProtobufCMessage *message)
{
	if (message == NULL)
		return json_null();
	if (message->descriptor == &google__protobuf__timestamp__descriptor)
		return json_time((const Google__Protobuf__Timestamp *)message);
	return output_json(message);
}

/* One value of a field, at `member`. */
static json_t *json_value(const ProtobufCFieldDescriptor *field, const void *member)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_STRING: {
		const char *text = *(const char *const *)member;
		return json_string(text != NULL ? text : "");
	}
	case PROTOBUF_C_TYPE_BYTES:
		return json_hex(member);
	case PROTOBUF_C_TYPE_BOOL:
		return json_boolean(*(const protobuf_c_boolean *)member);
	case PROTOBUF_C_TYPE_ENUM: {
		int value = *(const int *)member;
		if (protobuf_c_enum_descriptor_get_value(field->descriptor, value) == NULL)
			return json_integer(value);
		return json_string(output_enum(field->descriptor, value));
	}
	case PROTOBUF_C_TYPE_MESSAGE:
		return json_submessage(*(const ProtobufCMessage *const *)member);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64: /* indices and sizes, below 2^63 */
	case PROTOBUF_C_TYPE_FIXED64:
		return json_integer(*(const int64_t *)member);
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		return json_integer(*(const uint32_t *)member);
	case PROTOBUF_C_TYPE_FLOAT:
		return json_real((double)*(const float *)member);
	case PROTOBUF_C_TYPE_DOUBLE:
		return json_real(*(const double *)member);
	default:
		return json_integer(*(const int32_t *)member);
	}
}

static size_t value_size(const ProtobufCFieldDescriptor *field)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	default:
		return 4;
	}
}

static json_t *json_repeated(const ProtobufCFieldDescriptor *field, const uint8_t *message)
{
	size_t count = *(const size_t *)(const void *)(message + field->quantifier_offset);
	const uint8_t *values = *(const uint8_t *const *)(const void *)(message + field->offset);
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_value(field, values + i * value_size(field)));
	return array;
}

json_t *output_json(const ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;
	const uint8_t *bytes = (const uint8_t *)message;
	json_t *object = json_object();

	for (unsigned i = 0; i < type->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &type->fields[i];
		if (field->label == PROTOBUF_C_LABEL_REPEATED) {
			json_object_set_new(object, field->name, json_repeated(field, bytes));
			continue;
		}
		if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 &&
			*(const uint32_t *)(const void *)(bytes + field->quantifier_offset) != field->id)
			continue;
		json_object_set_new(object, field->name, json_value(field, bytes + field->offset));
	}
	return object;
}

int output_json_write(FILE *file, json_t *object)
{
	int result = json_dumpf(object, file, JSON_COMPACT | JSON_PRESERVE_ORDER);

	json_decref(object);
	return putc('\n', file) == '\n' && result == 0 ? 0 : -1;
}

int output_json_line(json_t *object)
{
	int result = output_json_write(stdout, object);

	return output_flush() == 0 && result == 0 ? 0 : -1;
}
