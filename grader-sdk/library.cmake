# SPDX-License-Identifier: Apache-2.0
# xqueue_sdk_library(PREFIX NAME CORE ARCHIVES VERSION_NODE): the libraries PREFIX (shared) and PREFIX_static out of the archive
# CORE, whole, and what that needs of ARCHIVES; each is libNAME. Of all names only those in NAME.exports are visible: nothing of
# ours can clash with a name of the host, nor with another library that is made like this.
# The number in the soname and in the symbols' version: a program built against another one does not start.
set(soversion 0)
# What a merged object needs. Plain names: these stand in the installed package, too.
set(needed_libraries grpc gpr protobuf-c crypto)

function(xqueue_sdk_library prefix name core archives version_node)
  set(exports ${CMAKE_CURRENT_SOURCE_DIR}/${name}.exports)
  set(merged ${CMAKE_CURRENT_BINARY_DIR}/${name}.o)
  list(TRANSFORM archives REPLACE "(.+)" "$<TARGET_FILE:\\1>" OUTPUT_VARIABLE archive_files)
  add_custom_command(
    OUTPUT ${merged}
    COMMAND ${CMAKE_LINKER} -r -o ${merged}.all --whole-archive $<TARGET_FILE:${core}> --no-whole-archive
            --start-group ${archive_files} --end-group
    COMMAND ${CMAKE_OBJCOPY} --keep-global-symbols=${exports} ${merged}.all ${merged}
    COMMAND ${CMAKE_COMMAND} -E rm ${merged}.all
    DEPENDS ${core} ${archives} ${exports}
    VERBATIM)
  set_source_files_properties(${merged} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)

  add_library(${prefix}_static STATIC ${merged})
  add_library(${prefix} SHARED ${merged})
  foreach(target ${prefix} ${prefix}_static)
    set_target_properties(${target} PROPERTIES LINKER_LANGUAGE C OUTPUT_NAME ${name})
    target_include_directories(${target} INTERFACE
      $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  endforeach()
  target_link_libraries(${prefix}_static INTERFACE ${needed_libraries} Threads::Threads)

  set(version_script ${CMAKE_CURRENT_BINARY_DIR}/${name}.map)
  file(STRINGS ${exports} exported_names)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${exports})
  list(JOIN exported_names "; " exported_names)
  file(CONFIGURE OUTPUT ${version_script} CONTENT "@version_node@_@soversion@ { global: @exported_names@; local: *; };\n" @ONLY)
  target_link_libraries(${prefix} PRIVATE ${needed_libraries} Threads::Threads)
  # What sanitizers need at the link; only in builds that have them.
  if(XQUEUE_SANITIZE)
    target_link_options(${prefix} PRIVATE -fsanitize=${XQUEUE_SANITIZE})
  else()
    target_link_options(${prefix} PRIVATE -Wl,-z,defs)
  endif()
  target_link_options(${prefix} PRIVATE -Wl,--version-script=${version_script} -Wl,--as-needed)
  set_target_properties(${prefix} PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${soversion} LINK_DEPENDS ${version_script})
endfunction()
