/* replay_main.c - runs a fuzz target over every file of a corpus folder, for
 * builds without libFuzzer. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_BYTES ((size_t)1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *folder, const char *name)
{
    static uint8_t bytes[FILE_BYTES];
    char path[4096];
    FILE *file;
    size_t size;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    size = fread(bytes, 1, sizeof(bytes), file);
    (void)fclose(file);
    return LLVMFuzzerTestOneInput(bytes, size);
}

int main(int argc, char **argv)
{
    struct dirent **names = NULL;
    int count = argc == 2 ? scandir(argv[1], &names, NULL, alphasort) : -1;
    int faults = 0;
    int done = 0;

    for (int i = 0; i < count; i++) {
        if (names[i]->d_name[0] != '.') {
            faults += replay(argv[1], names[i]->d_name);
            done++;
        }
        free(names[i]);
    }
    free(names);
    (void)printf("%d files replayed, %d at fault\n", done, faults);
    return done > 0 && faults == 0 ? 0 : 1;
}
