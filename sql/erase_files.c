/* erase_files.c - export files of events that were erased. */
#include "sql/erase_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "base/json.h"

#define PATH_BYTES 4400
#define MANIFEST "manifest.json"
#define MANIFEST_BYTES ((size_t)64 * 1024 * 1024)

static bool is_meant(const char *name, const char *prefix)
{
    return prefix == NULL ? strcmp(name, ".") != 0 && strcmp(name, "..") != 0
                          : strncmp(name, prefix, strlen(prefix)) == 0;
}

static cJSON *read_manifest(int dir_fd)
{
    int fd = openat(dir_fd, MANIFEST, O_RDONLY | O_CLOEXEC);
    struct lb_buf text;
    char chunk[4096];
    cJSON *json;
    ssize_t got;

    if (fd < 0) {
        return NULL;
    }
    lb_buf_init(&text, MANIFEST_BYTES);
    while ((got = read(fd, chunk, sizeof(chunk))) > 0) {
        lb_buf_add(&text, chunk, (size_t)got);
    }
    (void)close(fd);
    json = cJSON_Parse(lb_buf_text(&text));
    lb_buf_deinit(&text);
    return json;
}

static bool write_manifest(int dir_fd, const cJSON *json)
{
    int fd = openat(dir_fd, "." MANIFEST ".tmp",
                    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct lb_buf text;
    bool is_written;

    if (fd < 0) {
        return false;
    }
    lb_buf_init(&text, MANIFEST_BYTES);
    lb_json_add_item(&text, json);
    lb_buf_add_char(&text, '\n');
    is_written = write(fd, lb_buf_text(&text), text.len) == (ssize_t)text.len &&
                 fsync(fd) == 0;
    lb_buf_deinit(&text);
    return close(fd) == 0 && is_written &&
           renameat(dir_fd, "." MANIFEST ".tmp", dir_fd, MANIFEST) == 0;
}

/* Leaves the lines of the day's event files out of the manifest. */
static bool strike(int dir_fd, const char *prefix)
{
    cJSON *json = read_manifest(dir_fd);
    cJSON *files = cJSON_GetObjectItemCaseSensitive(json, "files");
    bool is_well = true;
    bool is_changed = false;

    for (int i = cJSON_GetArraySize(files) - 1; i >= 0; i--) {
        const char *name = lb_json_text(cJSON_GetArrayItem(files, i), "file");

        if (name != NULL && is_meant(name, prefix)) {
            cJSON_DeleteItemFromArray(files, i);
            is_changed = true;
        }
    }
    if (is_changed) {
        is_well = write_manifest(dir_fd, json);
    }
    cJSON_Delete(json);
    return is_well;
}

enum lb_err erase_files_remove(const char *dir,
                               const char *site,
                               const char *day,
                               size_t *count,
                               struct lb_error *err)
{
    char prefix[200];
    char path[PATH_BYTES];
    const struct dirent *file;
    bool is_well = true;
    DIR *open_dir;

    (void)snprintf(path, sizeof(path), "%s/exports/%.64s", dir, site);
    (void)snprintf(prefix, sizeof(prefix), "events-%.64s-%.10s.", site,
                   day == NULL ? "" : day);
    open_dir = opendir(path);
    if (open_dir == NULL) {
        return LB_OK; /* nothing was exported there */
    }
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of its own */
    while ((file = readdir(open_dir)) != NULL) {
        if (is_meant(file->d_name, day == NULL ? NULL : prefix)) {
            is_well =
                unlinkat(dirfd(open_dir), file->d_name, 0) == 0 && is_well;
            (*count)++;
        }
    }
    if (day != NULL) {
        is_well = strike(dirfd(open_dir), prefix) && is_well;
    }
    (void)closedir(open_dir);
    if (day == NULL) {
        is_well = rmdir(path) == 0 && is_well;
    }
    return is_well ? LB_OK
                   : lb_err_set(err, LB_EIO,
                                "export files below %s/exports can't be "
                                "removed; remove them by hand",
                                dir);
}
