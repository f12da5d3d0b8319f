# INPUT (a binary file) -> OUTPUT.c and OUTPUT.h, an array of bytes.
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n" bytes "${bytes}")
file(WRITE ${OUTPUT}.h "#ifndef DESCRIPTORS_H\n#define DESCRIPTORS_H\n#include <stddef.h>\n/* A serialized google.protobuf.FileDescriptorSet of every .proto, imports included. */\nextern const unsigned char descriptor_set[];\nextern const size_t descriptor_set_length;\n#endif\n")
file(WRITE ${OUTPUT}.c "#include \"descriptors.h\"\nconst unsigned char descriptor_set[] = {\n${bytes}\n};\nconst size_t descriptor_set_length = sizeof descriptor_set;\n")
