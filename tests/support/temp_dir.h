/* temp_dir.h - a directory of a test's own, gone with the test. */
#ifndef LINKBELL_TESTS_SUPPORT_TEMP_DIR_H
#define LINKBELL_TESTS_SUPPORT_TEMP_DIR_H

#define TEMP_DIR_BYTES 64

/* Makes an empty directory below /tmp and writes its name. */
void temp_dir_make(char out[TEMP_DIR_BYTES]);
/* Removes it and the plain files in it. */
void temp_dir_remove(const char *dir);

#endif
