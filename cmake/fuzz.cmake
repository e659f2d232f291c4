# Each tests/fuzz/*_fuzz.c is a program of its own, for libFuzzer: that file, and the library's sources,
# under AddressSanitizer and UBSan. Needs clang.
if(NOT CMAKE_C_COMPILER_ID MATCHES Clang)
    message(FATAL_ERROR "KIN_FUZZ needs clang: -DCMAKE_C_COMPILER=clang")
endif()
set(fuzz_sanitizers address,undefined)

add_library(kin_fuzzed STATIC ${sources})
target_link_libraries(kin_fuzzed PUBLIC kin_flags m)
target_compile_definitions(kin_fuzzed PUBLIC KIN__TESTING=0)
target_compile_options(kin_fuzzed PUBLIC
    -fsanitize=fuzzer-no-link,${fuzz_sanitizers} -fno-sanitize-recover=all)
set_target_properties(kin_fuzzed PROPERTIES C_EXTENSIONS OFF)

file(GLOB fuzzers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/fuzz/*_fuzz.c)
foreach(fuzzer ${fuzzers})
    get_filename_component(name ${fuzzer} NAME_WE)
    add_executable(fuzz.${name} ${fuzzer})
    target_link_libraries(fuzz.${name} PRIVATE kin_fuzzed)
    target_compile_definitions(fuzz.${name} PRIVATE _GNU_SOURCE)
    target_include_directories(fuzz.${name} PRIVATE
        ${PROJECT_SOURCE_DIR}/tests ${PROJECT_SOURCE_DIR}/src)
    target_link_options(fuzz.${name} PRIVATE -fsanitize=fuzzer,${fuzz_sanitizers})
    set_target_properties(fuzz.${name} PROPERTIES C_EXTENSIONS OFF OUTPUT_NAME ${name}
        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
endforeach()
