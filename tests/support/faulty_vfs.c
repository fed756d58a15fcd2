/* faulty_vfs.c - SQLite's file layer with faults. */
#include "tests/support/faulty_vfs.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

/* Stands before the real file's own struct in what SQLite allocates. */
struct faulty_file {
    sqlite3_file base; /* first */
    bool is_wal;
    sqlite3_file *real;
};

static sqlite3_vfs *real_vfs;
static sqlite3_vfs faulty;
static atomic_int skips[FAULTY_VFS_OP_COUNT];
static atomic_int faults[FAULTY_VFS_OP_COUNT];
static atomic_int failed[FAULTY_VFS_OP_COUNT];
static atomic_int opened;

static bool is_failing(enum faulty_vfs_op op)
{
    if (atomic_load(&faults[op]) == 0) {
        return false;
    }
    if (atomic_load(&skips[op]) > 0) {
        (void)atomic_fetch_sub(&skips[op], 1);
        return false;
    }
    (void)atomic_fetch_sub(&faults[op], 1);
    (void)atomic_fetch_add(&failed[op], 1);
    return true;
}

static struct faulty_file *mine(sqlite3_file *file)
{
    return (struct faulty_file *)(void *)file;
}

static sqlite3_file *real_of(sqlite3_file *file)
{
    return mine(file)->real;
}

static int close_file(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int read_file(sqlite3_file *file, void *out, int len, sqlite3_int64 at)
{
    return real_of(file)->pMethods->xRead(real_of(file), out, len, at);
}

static int
write_file(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
    if (mine(file)->is_wal && is_failing(FAULTY_VFS_WRITE)) {
        return SQLITE_FULL;
    }
    return real_of(file)->pMethods->xWrite(real_of(file), bytes, len, at);
}

static int truncate_file(sqlite3_file *file, sqlite3_int64 len)
{
    return real_of(file)->pMethods->xTruncate(real_of(file), len);
}

static int sync_file(sqlite3_file *file, int flags)
{
    if (mine(file)->is_wal && is_failing(FAULTY_VFS_SYNC)) {
        return SQLITE_IOERR_FSYNC;
    }
    return real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int size_file(sqlite3_file *file, sqlite3_int64 *len_out)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), len_out);
}

static int lock_file(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int unlock_file(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int check_lock(sqlite3_file *file, int *is_held_out)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file),
                                                       is_held_out);
}

static int control_file(sqlite3_file *file, int op, void *arg)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int sector_size(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int traits(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int map_shared(sqlite3_file *file,
                      int page,
                      int bytes,
                      int is_extending,
                      void volatile **out)
{
    return real_of(file)->pMethods->xShmMap(real_of(file), page, bytes,
                                            is_extending, out);
}

static int lock_shared(sqlite3_file *file, int offset, int count, int flags)
{
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, count,
                                             flags);
}

static void fence_shared(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int unmap_shared(sqlite3_file *file, int is_removing)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), is_removing);
}

static const sqlite3_io_methods methods = {.iVersion = 2,
                                           .xClose = close_file,
                                           .xRead = read_file,
                                           .xWrite = write_file,
                                           .xTruncate = truncate_file,
                                           .xSync = sync_file,
                                           .xFileSize = size_file,
                                           .xLock = lock_file,
                                           .xUnlock = unlock_file,
                                           .xCheckReservedLock = check_lock,
                                           .xFileControl = control_file,
                                           .xSectorSize = sector_size,
                                           .xDeviceCharacteristics = traits,
                                           .xShmMap = map_shared,
                                           .xShmLock = lock_shared,
                                           .xShmBarrier = fence_shared,
                                           .xShmUnmap = unmap_shared};

static int open_file(sqlite3_vfs *vfs,
                     const char *name,
                     sqlite3_file *file,
                     int flags,
                     int *flags_out)
{
    struct faulty_file *out = mine(file);
    int rc;

    (void)vfs;
    out->base.pMethods = NULL;
    if ((flags & SQLITE_OPEN_MAIN_DB) != 0) {
        (void)atomic_fetch_add(&opened, 1);
        if (is_failing(FAULTY_VFS_OPEN)) {
            return SQLITE_CANTOPEN;
        }
    }
    out->is_wal = (flags & SQLITE_OPEN_WAL) != 0;
    out->real = (sqlite3_file *)(void *)(out + 1);
    rc = real_vfs->xOpen(real_vfs, name, out->real, flags, flags_out);
    if (out->real->pMethods != NULL) {
        out->base.pMethods = &methods;
    }
    return rc;
}

void faulty_vfs_install(void)
{
    real_vfs = sqlite3_vfs_find(NULL);
    faulty = *real_vfs;
    faulty.zName = "faulty";
    faulty.szOsFile = (int)sizeof(struct faulty_file) + real_vfs->szOsFile;
    faulty.xOpen = open_file;
    for (int i = 0; i < FAULTY_VFS_OP_COUNT; i++) {
        atomic_store(&skips[i], 0);
        atomic_store(&faults[i], 0);
        atomic_store(&failed[i], 0);
    }
    atomic_store(&opened, 0);
    (void)sqlite3_vfs_register(&faulty, 1);
}

void faulty_vfs_remove(void)
{
    (void)sqlite3_vfs_unregister(&faulty);
    (void)sqlite3_vfs_register(real_vfs, 1);
}

void faulty_vfs_fail(enum faulty_vfs_op op, int skipped, int times)
{
    atomic_store(&skips[op], skipped);
    atomic_store(&faults[op], times);
}

int faulty_vfs_failed(enum faulty_vfs_op op)
{
    return atomic_load(&failed[op]);
}

int faulty_vfs_opened(void)
{
    return atomic_load(&opened);
}
