# embed_script.cmake - run by embed.cmake's commands.  MODE=sql writes HEADER and
# SOURCE from the lists SCHEMA and QUERY; MODE=text writes SOURCE from FILE.

function(to_bytes file out)
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)"
         "\\1\n    " bytes "${bytes}")
  set(${out} "${bytes}0" PARENT_SCOPE)
endfunction()

if(MODE STREQUAL "text")
  to_bytes(${FILE} bytes)
  file(WRITE ${SOURCE} "extern const char ${SYMBOL}[];\nconst char ${SYMBOL}[] = {\n    ${bytes}};\n")
  return()
endif()

set(header "/* Made from sql/schema and sql/query. */
#ifndef LINKBELL_SQL_EMBEDDED_H
#define LINKBELL_SQL_EMBEDDED_H

#include <stddef.h>

struct sql_text {
    const char *name;
    const char *text;
};

enum sql_query {
")
set(source "#include \"sql/embedded.h\"\n\n")
set(rows "")
list(SORT QUERY)
list(SORT SCHEMA)
foreach(file IN LISTS QUERY)
  get_filename_component(stem ${file} NAME_WE)
  file(STRINGS ${file} first LIMIT_COUNT 1)
  if(NOT first MATCHES "^-- ${stem}[,.:]")
    message(FATAL_ERROR "${file}: its first line must be '-- ${stem}: ...'")
  endif()
  string(TOUPPER ${stem} upper)
  to_bytes(${file} bytes)
  string(APPEND header "    SQL_${upper},\n")
  string(APPEND source "static const char query_${stem}[] = {\n    ${bytes}};\n")
  string(APPEND rows "    {\"${stem}\", query_${stem}},\n")
endforeach()
string(APPEND header "    SQL_QUERY_COUNT
};

extern const struct sql_text sql_queries[SQL_QUERY_COUNT];
extern const struct sql_text sql_migrations[]; /* in order; user_version counts them */
extern const size_t sql_migration_count;

#endif
")
string(APPEND source "const struct sql_text sql_queries[SQL_QUERY_COUNT] = {\n${rows}};\n")
set(rows "")
list(LENGTH SCHEMA count)
foreach(file IN LISTS SCHEMA)
  get_filename_component(stem ${file} NAME_WE)
  to_bytes(${file} bytes)
  string(APPEND source "static const char schema_${stem}[] = {\n    ${bytes}};\n")
  string(APPEND rows "    {\"${stem}\", schema_${stem}},\n")
endforeach()
string(APPEND source "const struct sql_text sql_migrations[] = {\n${rows}};\n")
string(APPEND source "const size_t sql_migration_count = ${count};\n")
file(WRITE ${HEADER} "${header}")
file(WRITE ${SOURCE} "${source}")
