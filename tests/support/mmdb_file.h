/* mmdb_file.h - a small country database for tests. */
#ifndef LINKBELL_TESTS_SUPPORT_MMDB_FILE_H
#define LINKBELL_TESTS_SUPPORT_MMDB_FILE_H

/* Writes a database in which all addresses belong to country, under another
 * name first, as an operator should. */
void mmdb_file_write(const char *path, const char *country);

#endif
