# The generated C of every .proto, and the descriptor set that server reflection answers from.
find_program(PROTOC_C protoc-c REQUIRED)
find_program(PROTOC protoc REQUIRED)
find_path(WELL_KNOWN_PROTOS google/protobuf/timestamp.proto REQUIRED)

set(proto_root ${PROJECT_SOURCE_DIR}/proto)
set(proto_out ${CMAKE_BINARY_DIR}/proto)
file(GLOB_RECURSE proto_files CONFIGURE_DEPENDS RELATIVE ${proto_root} ${proto_root}/*.proto)
list(APPEND proto_files google/protobuf/timestamp.proto google/protobuf/any.proto)
# Read by server reflection itself, and no part of what it tells.
set(compiled_files ${proto_files} google/protobuf/descriptor.proto)

set(generated "")
foreach(file ${compiled_files})
  string(REGEX REPLACE "\\.proto$" ".pb-c.c" out ${proto_out}/${file})
  string(REGEX REPLACE "\\.c$" ".h" header ${out})
  set(source ${proto_root}/${file})
  if(NOT EXISTS ${source})
    set(source ${WELL_KNOWN_PROTOS}/${file})
  endif()
  add_custom_command(OUTPUT ${out} ${header}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${proto_out}
    COMMAND ${PROTOC_C} --proto_path=${proto_root} --proto_path=${WELL_KNOWN_PROTOS} --c_out=${proto_out} ${file}
    # protoc-c names a service's member after its method, also when that is a keyword of C (Register, Restrict).
    COMMAND sed -E -i "s/\\b(register|restrict)\\b/\\1_/g" ${out} ${header}
    DEPENDS ${source} VERBATIM)
  list(APPEND generated ${out} ${header})
endforeach()

add_library(needtoknow_proto STATIC ${generated})
target_include_directories(needtoknow_proto SYSTEM PUBLIC ${proto_out})
target_link_libraries(needtoknow_proto PUBLIC PkgConfig::PROTOBUF_C)
if(NEEDTOKNOW_SANITIZE)
  target_compile_options(needtoknow_proto PRIVATE -fsanitize=address,undefined)
endif()

# proto/descriptors.h: `extern const unsigned char descriptor_set[]; extern const size_t descriptor_set_length;`
set(descriptor_set ${CMAKE_BINARY_DIR}/proto/descriptors.pb)
add_custom_command(OUTPUT ${descriptor_set}
  COMMAND ${PROTOC} --proto_path=${proto_root} --proto_path=${WELL_KNOWN_PROTOS} --include_imports
    --descriptor_set_out=${descriptor_set} ${proto_files}
  DEPENDS needtoknow_proto VERBATIM)
add_custom_command(OUTPUT ${proto_out}/descriptors.c ${proto_out}/descriptors.h
  COMMAND ${CMAKE_COMMAND} -DINPUT=${descriptor_set} -DOUTPUT=${proto_out}/descriptors -P ${PROJECT_SOURCE_DIR}/cmake/embed_descriptors.cmake
  DEPENDS ${descriptor_set} ${PROJECT_SOURCE_DIR}/cmake/embed_descriptors.cmake VERBATIM)
add_library(needtoknow_descriptors STATIC ${proto_out}/descriptors.c)
target_include_directories(needtoknow_descriptors SYSTEM PUBLIC ${proto_out})
