#include "rpc/descriptors_index.h"

#include <assert.h>
#include <descriptors.h>
#include <google/protobuf/descriptor.pb-c.h>
#include <stdbool.h>
#include <string.h>

/* Unpacked once, at the first question; it lives as long as the process. */
static const Google__Protobuf__FileDescriptorSet *set(void)
{
	static Google__Protobuf__FileDescriptorSet *unpacked;
	if (!unpacked)
		unpacked = google__protobuf__file_descriptor_set__unpack(NULL, descriptor_set_length, descriptor_set);
	assert(unpacked && unpacked->n_file <= DESCRIPTOR_FILES_MAX);
	return unpacked;
}

/* The serialized files, which are the set's field 1, in its order. */
static ProtobufCBinaryData file_bytes(size_t number)
{
	const unsigned char *at = descriptor_set;
	for (size_t i = 0;; i++) {
		size_t length = 0;
		assert(*at == 0x0a);
		at++;
		for (unsigned shift = 0;; shift += 7) {
			length |= (size_t)(*at & 0x7f) << shift;
			if (!(*at++ & 0x80))
				break;
		}
		if (i == number)
			return (ProtobufCBinaryData){ .len = length, .data = (uint8_t *)at };
		at += length;
	}
}

int descriptors_file(const char *name)
{
	for (size_t i = 0; i < set()->n_file; i++)
		if (!strcmp(set()->file[i]->name, name))
			return (int)i;
	return -1;
}

/* What is left of `symbol` behind `prefix` and a dot; "" when it is the prefix itself; NULL when it does not begin so.
 */
static const char *behind(const char *symbol, const char *prefix)
{
	size_t length = strlen(prefix);
	if (strncmp(symbol, prefix, length))
		return NULL;
	if (!symbol[length])
		return "";
	return symbol[length] == '.' ? symbol + length + 1 : NULL;
}

static bool enum_defines(const Google__Protobuf__EnumDescriptorProto *type, const char *name)
{
	const char *rest = behind(name, type->name);
	return rest && !*rest;
}

static bool field_named(const Google__Protobuf__DescriptorProto *type, const char *name)
{
	for (size_t i = 0; i < type->n_field; i++)
		if (!strcmp(type->field[i]->name, name))
			return true;
	return false;
}

/* Nested types are nested no deeper than our own files have them. */
static bool message_defines(const Google__Protobuf__DescriptorProto *type, const char *name, int depth)
{
	const char *rest = behind(name, type->name);
	if (!rest || depth > 4)
		return false;
	if (!*rest || field_named(type, rest))
		return true;
	for (size_t i = 0; i < type->n_nested_type; i++)
		if (message_defines(type->nested_type[i], rest, depth + 1))
			return true;
	for (size_t i = 0; i < type->n_enum_type; i++)
		if (enum_defines(type->enum_type[i], rest))
			return true;
	return false;
}

static bool service_defines(const Google__Protobuf__ServiceDescriptorProto *service, const char *name)
{
	const char *rest = behind(name, service->name);
	if (rest && !*rest)
		return true;
	for (size_t i = 0; rest && i < service->n_method; i++)
		if (!strcmp(service->method[i]->name, rest))
			return true;
	return false;
}

static bool file_defines(const Google__Protobuf__FileDescriptorProto *file, const char *symbol)
{
	const char *name = behind(symbol, file->package);
	if (!name || !*name)
		return false;
	for (size_t i = 0; i < file->n_service; i++)
		if (service_defines(file->service[i], name))
			return true;
	for (size_t i = 0; i < file->n_message_type; i++)
		if (message_defines(file->message_type[i], name, 0))
			return true;
	for (size_t i = 0; i < file->n_enum_type; i++)
		if (enum_defines(file->enum_type[i], name))
			return true;
	return false;
}

int descriptors_symbol(const char *symbol)
{
	for (size_t i = 0; i < set()->n_file; i++)
		if (file_defines(set()->file[i], symbol))
			return (int)i;
	return -1;
}

size_t descriptors_with_imports(int file, ProtobufCBinaryData out[DESCRIPTOR_FILES_MAX])
{
	int numbers[DESCRIPTOR_FILES_MAX] = { file };
	size_t count = 1;
	for (size_t i = 0; i < count; i++) {
		const Google__Protobuf__FileDescriptorProto *from = set()->file[numbers[i]];
		out[i] = file_bytes((size_t)numbers[i]);
		for (size_t j = 0; j < from->n_dependency; j++) {
			int imported = descriptors_file(from->dependency[j]);
			bool known = imported < 0;
			for (size_t k = 0; !known && k < count; k++)
				known = numbers[k] == imported;
			if (!known)
				numbers[count++] = imported;
		}
	}
	return count;
}

size_t descriptors_service_count(void)
{
	size_t count = 0;
	for (size_t i = 0; i < set()->n_file; i++)
		count += set()->file[i]->n_service;
	return count;
}

const char *descriptors_service_name(size_t index)
{
	static char name[256];
	for (size_t i = 0; i < set()->n_file; i++) {
		const Google__Protobuf__FileDescriptorProto *file = set()->file[i];
		if (index < file->n_service) {
			size_t package = strlen(file->package), own = strlen(file->service[index]->name);
			assert(package + own + 2 <= sizeof name);
			memcpy(name, file->package, package);
			name[package] = '.';
			memcpy(name + package + 1, file->service[index]->name, own + 1);
			return name;
		}
		index -= file->n_service;
	}
	return NULL;
}
