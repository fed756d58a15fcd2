/* cases.h - files of tests/data. */
#ifndef LINKBELL_TESTS_SUPPORT_CASES_H
#define LINKBELL_TESTS_SUPPORT_CASES_H

#include <cjson/cJSON.h>

/* The bytes of a file, NUL-terminated; free() them.  A fault ends the test. */
char *cases_read(const char *name);
/* A file of JSON; cJSON_Delete() it. */
cJSON *cases_load(const char *name);
/* A text member of a row; NULL when it is none. */
const char *cases_text(const cJSON *row, const char *key);

#endif
