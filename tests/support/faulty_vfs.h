/* faulty_vfs.h - a disk that fails on demand: SQLite's own file layer with
 * faults in the write-ahead log's writes and syncs, and in opening databases.
 */
#ifndef LINKBELL_TESTS_SUPPORT_FAULTY_VFS_H
#define LINKBELL_TESTS_SUPPORT_FAULTY_VFS_H

enum faulty_vfs_op {
    FAULTY_VFS_SYNC = 0, /* fsync of a write-ahead log: an I/O error */
    FAULTY_VFS_WRITE,    /* write to a write-ahead log: the disk is full */
    FAULTY_VFS_OPEN      /* opening a database: it can't be opened */
};
#define FAULTY_VFS_OP_COUNT 3

/* Becomes SQLite's default until faulty_vfs_remove(); no fault is set. */
void faulty_vfs_install(void);
void faulty_vfs_remove(void);

/* The next `times` such operations fail, after `skipped` that don't. */
void faulty_vfs_fail(enum faulty_vfs_op op, int skipped, int times);
/* Faults that happened, and databases that were opened, since installing. */
int faulty_vfs_failed(enum faulty_vfs_op op);
int faulty_vfs_opened(void);

#endif
