# sluice_layer(NAME FOLDER DEPS …)    a static library of FOLDER/*.c
# sluice_program(NAME FOLDER DEPS …)  a program of FOLDER/*.c; all but main.c is also the library NAME_parts, for tests
# A DEP is another layer, or a library of SluiceDependencies.  SQL among the DEPS embeds db/sql and migrations.
function(sluice_link target)
  target_link_libraries(${target} PUBLIC sluice_compile)
  foreach(dep IN LISTS ARGN)
    if(TARGET dep_${dep})
      target_link_libraries(${target} PUBLIC dep_${dep})
    elseif(dep STREQUAL "SQL")
      sluice_embed_sql(${target})
    else()
      target_link_libraries(${target} PUBLIC sluice_${dep})
    endif()
  endforeach()
endfunction()

function(sluice_layer name folder)
  cmake_parse_arguments(ARG "" "" "DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/${folder}/*.c")
  if(sources)
    add_library(sluice_${name} STATIC ${sources})
    sluice_link(sluice_${name} ${ARG_DEPS})
  else()
    message(STATUS "layer ${name}: ${folder} holds no source yet")
    add_library(sluice_${name} INTERFACE)
    target_link_libraries(sluice_${name} INTERFACE sluice_compile)
    foreach(dep IN LISTS ARG_DEPS)
      if(TARGET dep_${dep})
        target_link_libraries(sluice_${name} INTERFACE dep_${dep})
      elseif(TARGET sluice_${dep})
        target_link_libraries(sluice_${name} INTERFACE sluice_${dep})
      endif()
    endforeach()
  endif()
endfunction()

function(sluice_program name folder)
  cmake_parse_arguments(ARG "" "" "DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/${folder}/*.c")
  set(main "${CMAKE_SOURCE_DIR}/${folder}/main.c")
  list(REMOVE_ITEM sources "${main}")
  if(sources)
    add_library(sluice_${name}_parts STATIC ${sources})
    sluice_link(sluice_${name}_parts ${ARG_DEPS})
  endif()
  if(NOT EXISTS "${main}")
    message(STATUS "program ${name}: ${folder}/main.c does not exist yet")
    return()
  endif()
  add_executable(${name} "${main}")
  sluice_link(${name} ${ARG_DEPS})
  if(sources)
    target_link_libraries(${name} PRIVATE sluice_${name}_parts)
  endif()
endfunction()

function(sluice_embed_sql target)
  file(GLOB_RECURSE statements CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/db/sql/*.sql")
  file(GLOB migrations CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/migrations/*.sql")
  set(out "${CMAKE_BINARY_DIR}/generated/sql")
  add_custom_command(
      OUTPUT "${out}/statements.inc" "${out}/statements.h" "${out}/migrations.inc"
      COMMAND "${CMAKE_SOURCE_DIR}/cmake/embed-sql" "${CMAKE_SOURCE_DIR}" "${out}"
      COMMENT "Embedding db/sql and migrations"
      DEPENDS ${statements} ${migrations} "${CMAKE_SOURCE_DIR}/cmake/embed-sql"
      VERBATIM)
  add_custom_target(sluice_sql DEPENDS "${out}/statements.inc" "${out}/statements.h" "${out}/migrations.inc")
  add_dependencies(${target} sluice_sql)
endfunction()

# openapi/openapi.yaml as JSON, for the target that serves it.
function(sluice_embed_openapi target)
  set(out "${CMAKE_BINARY_DIR}/generated/openapi")
  file(MAKE_DIRECTORY "${out}")
  add_executable(embed_openapi "${CMAKE_SOURCE_DIR}/openapi/embed.c")
  set_target_properties(embed_openapi PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tools")
  sluice_link(embed_openapi base kube)
  add_custom_command(
      OUTPUT "${out}/openapi.inc"
      COMMAND embed_openapi "${CMAKE_SOURCE_DIR}/openapi/openapi.yaml" "${out}/openapi.inc"
      DEPENDS "${CMAKE_SOURCE_DIR}/openapi/openapi.yaml" embed_openapi
      VERBATIM)
  add_custom_target(sluice_openapi DEPENDS "${out}/openapi.inc")
  add_dependencies(${target} sluice_openapi)
endfunction()

# What /api/docs is made of (handlers/documents.c): openapi/page, with the renderer where scripts/deps could fetch it.
function(sluice_embed_page target)
  set(from "${CMAKE_SOURCE_DIR}/openapi/page")
  set(out "${CMAKE_BINARY_DIR}/generated/page")
  file(MAKE_DIRECTORY "${out}")
  file(GLOB script CONFIGURE_DEPENDS "${from}/node_modules/swagger-ui-dist/swagger-ui-bundle.js")
  file(GLOB style CONFIGURE_DEPENDS "${from}/node_modules/swagger-ui-dist/swagger-ui.css")
  set(scripts ${script} "${from}/page.js")
  set(styles "${from}/page.css" ${style})
  add_custom_command(
      OUTPUT "${out}/page.js" "${out}/page.css"
      COMMAND "${CMAKE_COMMAND}" -E cat ${scripts} > "${out}/page.js"
      COMMAND "${CMAKE_COMMAND}" -E cat ${styles} > "${out}/page.css"
      DEPENDS ${scripts} ${styles}
      VERBATIM)
  add_custom_target(sluice_page DEPENDS "${out}/page.js" "${out}/page.css")
  add_dependencies(${target} sluice_page)
  set_source_files_properties("${CMAKE_SOURCE_DIR}/handlers/documents.c" PROPERTIES
      COMPILE_DEFINITIONS "SLUICE_PAGE=\"${out}\""
      OBJECT_DEPENDS "${out}/page.js;${out}/page.css")
endfunction()
