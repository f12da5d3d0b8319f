# Every block of src/sql/*.sql becomes a `const struct statement`, every migration a `const struct migration`.
# The form of the files is told in src/sql/README.md.
file(GLOB sql_files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/sql/*.sql)
file(GLOB migration_files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/deploy/sql/migrations/*.sql)
set(sql_out ${CMAKE_BINARY_DIR}/sql)
add_custom_command(OUTPUT ${sql_out}/sql.c ${sql_out}/sql.h
  COMMAND ${CMAKE_COMMAND} -E make_directory ${sql_out}
  COMMAND ${PROJECT_SOURCE_DIR}/tools/embed_sql ${sql_out} ${sql_files} -- ${migration_files}
  DEPENDS ${sql_files} ${migration_files} ${PROJECT_SOURCE_DIR}/tools/embed_sql VERBATIM)
add_library(needtoknow_sql STATIC ${sql_out}/sql.c ${sql_out}/sql.h)
target_include_directories(needtoknow_sql PUBLIC ${sql_out} ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(needtoknow_sql PUBLIC PostgreSQL::PostgreSQL)
