# Warnings, hardening and sanitizers: one interface library that every target of ours links.
option(SLUICE_WERROR "Treat warnings as errors" ON)
option(SLUICE_TEST_POINTS "Build in the crash points of server/base/crash.h" OFF)
option(SLUICE_FUZZ "Build tests/fuzz as libFuzzer programs (clang)" OFF)
set(SLUICE_SANITIZE "" CACHE STRING "Sanitizers to build with: address,undefined or thread")

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

add_library(sluice_compile INTERFACE)
target_include_directories(sluice_compile INTERFACE
    "${CMAKE_SOURCE_DIR}" "${CMAKE_SOURCE_DIR}/server" "${CMAKE_BINARY_DIR}/generated")
target_compile_definitions(sluice_compile INTERFACE _GNU_SOURCE SLUICE_VERSION="${PROJECT_VERSION}")
target_compile_options(sluice_compile INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes
    -Wmissing-prototypes -Wformat=2 -Wundef -Wvla -Wcast-qual -Wwrite-strings -Wswitch-enum
    -Wimplicit-fallthrough -fno-delete-null-pointer-checks
    $<$<C_COMPILER_ID:Clang>:-Wno-string-concatenation>) # tables of long texts
if(SLUICE_WERROR)
  target_compile_options(sluice_compile INTERFACE -Werror)
endif()
find_package(Threads REQUIRED)
target_link_libraries(sluice_compile INTERFACE Threads::Threads)

if(SLUICE_TEST_POINTS)
  target_compile_definitions(sluice_compile INTERFACE SLUICE_TEST_POINTS)
endif()

if(SLUICE_FUZZ)
  target_compile_options(sluice_compile INTERFACE -fsanitize=fuzzer-no-link)
endif()

if(SLUICE_SANITIZE)
  target_compile_options(sluice_compile INTERFACE
      -fsanitize=${SLUICE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(sluice_compile INTERFACE -fsanitize=${SLUICE_SANITIZE})
else()
  target_compile_options(sluice_compile INTERFACE
      -fstack-protector-strong -fstack-clash-protection -fcf-protection=full
      $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=3>
      $<$<C_COMPILER_ID:GNU>:-ftrivial-auto-var-init=zero>)
  target_link_options(sluice_compile INTERFACE -pie -Wl,-z,relro,-z,now,-z,noexecstack)
endif()
