# Programs and parts that only tests use.
add_subdirectory(${CMAKE_CURRENT_SOURCE_DIR}/system/transport)
add_subdirectory(${CMAKE_CURRENT_SOURCE_DIR}/bench)

# A server and HTTP/2 peers in one thread, with certificates made on the spot.
add_library(tests_transport STATIC unit/io/transport_scene.c unit/io/certificates.c)
target_link_libraries(tests_transport PUBLIC needtoknow_io PkgConfig::CMOCKA)
file(GLOB transport_tests CONFIGURE_DEPENDS
  ${CMAKE_CURRENT_SOURCE_DIR}/unit/io/test_connection*.c ${CMAKE_CURRENT_SOURCE_DIR}/unit/io/test_tls*.c
  ${CMAKE_CURRENT_SOURCE_DIR}/unit/io/test_server*.c)
foreach(test ${transport_tests})
  get_filename_component(name ${test} NAME_WE)
  target_link_libraries(io_${name} PRIVATE tests_transport)
endforeach()
