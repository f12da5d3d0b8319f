# Programs that only tests use.
add_subdirectory(${CMAKE_CURRENT_SOURCE_DIR}/system/transport)
