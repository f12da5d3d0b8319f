# `cmake --install build/release`, and `cpack --config build/release/CPackConfig.cmake` for a Debian package.
if(CMAKE_INSTALL_PREFIX_INITIALIZED_TO_DEFAULT)
  set(CMAKE_INSTALL_PREFIX /usr CACHE PATH "" FORCE)
endif()
include(GNUInstallDirs)

foreach(program needtoknowd needtoknow)
  if(TARGET ${program})
    install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT runtime)
  endif()
endforeach()
install(FILES deploy/systemd/needtoknowd.service deploy/systemd/needtoknow-maintain.service deploy/systemd/needtoknow-maintain.timer
  DESTINATION lib/systemd/system COMPONENT runtime)
install(FILES deploy/systemd/needtoknow-checkpoint.service deploy/systemd/needtoknow-checkpoint.timer
  DESTINATION lib/systemd/system COMPONENT runtime)
install(PROGRAMS deploy/systemd/mail-checkpoint DESTINATION lib/needtoknow COMPONENT runtime)
install(FILES deploy/systemd/needtoknow.sysusers DESTINATION lib/sysusers.d RENAME needtoknow.conf COMPONENT runtime)
install(FILES deploy/needtoknowd.yaml deploy/policy.yaml
  DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/needtoknow/examples COMPONENT runtime)
install(DIRECTORY deploy/high-availability
  DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/needtoknow/examples COMPONENT runtime)
install(FILES deploy/sql/roles.sql deploy/sql/reference.sql
  DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/needtoknow/examples/sql COMPONENT runtime)
install(FILES LICENSE NOTICE README.md DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/needtoknow COMPONENT runtime OPTIONAL)
install(FILES doc/needtoknow.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT runtime)
install(FILES doc/needtoknowd.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8 COMPONENT runtime)
install(FILES share/bash-completion/needtoknow DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT runtime)
install(DIRECTORY proto/needtoknow DESTINATION ${CMAKE_INSTALL_DATADIR}/needtoknow/proto COMPONENT runtime)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "the needtoknow authors")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "shares clients' data with service providers: the least, in time, and logged before it leaves")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_COMPONENTS_ALL runtime)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS postgresql)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${PROJECT_SOURCE_DIR}/deploy/systemd/postinst)
include(CPack)
