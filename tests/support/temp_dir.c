/* temp_dir.c - a directory of a test's own. */
#include "tests/support/temp_dir.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void temp_dir_make(char out[TEMP_DIR_BYTES])
{
    (void)snprintf(out, TEMP_DIR_BYTES, "/tmp/linkbell-test-XXXXXX");
    if (mkdtemp(out) == NULL) {
        abort();
    }
}

void temp_dir_remove(const char *dir)
{
    struct dirent **names = NULL;
    int count = scandir(dir, &names, NULL, NULL);

    (void)chmod(dir, S_IRWXU);
    for (int i = 0; i < count; i++) {
        char path[TEMP_DIR_BYTES + 300];

        (void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
        (void)unlink(path);
        free(names[i]);
    }
    free(names);
    (void)rmdir(dir);
}
