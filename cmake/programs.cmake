# Each examples/*.c and bench/*.c is a program of its own, compiled as a user's would be (gnu11) and
# linked with libkin.so. An example with an .expected file beside it is a test, labelled examples.
# One that includes a header of a library that is not there is left out (`tools/deps examples`).
find_package(OpenSSL COMPONENTS Crypto)
find_package(CURL)
find_library(GMP_LIBRARY gmp)
find_path(GMP_INCLUDE gmp.h)
set(LIBRARY_openssl OpenSSL::Crypto)
set(LIBRARY_curl CURL::libcurl)
set(LIBRARY_gmp ${GMP_LIBRARY})
set(HAS_openssl ${OPENSSL_FOUND})
set(HAS_curl ${CURL_FOUND})
if(GMP_LIBRARY AND GMP_INCLUDE)
    set(HAS_gmp 1)
endif()

# The libraries of others that a program includes headers of, and the first that is not there.
function(kin_foreign source ret_libraries ret_missing)
    set(libraries "")
    set(missing "")
    foreach(library openssl curl gmp)
        file(STRINGS ${source} includes REGEX "^#include <${library}[/.]")
        if(includes AND HAS_${library})
            list(APPEND libraries ${LIBRARY_${library}})
        elseif(includes)
            set(missing ${library})
        endif()
    endforeach()
    set(${ret_libraries} "${libraries}" PARENT_SCOPE)
    set(${ret_missing} "${missing}" PARENT_SCOPE)
endfunction()

function(kin_programs folder) # and libraries that they share
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.c)
    foreach(source ${sources})
        get_filename_component(name ${source} NAME_WE)
        kin_foreign(${source} foreign missing)
        file(STRINGS ${source} copes REGEX "__has_include")
        if(missing AND NOT copes)
            message(STATUS "${folder}/${name}.c needs ${missing}: left out")
            continue()
        endif()
        set(target ${folder}.${name})
        add_executable(${target} ${source})
        target_link_libraries(${target} PRIVATE kin m ${ARGN} ${foreign})
        set_target_properties(${target} PROPERTIES C_EXTENSIONS ON OUTPUT_NAME ${name}
            RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/${folder})

        set(expected ${PROJECT_SOURCE_DIR}/${folder}/${name}.expected)
        if(EXISTS ${expected})
            add_test(NAME ${folder}/${name} COMMAND
                ${PROJECT_SOURCE_DIR}/tools/example $<TARGET_FILE:${target}> ${expected})
            set_tests_properties(${folder}/${name} PROPERTIES LABELS examples TIMEOUT 60
                SKIP_RETURN_CODE 77) # what it needs besides is not there
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
list(FILTER sources EXCLUDE REGEX "/(zmq|nng|hash_glib|pool_(glib|libuv|openmp))\\.c$")
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

find_package(PkgConfig)
foreach(peer glib libuv)
    string(TOUPPER ${peer} upper)
    if(PKG_CONFIG_FOUND)
        string(REPLACE "glib" "glib-2.0" package ${peer})
        pkg_check_modules(${upper} IMPORTED_TARGET ${package})
    endif()
    if(${upper}_FOUND)
        target_sources(kin_bench PRIVATE ${PROJECT_SOURCE_DIR}/bench/peers/pool_${peer}.c)
        target_link_libraries(kin_bench PUBLIC PkgConfig::${upper})
        target_compile_definitions(kin_bench PRIVATE BENCH_HAS_${upper}=1)
    endif()
endforeach()
if(GLIB_FOUND)
    target_sources(kin_bench PRIVATE ${PROJECT_SOURCE_DIR}/bench/peers/hash_glib.c)
endif()
find_package(OpenMP COMPONENTS C)
if(OpenMP_C_FOUND)
    set(source ${PROJECT_SOURCE_DIR}/bench/peers/pool_openmp.c)
    set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${OpenMP_C_FLAGS}")
    target_sources(kin_bench PRIVATE ${source})
    target_link_libraries(kin_bench PUBLIC ${OpenMP_C_LIBRARIES})
    target_compile_definitions(kin_bench PRIVATE BENCH_HAS_OPENMP=1)
endif()

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

find_package(OpenMP COMPONENTS C) # a peer of the loops; without it they are asked alone
if(OpenMP_C_FOUND)
    target_link_libraries(bench.pool_for PRIVATE OpenMP::OpenMP_C)
endif()

# The programs that are installed.
kin_programs(cli)
file(RELATIVE_PATH to_library ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
set_target_properties(cli.kin-manager PROPERTIES INSTALL_RPATH "$ORIGIN/${to_library}")
target_compile_definitions(cli.kin-manager PRIVATE KIN_VERSION="${PROJECT_VERSION}")
install(TARGETS cli.kin-manager RUNTIME)
install(FILES ${PROJECT_SOURCE_DIR}/docs/man/kin-manager.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
