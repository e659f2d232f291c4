# One set of flags for everything that is compiled here, in the target `kin_flags`.
if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_FLAGS_DEBUG "-Og -g")
set(CMAKE_C_FLAGS_RELEASE "-O2 -g -DNDEBUG")
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

add_library(kin_flags INTERFACE)
target_include_directories(kin_flags INTERFACE ${PROJECT_SOURCE_DIR}/include)
target_link_libraries(kin_flags INTERFACE Threads::Threads)
target_compile_options(kin_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
    $<$<BOOL:${KIN_WERROR}>:-Werror>
    -fno-omit-frame-pointer
    -ffile-prefix-map=${PROJECT_SOURCE_DIR}/=)
if(KIN_SANITIZE)
    target_compile_options(kin_flags INTERFACE
        -fsanitize=${KIN_SANITIZE} -fno-sanitize-recover=all)
    target_link_options(kin_flags INTERFACE -fsanitize=${KIN_SANITIZE})
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
    target_compile_options(kin_flags INTERFACE
        -fstack-protector-strong -fstack-clash-protection -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
    target_link_options(kin_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
endif()
if(KIN_COVERAGE)
    target_compile_options(kin_flags INTERFACE --coverage)
    target_link_options(kin_flags INTERFACE --coverage)
endif()
