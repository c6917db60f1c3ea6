# One function per kind of target; every target of the project is made by one of these.

# What programs and manual pages say that they are; a package says its own version with -DFC_VERSION=…
if(NOT DEFINED FC_VERSION)
    set(FC_VERSION ${PROJECT_VERSION})
endif()

# What is common to all code of ours: warnings, sanitizers, no extensions beyond GNU C.
add_library(fc_options INTERFACE)
target_compile_definitions(fc_options INTERFACE _GNU_SOURCE FC_VERSION="${FC_VERSION}")
target_compile_options(fc_options INTERFACE
    -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror
    -fno-omit-frame-pointer -fno-common)
target_include_directories(fc_options INTERFACE ${CMAKE_SOURCE_DIR})
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
    target_compile_options(fc_options INTERFACE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE)
    target_link_options(fc_options INTERFACE -pie -Wl,-z,relro,-z,now)
endif()
if(FC_SANITIZE)
    add_compile_options(-fsanitize=${FC_SANITIZE} -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${FC_SANITIZE})
endif()
if(FC_LIBFUZZER)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# fc_library(NAME SOURCES … HEADERS … LINK …): a static library; its headers must compile alone.
function(fc_library name)
    cmake_parse_arguments(ARG "" "" "SOURCES;HEADERS;LINK" ${ARGN})
    add_library(${name} STATIC ${ARG_SOURCES})
    target_sources(${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${CMAKE_SOURCE_DIR} FILES ${ARG_HEADERS})
    target_link_libraries(${name} PRIVATE fc_options PUBLIC ${ARG_LINK})
    # The header check compiles outside the target: it needs the same definitions.
    target_compile_definitions(${name} PUBLIC _GNU_SOURCE)
endfunction()

# fc_program(NAME SOURCES … LINK …): an installed program in build/<preset>/bin.
function(fc_program name)
    cmake_parse_arguments(ARG "" "DESTINATION" "SOURCES;LINK" ${ARGN})
    add_executable(${name} ${ARG_SOURCES})
    target_link_libraries(${name} PRIVATE fc_options ${ARG_LINK})
    if(NOT ARG_DESTINATION)
        set(ARG_DESTINATION ${CMAKE_INSTALL_BINDIR})
    endif()
    install(TARGETS ${name} DESTINATION ${ARG_DESTINATION})
endfunction()

# fc_test(NAME LABEL label SOURCES … LINK … [TIMEOUT s]): a cmocka program registered with ctest.
function(fc_test name)
    cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SOURCES;LINK" ${ARGN})
    add_executable(${name} ${ARG_SOURCES})
    target_link_libraries(${name} PRIVATE fc_options cmocka temp_dir ${ARG_LINK})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    if(NOT ARG_TIMEOUT)
        set(ARG_TIMEOUT 180) # a loaded machine with sanitizers is slow
    endif()
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT})
    if(FC_SANITIZE STREQUAL "thread")
        set_tests_properties(${name} PROPERTIES
            ENVIRONMENT TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/tsan.supp)
    endif()
endfunction()

# fc_system_test(NAME SCRIPT script [LONG] [SERIAL] [TIMEOUT s]): a script that runs the programs of this build tree,
# in network namespaces of its own. LONG: also labelled long. SERIAL: no other test beside it.
function(fc_system_test name)
    cmake_parse_arguments(ARG "LONG;SERIAL" "SCRIPT;TIMEOUT" "" ${ARGN})
    if(NOT ARG_TIMEOUT)
        set(ARG_TIMEOUT 300)
    endif()
    set(labels system)
    if(ARG_LONG)
        list(APPEND labels long)
    endif()
    add_test(NAME ${name} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_SCRIPT})
    set_tests_properties(${name} PROPERTIES LABELS "${labels}" TIMEOUT ${ARG_TIMEOUT} RUN_SERIAL ${ARG_SERIAL}
        ENVIRONMENT FLEET_BUILD=${CMAKE_BINARY_DIR} SKIP_RETURN_CODE 77)
endfunction()

# fc_fuzz(NAME SOURCES … LINK … CORPUS dir): LLVMFuzzerTestOneInput in SOURCES. Under the fuzz preset a
# libFuzzer program; everywhere else a replayer that runs the corpus (and mutations of it) as a test.
function(fc_fuzz name)
    cmake_parse_arguments(ARG "" "CORPUS" "SOURCES;LINK" ${ARGN})
    add_executable(${name} ${ARG_SOURCES})
    target_link_libraries(${name} PRIVATE fc_options ${ARG_LINK})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    if(FC_LIBFUZZER)
        target_link_options(${name} PRIVATE -fsanitize=fuzzer)
        add_test(NAME ${name} COMMAND ${name} -runs=0 ${ARG_CORPUS})
    else()
        target_sources(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests/fuzz/replay.c)
        add_test(NAME ${name} COMMAND ${name} ${ARG_CORPUS})
    endif()
    set_tests_properties(${name} PROPERTIES LABELS fuzz TIMEOUT 300)
endfunction()

# fc_proto(NAME PROTOS …): the protobuf-c code of our .proto files; generated, so not under our warnings.
function(fc_proto name)
    cmake_parse_arguments(ARG "" "" "PROTOS" ${ARGN})
    set(out ${CMAKE_BINARY_DIR}/generated)
    set(sources)
    foreach(proto ${ARG_PROTOS})
        string(REGEX REPLACE "\\.proto$" "" stem ${proto})
        add_custom_command(
            OUTPUT ${out}/${stem}.pb-c.c ${out}/${stem}.pb-c.h
            COMMAND ${CMAKE_COMMAND} -E make_directory ${out}
            COMMAND ${PROTOC} --c_out=${out} -I ${CMAKE_CURRENT_SOURCE_DIR} -I /usr/include ${proto}
            DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${proto}
            WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} VERBATIM)
        list(APPEND sources ${out}/${stem}.pb-c.c ${out}/${stem}.pb-c.h)
    endforeach()
    add_library(${name} STATIC ${sources})
    target_include_directories(${name} SYSTEM PUBLIC ${out})
    target_link_libraries(${name} PUBLIC PkgConfig::PROTOBUF_C)
endfunction()
