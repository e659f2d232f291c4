# Each tests/<kind>/**/*_test.c is a program of its own: that file, the harness, the test build of
# the library, Check. Its ctest label is its kind; a *_threads_test.c is also labelled threads.
find_package(PkgConfig REQUIRED)
pkg_check_modules(check REQUIRED IMPORTED_TARGET check)

add_library(kin_harness STATIC
    tests/harness.c tests/harness_leaks.c tests/harness_loops.c)
target_compile_definitions(kin_harness PUBLIC _GNU_SOURCE
    KIN_TESTS_AT="${PROJECT_SOURCE_DIR}/tests")
target_link_libraries(kin_harness PUBLIC kin_testing PkgConfig::check)
target_include_directories(kin_harness PUBLIC
    ${PROJECT_SOURCE_DIR}/tests ${PROJECT_SOURCE_DIR}/src)
set_target_properties(kin_harness PROPERTIES C_EXTENSIONS OFF)

foreach(kind unit contract fault interop stress regress)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${kind}/*_test.c)
    foreach(source ${sources})
        file(RELATIVE_PATH name ${PROJECT_SOURCE_DIR}/tests ${source})
        string(REGEX REPLACE "\\.c$" "" name ${name})
        string(REPLACE "/" "." target ${name})
        get_filename_component(folder ${name} DIRECTORY)
        get_filename_component(program ${name} NAME)

        add_executable(${target} ${source})
        target_link_libraries(${target} PRIVATE kin_harness)
        set_target_properties(${target} PROPERTIES C_EXTENSIONS OFF OUTPUT_NAME ${program}
            RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/${folder})

        set(labels ${kind})
        if(name MATCHES "_threads_test$")
            list(APPEND labels threads)
        endif()
        add_test(NAME ${name} COMMAND ${target})
        set_tests_properties(${name} PROPERTIES LABELS "${labels}" TIMEOUT 600)
        if(name MATCHES "harness|shm|share") # others would see their names in /dev/shm
            set_tests_properties(${name} PROPERTIES RUN_SERIAL ON)
        endif()
        if(kind STREQUAL "stress")
            set_tests_properties(${name} PROPERTIES TIMEOUT 1200)
        endif()
    endforeach()
endforeach()
