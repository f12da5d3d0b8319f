#ifndef NEEDTOKNOW_RPC_DESCRIPTORS_INDEX_H
#define NEEDTOKNOW_RPC_DESCRIPTORS_INDEX_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

/* The files of the compiled-in google.protobuf.FileDescriptorSet, found by name and by the symbols that they define. */
#define DESCRIPTOR_FILES_MAX 32

/* A file's number, or -1. */
int descriptors_file(const char *name);
/* The file that defines a service, method, message, enum or field of this full name; or -1. */
int descriptors_symbol(const char *symbol);
/* That file's bytes and those of all that it imports; how many. The bytes are the program's own. */
size_t descriptors_with_imports(int file, ProtobufCBinaryData out[DESCRIPTOR_FILES_MAX]);

/* Full names of the services that are defined. */
size_t descriptors_service_count(void);
/* Valid until the next call. */
const char *descriptors_service_name(size_t index);

#endif
