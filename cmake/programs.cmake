# Each examples/*.c and bench/*.c is a program of its own, compiled as a user's would be (gnu11) and
# linked with libkin.so. An example with an .expected file beside it is a test, labelled examples.
find_package(OpenSSL COMPONENTS Crypto)

function(kin_programs folder) # and libraries that they share
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.c)
    foreach(source ${sources})
        get_filename_component(name ${source} NAME_WE)
        file(STRINGS ${source} crypto REGEX "^#include <openssl/")
        if(crypto AND NOT OPENSSL_FOUND)
            message(STATUS "${folder}/${name}.c needs OpenSSL: left out")
            continue()
        endif()
        set(target ${folder}.${name})
        add_executable(${target} ${source})
        target_link_libraries(${target} PRIVATE kin m ${ARGN})
        if(crypto)
            target_link_libraries(${target} PRIVATE OpenSSL::Crypto)
        endif()
        set_target_properties(${target} PROPERTIES C_EXTENSIONS ON OUTPUT_NAME ${name}
            RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/${folder})

        set(expected ${PROJECT_SOURCE_DIR}/${folder}/${name}.expected)
        if(EXISTS ${expected})
            add_test(NAME ${folder}/${name} COMMAND
                ${PROJECT_SOURCE_DIR}/tools/example $<TARGET_FILE:${target}> ${expected})
            set_tests_properties(${folder}/${name} PROPERTIES LABELS examples TIMEOUT 60)
            if(name MATCHES "segment") # tests would see its name in /dev/shm
                set_tests_properties(${folder}/${name} PROPERTIES RUN_SERIAL ON)
            endif()
        endif()
    endforeach()
endfunction()

kin_programs(examples)

# What the benches share. They ask CPython, through the scripts in bench/peers.
file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/common/*.c)
add_library(kin_bench STATIC ${sources})
target_link_libraries(kin_bench PRIVATE kin)
target_compile_definitions(kin_bench PRIVATE _GNU_SOURCE BENCH_PYTHON="/usr/bin/python3"
    BENCH_PEERS="${PROJECT_SOURCE_DIR}/bench/peers")
kin_programs(bench kin_bench)
