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

# What the benches share. They ask CPython, through the scripts in bench/peers, and other libraries
# where they are there (`tools/deps bench`): bench/peers/absent.c stands in for one that is not.
file(GLOB sources CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/bench/common/*.c ${PROJECT_SOURCE_DIR}/bench/peers/*.c)
list(FILTER sources EXCLUDE REGEX "/(zmq|nng)\\.c$")
add_library(kin_bench STATIC ${sources})
target_link_libraries(kin_bench PRIVATE kin)
target_link_options(kin_bench INTERFACE -Wl,--as-needed) # a bench without these peers starts faster
target_compile_definitions(kin_bench PRIVATE _GNU_SOURCE BENCH_PYTHON="/usr/bin/python3"
    BENCH_PEERS="${PROJECT_SOURCE_DIR}/bench/peers")

foreach(peer zmq nng)
    string(TOUPPER ${peer} upper)
    find_library(${upper}_LIBRARY ${peer})
    find_path(${upper}_INCLUDE NAMES ${peer}.h ${peer}/${peer}.h)
    if(${upper}_LIBRARY AND ${upper}_INCLUDE)
        target_sources(kin_bench PRIVATE ${PROJECT_SOURCE_DIR}/bench/peers/${peer}.c)
        target_include_directories(kin_bench SYSTEM PRIVATE ${${upper}_INCLUDE})
        target_link_libraries(kin_bench PUBLIC ${${upper}_LIBRARY})
        target_compile_definitions(kin_bench PRIVATE BENCH_HAS_${upper}=1)
    endif()
endforeach()

include(CheckLanguage)
check_language(CXX)
find_path(BOOST_INCLUDE boost/interprocess/ipc/message_queue.hpp)
if(CMAKE_CXX_COMPILER AND BOOST_INCLUDE)
    enable_language(CXX)
    add_library(kin_bench_boost OBJECT ${PROJECT_SOURCE_DIR}/bench/peers/boost.cc)
    target_compile_options(kin_bench_boost PRIVATE -Wall -Wextra)
    target_include_directories(kin_bench_boost SYSTEM PRIVATE ${BOOST_INCLUDE})
    target_sources(kin_bench PRIVATE $<TARGET_OBJECTS:kin_bench_boost>)
    target_link_libraries(kin_bench PUBLIC stdc++)
    target_compile_definitions(kin_bench PRIVATE BENCH_HAS_BOOST=1)
endif()
kin_programs(bench kin_bench)
