/* db_file.c - the data directory and the database's file, before SQLite. */
#include "sql/db_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sql/db.h"

#define HEADER_BYTES                                                           \
    100 /* of an SQLite file; sqlite.org/fileformat2.html, 1.3 */

static uint32_t be32(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
           (uint32_t)bytes[2] << 8 | bytes[3];
}

enum lb_err db_file_lock(const char *dir, int *fd_out, struct lb_error *err)
{
    int fd;

    *fd_out = -1;
    if (mkdir(dir, S_IRWXU) != 0 && errno != EEXIST) {
        return lb_err_set(
            err, errno == EROFS || errno == EACCES ? LB_EREADONLY : LB_EIO,
            "the data directory %s can't be made (%s); make it, or choose "
            "another one with --data-dir",
            dir,
            errno == ENOENT   ? "its parent does not exist"
            : errno == EROFS  ? "read-only file system"
            : errno == EACCES ? "no permission"
                              : "I/O error");
    }
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return lb_err_set(err, LB_EIO,
                          "%s is no directory that can be read; choose another "
                          "one with --data-dir",
                          dir);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        (void)close(fd);
        return lb_err_set(
            err, LB_EBUSY,
            "the data directory %s is in use by another linkbell; stop that "
            "one first, or choose another one with --data-dir",
            dir);
    }
    if (access(dir, W_OK) != 0) {
        (void)close(fd);
        return lb_err_set(
            err, LB_EREADONLY,
            "the data directory %s can't be written; give its user the right "
            "to, or choose another one with --data-dir",
            dir);
    }
    (void)unlinkat(fd, DB_FILE_NAME DB_FILE_RESTORE, 0);
    *fd_out = fd;
    return LB_OK;
}

static enum lb_err check_header(const char *path,
                                const unsigned char *header,
                                size_t len,
                                size_t newest_schema,
                                struct lb_error *err)
{
    if (len < HEADER_BYTES || memcmp(header, "SQLite format 3", 16) != 0) {
        return lb_err_set(err, LB_EFORMAT,
                          "%s is not a linkbell database, or its header is "
                          "damaged; restore a backup or move it away",
                          path);
    }
    if (be32(header + 68) != DB_APPLICATION_ID) {
        return lb_err_set(err, LB_EFORMAT,
                          "%s is an SQLite database of another program; move "
                          "it away or choose another --data-dir",
                          path);
    }
    if (be32(header + 60) > newest_schema) {
        return lb_err_set(err, LB_EVERSION,
                          "%s was made by a newer linkbell (schema %u, this "
                          "one knows %zu); run the newer version",
                          path, be32(header + 60), newest_schema);
    }
    return LB_OK;
}

enum lb_err db_file_check(const char *path,
                          bool is_for_writing,
                          size_t newest_schema,
                          bool *is_new_out,
                          struct lb_error *err)
{
    unsigned char header[HEADER_BYTES];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len;

    *is_new_out = fd < 0 && errno == ENOENT;
    if (*is_new_out && !is_for_writing) {
        return lb_err_set(err, LB_ENOENT, "there is no %s yet", path);
    }
    if (*is_new_out) {
        /* SQLite gives its other files the mode of this one. */
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
    }
    if (fd < 0) {
        return lb_err_set(err, LB_EREADONLY,
                          "%s can't be opened; give linkbell's user the right "
                          "to read and write it",
                          path);
    }
    len = read(fd, header, sizeof(header));
    (void)close(fd);
    *is_new_out = len == 0;
    if (len == 0) {
        return LB_OK;
    }
    if (is_for_writing && access(path, W_OK) != 0) {
        return lb_err_set(err, LB_EREADONLY,
                          "%s can't be written (read-only); give linkbell's "
                          "user the right to",
                          path);
    }
    return check_header(path, header, len < 0 ? 0 : (size_t)len, newest_schema,
                        err);
}
