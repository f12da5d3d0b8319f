# One interface target that carries the language rules of CONTRIBUTING.md to everything that we write.
add_library(needtoknow_options INTERFACE)
target_compile_definitions(needtoknow_options INTERFACE _GNU_SOURCE NEEDTOKNOW_VERSION="${PROJECT_VERSION}")
target_compile_options(needtoknow_options INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Werror -fno-omit-frame-pointer)

# Assertions hold invariants that promises rest on: they stay in release builds.
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELWITHDEBINFO "${CMAKE_C_FLAGS_RELWITHDEBINFO}")

if(CMAKE_BUILD_TYPE MATCHES "Rel")
  target_compile_options(needtoknow_options INTERFACE -fstack-protector-strong -fPIE)
  target_compile_definitions(needtoknow_options INTERFACE _FORTIFY_SOURCE=2)
  target_link_options(needtoknow_options INTERFACE -pie -Wl,-z,relro,-z,now)
endif()
if(NEEDTOKNOW_SANITIZE)
  target_compile_options(needtoknow_options INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=undefined)
  target_link_options(needtoknow_options INTERFACE -fsanitize=address,undefined)
endif()
if(NEEDTOKNOW_COVERAGE)
  target_compile_options(needtoknow_options INTERFACE --coverage -O0)
  target_link_options(needtoknow_options INTERFACE --coverage)
endif()
if(NEEDTOKNOW_FAULT_HOOKS)
  target_compile_definitions(needtoknow_options INTERFACE NEEDTOKNOW_FAULT_HOOKS)
endif()
if(NEEDTOKNOW_FUZZ)
  target_compile_options(needtoknow_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
