# embed.cmake - turns sql/schema and sql/query into byte arrays and an enum.  A long
# string literal trips -Wpedantic; a byte array does not.

set(LINKBELL_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/embed_script.cmake)
set(LINKBELL_SQL_HEADER ${CMAKE_BINARY_DIR}/generated/sql/embedded.h)
set(LINKBELL_SQL_SOURCE ${CMAKE_BINARY_DIR}/generated/sql/embedded.c)

function(linkbell_embed_sql)
  file(GLOB schema CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/sql/schema/*.sql)
  file(GLOB query CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/sql/query/*.sql)
  add_custom_command(
      OUTPUT ${LINKBELL_SQL_HEADER} ${LINKBELL_SQL_SOURCE}
      COMMAND ${CMAKE_COMMAND} -DMODE=sql "-DSCHEMA=${schema}" "-DQUERY=${query}"
              -DHEADER=${LINKBELL_SQL_HEADER} -DSOURCE=${LINKBELL_SQL_SOURCE}
              -P ${LINKBELL_EMBED_SCRIPT}
      DEPENDS ${schema} ${query} ${LINKBELL_EMBED_SCRIPT}
      COMMENT "Embedding SQL" VERBATIM)
  add_custom_target(linkbell_sql DEPENDS ${LINKBELL_SQL_HEADER} ${LINKBELL_SQL_SOURCE})
endfunction()

# Makes `const char SYMBOL[]` of a text file; OUT_VARIABLE gets the source's path.
function(linkbell_embed_text file symbol out_variable)
  set(source ${CMAKE_BINARY_DIR}/generated/${symbol}.c)
  add_custom_command(
      OUTPUT ${source}
      COMMAND ${CMAKE_COMMAND} -DMODE=text -DFILE=${CMAKE_SOURCE_DIR}/${file}
              -DSYMBOL=${symbol} -DSOURCE=${source} -P ${LINKBELL_EMBED_SCRIPT}
      DEPENDS ${CMAKE_SOURCE_DIR}/${file} ${LINKBELL_EMBED_SCRIPT} VERBATIM)
  set(${out_variable} ${source} PARENT_SCOPE)
endfunction()
