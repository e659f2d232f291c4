# The library, twice: `kin` and `kin_static` are what users get; `kin_testing` is what tests link
# with: the same sources with KIN__TESTING=1 (named steps to die at, faults to inject).
file(GLOB sources CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR} src/*/*.c)
list(FILTER sources EXCLUDE REGEX "/\\.")
if(NOT sources)
    message(FATAL_ERROR "no sources under src/")
endif()

# os/ is the only room that may see Linux; the others are written for POSIX.
foreach(source ${sources})
    if(source MATCHES "^src/os/")
        set_source_files_properties(${source} PROPERTIES COMPILE_DEFINITIONS _GNU_SOURCE)
    else()
        set_source_files_properties(${source} PROPERTIES
            COMPILE_DEFINITIONS _POSIX_C_SOURCE=200809L)
    endif()
endforeach()

add_library(kin_objects OBJECT ${sources})
add_library(kin_testing STATIC EXCLUDE_FROM_ALL ${sources})
foreach(target kin_objects kin_testing)
    target_link_libraries(${target} PUBLIC kin_flags)
    set_target_properties(${target} PROPERTIES C_EXTENSIONS OFF)
endforeach()
target_compile_definitions(kin_testing PUBLIC KIN__TESTING=1)
target_link_libraries(kin_testing PUBLIC m)
target_compile_definitions(kin_objects PRIVATE KIN__TESTING=0)
set_target_properties(kin_objects PROPERTIES
    POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
target_compile_options(kin_objects PRIVATE -fno-semantic-interposition)

add_library(kin SHARED $<TARGET_OBJECTS:kin_objects>)
add_library(kin_static STATIC $<TARGET_OBJECTS:kin_objects>)
target_link_libraries(kin PUBLIC kin_flags)
target_link_libraries(kin_static PUBLIC kin_flags PRIVATE m)
set_target_properties(kin PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0
    LINKER_LANGUAGE C LINK_DEPENDS ${PROJECT_SOURCE_DIR}/src/kin.map)
set_target_properties(kin_static PROPERTIES OUTPUT_NAME kin LINKER_LANGUAGE C)
target_link_options(kin PRIVATE -static-libgcc
    -Wl,--version-script=${PROJECT_SOURCE_DIR}/src/kin.map -Wl,--as-needed)
if(NOT KIN_SANITIZE)
    target_link_options(kin PRIVATE -Wl,--no-undefined)
endif()

# kin.pc for an installed library; kin-uninstalled.pc, which pkg-config prefers, for this tree.
set(pc_prefix ${CMAKE_INSTALL_PREFIX})
set(pc_includedir ${CMAKE_INSTALL_FULL_INCLUDEDIR})
set(pc_libdir ${CMAKE_INSTALL_FULL_LIBDIR})
set(pc_rpath "")
configure_file(cmake/kin.pc.in kin.pc @ONLY)
set(pc_prefix ${PROJECT_SOURCE_DIR})
set(pc_includedir ${PROJECT_SOURCE_DIR}/include)
set(pc_libdir ${PROJECT_BINARY_DIR})
set(pc_rpath "-Wl,-rpath,\${libdir} ")
configure_file(cmake/kin.pc.in kin-uninstalled.pc @ONLY)

install(TARGETS kin kin_static)
install(FILES ${PROJECT_SOURCE_DIR}/include/kin.h TYPE INCLUDE)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/kin TYPE INCLUDE FILES_MATCHING PATTERN "*.h")
install(FILES ${PROJECT_BINARY_DIR}/kin.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
